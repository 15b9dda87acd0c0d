"""What the search answers, for the CapabilityStatement."""

from __future__ import annotations

from typing import Any

from kangyun.base.fhir import definitions
from kangyun.commons.records.decisions.index.parameters import Parameter, parameters
from kangyun.commons.records.queries.search.filters import REFUSED, modifiers
from kangyun.commons.records.queries.search.parse import TOTALS
from kangyun.commons.records.queries.search.query import MOST_ROWS
from kangyun.commons.records.queries.search.syntax import PREFIXES


def supported() -> dict[str, Any]:
    """What is true of the search.

    `types`: resource type -> {`params`: [{name, type, definition, modifiers}], `include`: [...], `revinclude`: [...]}.
    `results`: the parameters that shape the answer. `refused`: filters of R4 that are answered with 400.
    """
    return {
        "types": {name: _type(name) for name in sorted(definitions.load().resources)},
        "prefixes": list(PREFIXES),
        "results": ["_sort", "_count", "_total", "_include", "_revinclude", "_has", "_list", "_type"],
        "totals": list(TOTALS),
        "most_rows": MOST_ROWS,
        "refused": sorted(REFUSED),
        "chains": True,
    }


def _type(name: str) -> dict[str, Any]:
    answered = [parameter for parameter in parameters(name).values() if parameter.indexed]
    references = [parameter.code for parameter in answered if parameter.kind == "reference"]
    return {
        "params": [_parameter(parameter) for parameter in answered],
        "include": ["*", *(f"{name}:{code}" for code in references)],
        "revinclude": ["*", *_revincludes(name)],
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    definition = definitions.load().search_params[parameter.type][parameter.code]
    own = [] if parameter.code in {"_id", "_lastUpdated"} else modifiers(parameter.kind)
    repeated = any(pairing.slot for pairing in parameter.pairings)
    return {
        "name": parameter.code,
        "type": parameter.kind,
        "definition": definition.url,
        "modifiers": [modifier for modifier in own if not (repeated and modifier == "missing")],
    }


def _revincludes(target: str) -> list[str]:
    return [
        f"{source}:{parameter.code}"
        for source in sorted(definitions.load().resources)
        for parameter in parameters(source).values()
        if parameter.kind == "reference" and (target in parameter.targets or not parameter.targets)
    ]
