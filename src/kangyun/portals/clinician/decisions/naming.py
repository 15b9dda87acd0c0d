"""What to call things: codes, people and institutions, in the reader's language where the record has it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Node = dict[str, Any]
Names = Mapping[str, str]
"""Names of referenced resources by reference, such as ``{"Organization/7": "云州市第一人民医院"}``."""

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_QUALIFIER = re.compile(r" \((disorder|finding|procedure|situation|observable entity|qualifier value|regime/therapy)\)$")


def concept(node: Node | None, language: str) -> str:
    """Name a CodeableConcept: its own text first, or a coding's display in the reader's language, at worst its code."""
    codes = [coding["code"] for coding in (node or {}).get("coding", []) if coding.get("code")]
    return words(node, language) or next(iter(codes), "")


def words(node: Node | None, language: str) -> str:
    """Name a CodeableConcept by words only; empty where it is but a code."""
    codings = (node or {}).get("coding", [])
    codes = {coding.get("code") for coding in codings}
    given = [(node or {}).get("text"), *(coding.get("display") for coding in codings)]
    return _QUALIFIER.sub("", preferred((text for text in given if text and text not in codes), language))


def is_chinese(text: str) -> bool:
    """Say whether a text holds Chinese characters."""
    return bool(_CHINESE.search(text))


def preferred(candidates: Iterable[str], language: str) -> str:
    """Choose the first text in the reader's script, else the first of all."""
    known = list(candidates)
    fitting = [text for text in known if is_chinese(text) == (language == "zh")]
    return (fitting or known or [""])[0]


def person(names: Iterable[Node]) -> str:
    """Write a HumanName as people do: Chinese without a space, others given name first; an official name wins."""
    ranked = sorted(names, key=lambda name: ("official", "usual").index(name["use"]) if name.get("use") in {"official", "usual"} else 2)
    for name in ranked:
        written = name.get("text") or _joined(name)
        if written:
            return written
    return ""


def _joined(name: Node) -> str:
    given, family = name.get("given", []), name.get("family", "")
    if is_chinese(family + "".join(given)):
        return family + "".join(given)
    return " ".join([*given, family]).strip()


def referred(reference: Node | None, names: Names) -> str:
    """Name what a Reference points to: its display, or the name we looked up."""
    if not reference:
        return ""
    return reference.get("display") or names.get(reference.get("reference", ""), "")


def reference_targets(resources: Iterable[Node], wanted: tuple[str, ...]) -> set[str]:
    """Collect who of the ``wanted`` types is said to have done or kept something without a display, and so must be looked up."""
    said = (one for resource in resources for one in _statements(resource) if not one.get("display"))
    return {reference for one in said if (reference := str(one.get("reference", ""))).startswith(wanted)}


def visit_of(resource: Node) -> str:
    """The reference of the visit that a resource belongs to, or empty; a DocumentReference names it inside ``context``."""
    place = resource.get("encounter")
    if place is None and resource["resourceType"] == "DocumentReference":
        inside = resource.get("context")
        visits = inside.get("encounter", []) if isinstance(inside, dict) else []
        place = visits[0] if isinstance(visits, list) and visits else None
    return str((place or {}).get("reference", ""))


def names_of(resources: Iterable[Node]) -> dict[str, str]:
    """Name organisations and staff by reference."""
    found: dict[str, str] = {}
    for resource in resources:
        name = resource.get("name")
        written = person(name) if isinstance(name, list) else name
        if written:
            found[f"{resource['resourceType']}/{resource['id']}"] = written
    return found


def source_of(resource: Node, names: Names, encounters: Mapping[str, Node] | None = None) -> str:
    """Name the institution that a resource comes from: its own statement, its visit's, the message that brought it, or who did it.

    ``names`` may hold the institution of a resource itself, learnt from its Provenance.
    """
    stated = [(one, referred(one, names)) for one in _statements(resource)]
    institutions = [name for one, name in stated if name and _is_institution(one)]
    if institutions:
        return institutions[0]
    visit = encounters.get(visit_of(resource)) if encounters else None
    from_visit = source_of(visit, names) if visit is not None and visit is not resource else ""
    own = names.get(f"{resource['resourceType']}/{resource.get('id')}", "")
    sender = names.get(resource.get("meta", {}).get("source", ""), "")
    return from_visit or own or next((name for _, name in stated if name), "") or sender


def _is_institution(reference: Node) -> bool:
    return reference.get("type") == "Organization" or str(reference.get("reference", "")).startswith("Organization/")


def _statements(resource: Node) -> Iterator[Node]:
    for key in ("serviceProvider", "custodian", "managingOrganization"):
        if key in resource:
            yield {**resource[key], "type": "Organization"}
    performers = resource.get("performer", [])
    for performer in performers if isinstance(performers, list) else [performers]:
        if "onBehalfOf" in performer:
            yield performer["onBehalfOf"]
        yield performer.get("actor", performer)
    yield from resource.get("author", [])


def first(resource: Node, *keys: str) -> str:
    """Return the first of several dates that a resource has; a period counts by its start."""
    for key in keys:
        value = resource.get(key)
        if isinstance(value, dict):
            value = value.get("start") or value.get("end")
        if value:
            return str(value)
    return ""
