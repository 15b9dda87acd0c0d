"""ValueSet and CodeSystem -> enumerated code sets."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from kangyun.base.fhir.compile.source import Json, Package
from kangyun.base.fhir.definitions import CodeTable

# Their codes are grammars or grow without us, so a published list proves nothing about a code that is not on it.
OPEN_SYSTEMS = {"http://unitsofmeasure.org", "urn:ietf:bcp:13", "urn:ietf:bcp:47"}
# A larger list belongs into a terminology service, not into every process.
LARGEST = 2000

Codes = set[tuple[str, str]]


def code_table(package: Package) -> CodeTable:
    """Every value set that can be enumerated, from the official expansions, else from its own composition."""
    systems = {s["url"]: s for s in package.all("CodeSystem")}
    sets: dict[str, Codes] = {}
    for valueset in package.all("ValueSet"):
        codes = _composed(valueset, systems)
        if codes:
            sets[valueset["url"]] = codes
    for valueset in package.bundle("valueset-expansions"):
        if not _open(valueset):
            sets[valueset["url"]] = set(_listed(valueset["expansion"].get("contains", [])))
    return _numbered({url: codes for url, codes in sets.items() if 0 < len(codes) <= LARGEST})


def _open(valueset: Json) -> bool:
    parts: list[Json] = valueset.get("compose", {}).get("include", [])
    return any(part.get("system") in OPEN_SYSTEMS and "concept" not in part for part in parts)


def _listed(entries: list[Json]) -> Iterator[tuple[str, str]]:
    for entry in entries:
        if not entry.get("abstract"):
            yield entry.get("system", ""), entry["code"]
        yield from _listed(entry.get("contains", []))


def _composed(valueset: Json, systems: dict[str, Json]) -> Codes | None:
    """Codes of a composition of whole systems and listed concepts; None when it filters or is open."""
    compose: Json = valueset.get("compose", {})
    if compose.get("exclude"):
        return None
    codes: Codes = set()
    for part in compose.get("include", ()):
        more = _included(part, systems)
        if more is None:
            return None
        codes |= more
    return codes


def _included(part: Json, systems: dict[str, Json]) -> Codes | None:
    if "filter" in part or "valueSet" in part:
        return None
    system: str = part["system"]
    if "concept" in part:
        return {(system, c["code"]) for c in part["concept"]}
    known = systems.get(system)
    if known is None or known["content"] != "complete":
        return None
    return {(system, code) for code in _concepts(known.get("concept", []))}


def _concepts(concepts: list[Json]) -> Iterator[str]:
    for concept in concepts:
        yield concept["code"]
        yield from _concepts(concept.get("concept", []))


def _numbered(sets: dict[str, Codes]) -> CodeTable:
    systems = sorted({system for codes in sets.values() for system, _ in codes})
    numbers = {system: n for n, system in enumerate(systems)}
    table: dict[str, msgspec.Raw] = {}
    for url, codes in sorted(sets.items()):
        groups: dict[int, list[str]] = {}
        for system, code in sorted(codes):
            groups.setdefault(numbers[system], []).append(code)
        table[url] = msgspec.Raw(msgspec.msgpack.encode(groups))
    return CodeTable(tuple(systems), table)
