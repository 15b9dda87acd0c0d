"""Hiding what tells who somebody is from roles that need not know (rules/masking.yaml): pure, and for every answer.

A resource is copied only where something changes. Whatever has an unexpected shape leaves the answer: masking never
raises, and never lets through what it does not understand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from kangyun.base.rules import Rule, load

Json: TypeAlias = dict[str, Any]

NONE = "none"
_PERSONS = ("Patient", "Person", "RelatedPerson")
_PERSON_REFERENCE = re.compile(r"(?:.*/)?(?:Patient|Person|RelatedPerson)/[^/]+(?:/_history/[^/]+)?")
# References by number alone to these are not about a person who is looked after.
_OTHERS = {"Organization", "Practitioner", "PractitionerRole", "Location", "Device", "HealthcareService", "Endpoint"}
_COUNTY = re.compile(r"(?:[^省市县区旗]{1,12}(?:省|自治区))?(?:[^省市县区旗]{1,12}(?:自治州|地区|盟|市))?[^省市县区旗]{1,12}[县区旗市]")
_ADDRESS_KEPT = {"use", "type", "country", "state", "city", "district", "period"}
_NAME_KEPT = {"use", "prefix", "suffix", "period"}
_IDENTIFIER_KEPT = {"use", "type", "system", "period", "assigner"}
_TELECOM_KEPT = {"system", "use", "rank", "period"}
# Free words about a person; a picture; what a primitive or a room of ours has added.
_DROPPED = {"text", "photo", "extension", "note"}


@dataclass(frozen=True, slots=True)
class _Level:
    """One level of the rule; `keeps` names what stays in part, `shows` what stays whole; everything else of the kind is dropped."""

    keeps: frozenset[str]
    shows: frozenset[str] = frozenset()


def mask(resource: Json, level: str) -> Json:
    """The resource as a role of the level sees it; an unknown level sees the least."""
    if level == NONE:
        return resource
    try:
        return _masked(resource, _levels().get(level) or _Level(frozenset()))
    except (AttributeError, TypeError, ValueError, KeyError, IndexError, RecursionError):
        return {key: resource[key] for key in ("resourceType", "id", "meta") if key in resource}


@cache
def blocked(type_: str, level: str) -> frozenset[str]:
    """The search parameters (and `:modifier`s) of a type that a role of the level may neither search nor sort by."""
    if level == NONE:
        return frozenset()
    said = load("kangyun.commons.access", "masking.yaml").body["blocked"]
    return frozenset(said["*"]) | frozenset(said.get(type_, ()))


@cache
def _levels() -> dict[str, _Level]:
    said = load("kangyun.commons.access", "masking.yaml").map
    return {level: _Level(_with(told, "keep"), _with(told, "show")) for level, told in said.items()}


def _with(told: Mapping[str, str], how: str) -> frozenset[str]:
    return frozenset(kind for kind, said in told.items() if said == how)


def _masked(resource: Json, level: _Level) -> Json:
    type_ = resource.get("resourceType")
    if type_ in _PERSONS:
        return _person(resource, level)
    made = {key: _inner(value, level) for key, value in resource.items() if key != "text"}
    if type_ == "Coverage":
        _numbers(made, level, "subscriberId", "dependent")
    if "name" not in level.keeps | level.shows:
        made.pop("note", None)
    return made


def _person(resource: Json, level: _Level) -> Json:
    made: Json = {}
    for key, value in resource.items():
        if key in _DROPPED or key.startswith("_"):
            continue
        change = None if key in level.shows else _CHANGES.get(key)
        if change is None:
            made[key] = value
        elif told := change(value, level):
            made[key] = told
    return made


def _inner(value: Any, level: _Level) -> Any:
    """Anything inside of a resource about care: what refers to a person loses the name and the number."""
    if isinstance(value, list):
        nodes: list[Any] = value
        return [_inner(one, level) for one in nodes]
    if not isinstance(value, dict):
        return value
    node: Json = value
    if "resourceType" in node:
        return _masked(node, level)
    if "reference" in node or "identifier" in node:
        return _reference(node, level)
    return {key: _inner(one, level) if isinstance(one, dict | list) else one for key, one in node.items()}


def _reference(node: Json, level: _Level) -> Json:
    made = {key: _inner(one, level) for key, one in node.items()}
    if not _about_a_person(node):
        return made
    if "display" in made and "name" not in level.shows:
        _replace(made, "display", _short(str(node["display"])) if "name" in level.keeps else None)
    if isinstance(node.get("identifier"), dict):
        _replace(made, "identifier", _identifier(node["identifier"]) if "identifier" in level.keeps else None)
    return made


def _about_a_person(node: Json) -> bool:
    reference = node.get("reference")
    if reference:
        return bool(_PERSON_REFERENCE.fullmatch(reference)) or reference.startswith(("#", "urn:"))
    return node.get("type") not in _OTHERS


def _replace(made: Json, key: str, value: Any) -> None:
    if value is None:
        made.pop(key, None)
    else:
        made[key] = value


def _numbers(made: Json, level: _Level, *keys: str) -> None:
    for key in keys:
        if key in made:
            _replace(made, key, _starred(str(made[key]), "identifier") if "identifier" in level.keeps else None)


def _names(value: Any, level: _Level) -> Any:
    """The names of a Patient (a list) or of a contact (one)."""
    if "name" not in level.keeps:
        return None
    return [_name(one) for one in value] if isinstance(value, list) else _name(value)


def _name(name: Json) -> Json:
    made: Json = {key: value for key, value in name.items() if key in _NAME_KEPT}
    family = name.get("family")
    if name.get("text"):
        made["text"] = f"{family}*" if family and str(name["text"]).startswith(family) else _short(str(name["text"]))
    if family:
        made["family"] = family
    if name.get("given"):
        made["given"] = ["*"]
    return made


def _short(text: str) -> str:
    return f"{text.strip()[:1]}*"


def _identifiers(value: Any, level: _Level) -> Any:
    return [_identifier(one) for one in value] if "identifier" in level.keeps else None


def _identifier(one: Json) -> Json:
    made = {key: value for key, value in one.items() if key in _IDENTIFIER_KEPT}
    if "value" in one:
        made["value"] = _starred(str(one["value"]), "identifier")
    return made


def _telecoms(value: Any, level: _Level) -> Any:
    return [_telecom(one) for one in value] if "telecom" in level.keeps else None


def _telecom(one: Json) -> Json:
    made = {key: value for key, value in one.items() if key in _TELECOM_KEPT}
    text = str(one.get("value", ""))
    if text:
        name, at, host = text.partition("@")
        made["value"] = f"{name[:1]}***@{host}" if at else _starred(text, "telecom")
    return made


def _addresses(value: Any, _level: _Level) -> Any:
    return [_address(one) for one in value] if isinstance(value, list) else _address(value)


def _address(one: Json) -> Json:
    made = {key: value for key, value in one.items() if key in _ADDRESS_KEPT}
    county = None if "district" in one else _COUNTY.match(str(one.get("text", "")))
    if county:
        made["text"] = county[0]
    return made


def _month(value: Any, _level: _Level) -> Any:
    return value[:7] if isinstance(value, str) else None


def _contacts(value: Any, level: _Level) -> Any:
    return [_person(one, level) for one in value] if "contact" in level.keeps else None


_CHANGES: Mapping[str, Callable[[Any, _Level], Any]] = {
    "name": _names, "identifier": _identifiers, "telecom": _telecoms, "address": _addresses, "birthDate": _month,
    "deceasedDateTime": _month, "contact": _contacts, "contained": _inner, "link": _inner, "patient": _inner,
}


@cache
def _rows(kind: str) -> tuple[tuple[int, int, int], ...]:
    said = load("kangyun.commons.access", "masking.yaml").body["numbers"][kind]
    return tuple((row["from"], row["first"], row["last"]) for row in said)


def _starred(text: str, kind: str) -> str:
    length = len(text)
    for least, first, last in _rows(kind):
        if length >= least:
            return f"{text[:first]}{'*' * (length - first - last)}{text[length - last:]}"
    return "*" * length


def check_example(_rule: Rule, given: Mapping[str, Any]) -> Json:
    """The masked resource of a worked example."""
    return mask(given["resource"], given["level"])
