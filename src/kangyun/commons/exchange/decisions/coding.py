"""Local codes beside national and international ones: translations by ConceptMaps, and what no map knows yet.

The original code stays first; the translated one stands behind it. What a resource says is copied where it changes, since
templates and caches share their parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid5

from kangyun.base import rules

_PACKAGE = "kangyun.commons.exchange"
_NAMESPACE = UUID("8f1d8a3e-97a4-5f0c-8b43-1115c0de2026")
_LONGEST = 200

# What only refers to other resources, in most of what arrives.
_CODELESS = frozenset({"subject", "patient", "encounter", "context", "serviceProvider", "managingOrganization", "beneficiary", "result", "target"})

# (system, code) -> the codings that mean the same.
Translations = Mapping[tuple[str, str], tuple[dict[str, str], ...]]


@dataclass(frozen=True, slots=True)
class Unknown:
    """A code that no map translates; `role` is where it stood, such as `Condition.code`."""

    system: str
    code: str
    display: str
    role: str


@dataclass(slots=True)
class Coded:
    """A resource with its codes translated, and what is left."""

    resource: dict[str, Any]
    unknown: list[Unknown] = field(default_factory=list[Unknown])


def coded(resource: dict[str, Any], translations: Translations) -> Coded:
    """The resource with every known translation beside its local code."""
    found = Coded(resource)
    type_ = str(resource.get("resourceType", ""))
    changed = {
        name: news
        for name, value in resource.items()
        if (value.__class__ is dict or value.__class__ is list) and name not in _CODELESS and (news := _walk(value, f"{type_}.{name}", translations, found)) is not value
    }
    if changed:
        found.resource = {**resource, **changed}
    return found


def _walk(value: Any, role: str, translations: Translations, found: Coded) -> Any:
    """The value, itself where nothing changes; a copy is made only on the way to what does."""
    if value.__class__ is list:
        changed: Any = None
        for place, one in enumerate(value):
            if one.__class__ is dict or one.__class__ is list:
                news = _walk(one, role, translations, found)
                if news is not one:
                    changed = changed or list(value)
                    changed[place] = news
        return changed or value
    if value.get("coding").__class__ is list:
        return _concept(value, role, translations, found)
    changed = None
    for name, inner in value.items():
        if inner.__class__ is dict or inner.__class__ is list:
            news = _walk(inner, role, translations, found)
            if news is not inner:
                changed = changed or dict(value)
                changed[name] = news
    return changed or value


def _concept(concept: dict[str, Any], role: str, translations: Translations, found: Coded) -> dict[str, Any]:
    codings: list[dict[str, Any]] = concept["coding"]
    systems = {one.get("system") for one in codings}
    more: list[dict[str, str]] = []
    for one in codings:
        for target in translations.get((str(one.get("system", "")), str(one.get("code", ""))), ()):
            if target["system"] not in systems:
                systems.add(target["system"])
                more.append(dict(target))
    if more:
        return {**concept, "coding": [*codings, *more]}
    if not _has_public(codings):
        found.unknown += _unknown(codings, concept, role)
    return concept


@lru_cache(maxsize=1)
def _public() -> tuple[str, ...]:
    return tuple(rules.load(_PACKAGE, "coding.yaml").body["public"])


@lru_cache(maxsize=1)
def _roles() -> frozenset[str]:
    return frozenset(rules.load(_PACKAGE, "coding.yaml").map)


def _has_public(codings: Iterable[dict[str, Any]]) -> bool:
    public = _public()
    return any(str(one.get("system", "")).startswith(public) for one in codings)


def _unknown(codings: list[dict[str, Any]], concept: dict[str, Any], role: str) -> list[Unknown]:
    if role not in _roles():
        return []
    first = next((one for one in codings if one.get("code") and one.get("system")), None)
    if first is None:
        return []
    display = str(first.get("display") or concept.get("text") or "")
    return [Unknown(str(first["system"]), str(first["code"])[:_LONGEST], display[:_LONGEST], role)]


def map_id(system: str, target: str) -> str:
    """The id of the ConceptMap from one system to another."""
    return str(uuid5(_NAMESPACE, f"ConceptMap|{system}|{target}"))


def translations_of(maps: Iterable[dict[str, Any]]) -> dict[tuple[str, str], tuple[dict[str, str], ...]]:
    """What the active ConceptMaps say, as a table; targets that are only narrower or unmatched translate nothing."""
    found: dict[tuple[str, str], tuple[dict[str, str], ...]] = {}
    for one in maps:
        if one.get("status") != "active":
            continue
        for group in one.get("group", ()):
            for element in group.get("element", ()):
                targets = tuple(_target(group, target) for target in element.get("target", ()) if _means_the_same(target))
                if targets and group.get("source"):
                    key = (str(group["source"]), str(element.get("code", "")))
                    found[key] = (*found.get(key, ()), *targets)
    return found


def _means_the_same(target: dict[str, Any]) -> bool:
    return target.get("equivalence") in {"equivalent", "equal", "wider", "subsumes"} and bool(target.get("code"))


def _target(group: dict[str, Any], target: dict[str, Any]) -> dict[str, str]:
    display = {"display": str(target["display"])} if target.get("display") else {}
    return {"system": str(group.get("target", "")), "code": str(target["code"]), **display}


def with_translation(
    concept_map: dict[str, Any] | None, source: tuple[str, str, str], target: tuple[str, str, str]
) -> dict[str, Any]:
    """The ConceptMap with one more translation, or another one for a code that it had; both are (system, code, display)."""
    element: dict[str, Any] = {"code": source[1], **({"display": source[2]} if source[2] else {})}
    element["target"] = [{"code": target[1], **({"display": target[2]} if target[2] else {}), "equivalence": "equivalent"}]
    if concept_map is None:
        return _new_map(source[0], target[0], element)
    group = concept_map["group"][0]
    others = [one for one in group["element"] if one.get("code") != source[1]]
    return {**concept_map, "group": [{**group, "element": [*others, element]}, *concept_map["group"][1:]]}


def without_translation(concept_map: dict[str, Any], code: str) -> dict[str, Any]:
    """The ConceptMap without what it says of a code; a map that says nothing any more is retired."""
    group = concept_map["group"][0]
    others = [one for one in group["element"] if one.get("code") != code]
    if not others:
        return {**concept_map, "status": "retired"}
    return {**concept_map, "group": [{**group, "element": others}, *concept_map["group"][1:]]}


def _new_map(system: str, target: str, element: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "ConceptMap",
        "id": map_id(system, target),
        "status": "active",
        "sourceUri": system,
        "targetUri": target,
        "group": [{"source": system, "target": target, "element": [element]}],
    }


def check_example(_rule: rules.Rule, given: Any) -> Any:
    """The judge of rules/coding.yaml: the codes of a concept, and what is unknown of it."""
    table = {("urn:kangyun:sender:X:codes:lab", "XT"): ({"system": "http://loinc.org", "code": "14749-6"},)}
    found = coded(given, table)
    concept = next(value for name, value in found.resource.items() if name != "resourceType")
    return {"codes": [one["code"] for one in concept["coding"]], "unknown": [one.code for one in found.unknown]}
