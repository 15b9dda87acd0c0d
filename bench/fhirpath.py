"""Microseconds that the search expressions of a Patient and an Observation take, and what compiling all of R4 takes.

Run: ``.venv/bin/python bench/fhirpath.py``. The figures are the best of many rounds, so that other work on the machine
does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from kangyun.base.fhir.definitions import load
from kangyun.base.fhir.fhirpath import compile_fast, compile_invariant

ROUNDS = 400
TURNS = 25

# Synthetic people only: about as much as a hospital's registration sends.
PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "li-na",
    "meta": {"versionId": "3", "lastUpdated": "2026-11-22T08:00:00.000Z"},
    "identifier": [
        {"system": "urn:oid:2.16.156.10011.1.3", "value": "990101198803140029"},
        {"use": "usual", "system": "urn:oid:2.16.156.10011.1.12", "value": "M00012345"},
    ],
    "active": True,
    "name": [{"use": "official", "text": "李娜", "family": "李", "given": ["娜"]}],
    "telecom": [
        {"system": "phone", "value": "990-5550-0199", "use": "mobile"},
        {"system": "email", "value": "li.na@yunzhou.example"},
    ],
    "gender": "female",
    "birthDate": "1988-03-14",
    "address": [
        {"use": "home", "text": "云州市青山区松柏路 8 号", "city": "云州市", "district": "青山区", "country": "CN"}
    ],
    "managingOrganization": {"reference": "Organization/yunzhou-1"},
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "glucose-1",
    "meta": {"versionId": "1", "lastUpdated": "2026-11-22T08:00:00.000Z"},
    "identifier": [{"system": "urn:oid:2.16.156.10011.1.99", "value": "R-1"}],
    "status": "final",
    "category": [
        {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}
    ],
    "code": {"coding": [{"system": "http://loinc.org", "code": "14749-6", "display": "葡萄糖"}], "text": "空腹血糖"},
    "subject": {"reference": "Patient/li-na"},
    "encounter": {"reference": "Encounter/e1"},
    "effectiveDateTime": "2026-11-22T07:30:00+08:00",
    "issued": "2026-11-22T08:10:00.000+08:00",
    "performer": [{"reference": "Organization/yunzhou-1"}],
    "valueQuantity": {"value": 5.6, "unit": "mmol/L", "system": "http://unitsofmeasure.org", "code": "mmol/L"},
    "referenceRange": [{"low": {"value": 3.9, "unit": "mmol/L"}, "high": {"value": 6.1, "unit": "mmol/L"}}],
}


def microseconds(work: Callable[[], object]) -> float:
    """The best time of one turn."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(TURNS):
            work()
        best = min(best, time.perf_counter() - start)
    return best / TURNS * 1e6


def search_line(resource: dict[str, Any]) -> str:
    """All search expressions of the resource's type."""
    name = resource["resourceType"]
    expressions = [found.expression for found in load().search_params[name].values() if found.expression]
    extracts = [compile_fast(expression, name) for expression in expressions]

    def work() -> None:
        for extract in extracts:
            extract(resource)

    return f"{name}: {len(extracts)} search expressions in {microseconds(work):.1f} µs"


def invariant_line(resource: dict[str, Any]) -> str:
    """All invariants that stand on the resource itself."""
    name = resource["resourceType"]
    invariants = [compile_invariant(found.expression, name) for found in load().types[name].constraints]

    def work() -> None:
        for invariant in invariants:
            invariant(resource)

    return f"{name}: {len(invariants)} invariants in {microseconds(work):.1f} µs"


def compile_line() -> str:
    """Every search expression of every type."""
    found = [
        (p.expression, name) for name, known in load().search_params.items() for p in known.values() if p.expression
    ]
    start = time.perf_counter()
    for expression, name in found:
        compile_fast(expression, name)
    return f"compile all {len(found)} search expressions in {(time.perf_counter() - start) * 1000:.0f} ms"


if __name__ == "__main__":
    for line in (
        *map(search_line, (PATIENT, OBSERVATION)),
        *map(invariant_line, (PATIENT, OBSERVATION)),
        compile_line(),
    ):
        print(line)
