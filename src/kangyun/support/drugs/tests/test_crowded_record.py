"""A record full of readings from home: what the laboratory said last winter is still heard by the review."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.commons.access import Write
from kangyun.support.drugs.tests.city import City, Visit, line, opened, prescribe

# More mornings on the scale than all Observations of a review together.
_MORNINGS = 80


@pytest.fixture(scope="module")
async def city(services: Services) -> City:
    return await opened(services)


def _measured(visit: Visit, code: str, days_ago: int, value: float, unit: str) -> Write:
    at = clock.instant(clock.now() - timedelta(days=days_ago))
    return Write("create", "Observation", {
        "resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": f"Patient/{visit.patient}"}, "effectiveDateTime": at, "valueQuantity": {"value": value, "unit": unit}})


async def _kinds(city: City, visit: Visit) -> set[str]:
    """What the review finds in metformin, as the order entry asks it."""
    asked = prescribe(visit, line("metformin", dose=500, frequency="bid"), sign=False, diagnosis="E11")
    async with city.doctor() as doctor:
        answer = await doctor.post("/fhir/MedicationRequest/$check", json=asked)
    assert answer.status_code == 200, answer.text
    return {part["valueCode"] for finding in _parts(answer.json()) for part in finding if part["name"] == "kind"}


def _parts(told: dict[str, Any]) -> list[list[dict[str, Any]]]:
    return [one["part"] for one in told.get("parameter", ())]


async def test_a_scale_that_sends_every_day_does_not_hide_the_creatinine(city: City) -> None:
    visit = await city.visit()
    assert "renal-avoid" not in await _kinds(city, visit), "nothing is known of the kidney yet"
    await city.system.commit([_measured(visit, "29463-7", day, 61.5, "kg") for day in range(_MORNINGS)])
    await city.system.commit([_measured(visit, "14682-9", _MORNINGS + 20, 210, "umol/L")])
    assert "renal-avoid" in await _kinds(city, visit)


async def test_a_creatinine_that_is_too_old_says_nothing(city: City) -> None:
    visit = await city.visit()
    await city.system.commit([_measured(visit, "14682-9", 400, 210, "umol/L")])
    assert not {one for one in await _kinds(city, visit) if one.startswith("renal")}
