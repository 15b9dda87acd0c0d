"""Enrolment: an institution's own Patient for a person whom the region knows."""

from __future__ import annotations

import asyncio

import pytest

from kangyun.app.services import Services
from kangyun.base.errors import Problem
from kangyun.commons.access import Handle, Write
from kangyun.commons.population import ID_NUMBER_SYSTEM, patient_at, person_of, register

KNOWN = {
    "resourceType": "Patient", "identifier": [{"system": ID_NUMBER_SYSTEM, "value": "990106195803041246"}],
    "name": [{"text": "林秀英"}], "gender": "female", "birthDate": "1958-03-04",
}


@pytest.fixture(scope="module")
async def handle(services: Services) -> Handle:
    handle = services.gate.system("test")
    await handle.commit([
        Write("update", "Organization", {"resourceType": "Organization", "id": one, "name": one}, one) for one in ("river", "hill")
    ])
    return handle


async def test_all_who_ask_get_one_patient_under_the_same_person(handle: Handle) -> None:
    first = await register(handle, KNOWN, "somebody")
    person = str((await person_of(handle, first) or {})["id"])
    ids = set(await asyncio.gather(*(patient_at(handle, person, "river") for _ in range(5))))
    assert len(ids) == 1
    assert ids != {first}
    made = await handle.read("Patient", ids.pop())
    assert made
    assert made["managingOrganization"]["reference"] == "Organization/river"
    assert made["birthDate"] == "1958-03-04"
    above = await person_of(handle, str(made["id"]))
    assert above
    assert above["id"] == person


async def test_the_patient_that_an_institution_has_is_the_one(handle: Handle) -> None:
    first = await register(handle, {**KNOWN, "identifier": [{"system": ID_NUMBER_SYSTEM, "value": "990106196001011228"}], "name": [{"text": "赵桂兰"}],
                                    "birthDate": "1960-01-01", "managingOrganization": {"reference": "Organization/hill"}}, "hill")
    person = str((await person_of(handle, first) or {})["id"])
    assert await patient_at(handle, person, "hill") == first


async def test_nobody_is_enrolled_for_a_person_who_is_none(handle: Handle) -> None:
    with pytest.raises(Problem) as refused:
        await patient_at(handle, "nobody", "hill")
    assert refused.value.status == 404
