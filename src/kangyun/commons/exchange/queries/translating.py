"""Reads: what a code of one system is in others, by the ConceptMaps of the record."""

from __future__ import annotations

from typing import Any

from kangyun.commons.access import Handle, escaped
from kangyun.commons.exchange.decisions.coding import translations_of

_MOST = "200"


async def translations(handle: Handle, system: str, code: str, target: str = "") -> list[dict[str, str]]:
    """The codings that mean the same, with `system`, `code` and perhaps `display`; of one target system when it is named."""
    page = await handle.search("ConceptMap", [("source-code", escaped(code)), ("status", "active"), ("_count", _MOST)])
    found: list[dict[str, str]] = []
    for one in translations_of(page.resources).get((system, code), ()):
        if one not in found and target in {"", one["system"]}:
            found.append(one)
    return found


def parameters(found: list[dict[str, str]]) -> dict[str, Any]:
    """The answer of $translate (FHIR R4)."""
    matches = [
        {"name": "match", "part": [{"name": "equivalence", "valueCode": "equivalent"}, {"name": "concept", "valueCoding": one}]}
        for one in found
    ]
    return {"resourceType": "Parameters", "parameter": [{"name": "result", "valueBoolean": bool(found)}, *matches]}
