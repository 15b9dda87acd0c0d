"""The search index finds its values by paths of its own; FHIRPath is the plain reading that it must agree with."""

from __future__ import annotations

import functools
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from kangyun.base.fhir.definitions import load
from kangyun.base.fhir.fhirpath import compile_fast
from kangyun.commons.records.decisions.index import paths, tree

EXAMPLES = Path(__file__).parents[2] / "node_modules" / "hl7.fhir.r4.examples"
EVERY = 25


def by_index(expression: str, resource: dict[str, Any]) -> Counter[str] | None:
    """Typed values by the index's paths; None where these judge values later or are no plain paths."""
    try:
        found = followed(expression, resource["resourceType"])
    except paths.UnknownShapeError:
        return None
    if any(one.target or any(isinstance(step, paths.Guard) for step in one.steps) for one in found):
        return None
    return Counter(str((one.type, value)) for one in found for value in tree.values(one, resource) if value is not None)


compiled = functools.cache(compile_fast)
followed = functools.cache(lambda expression, name: paths.follow(expression, paths.Path((), name)))


def by_fhirpath(expression: str, resource: dict[str, Any]) -> Counter[str]:
    return Counter(map(str, compiled(expression, resource["resourceType"])(resource)))


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the official examples are not installed (make setup)")
def test_the_index_reads_what_fhirpath_reads() -> None:
    compared = 0
    for file in sorted(EXAMPLES.glob("[A-Z]*.json"))[::EVERY]:
        resource = json.loads(file.read_text(), parse_float=Decimal)
        for parameter in load().search_params.get(resource["resourceType"], {}).values():
            expected = by_index(parameter.expression, resource) if parameter.expression else None
            if expected is not None and parameter.expression:
                compared += 1
                assert by_fhirpath(parameter.expression, resource) == expected, (file.name, parameter.url)
    assert compared > 1000
