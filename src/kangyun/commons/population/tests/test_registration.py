from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kangyun.base.database import Database
from kangyun.commons.access import Gate, Handle, Write
from kangyun.commons.population import Ambiguous, prepare_merge, register
from kangyun.commons.population.model import ID_NUMBER_SYSTEM
from kangyun.commons.records import Store

ID = "990121195603040423"


@pytest.fixture
def handle(database: Database) -> Handle:
    return Gate(Store(database)).system("test")


def patient(*identifiers: tuple[str, str], **more: Any) -> dict[str, Any]:
    typed = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
    numbers = [
        {"system": system, "value": value} if system == ID_NUMBER_SYSTEM else {"system": system, "value": value, "type": typed}
        for system, value in identifiers
    ]
    return {"identifier": numbers, "birthDate": "1956-03-04", "gender": "female", "name": [{"text": "周秀兰"}], **more}


async def held(handle: Handle, value: str) -> list[dict[str, Any]]:
    return (await handle.search("Patient", [("identifier", value)])).resources


async def test_a_resident_is_registered_once_by_all_their_identifiers(handle: Handle):
    first = await register(handle, patient(("urn:a", "A1")), "A")
    assert await register(handle, patient(("urn:a", "A1"), (ID_NUMBER_SYSTEM, ID)), "A") == first
    assert await register(handle, patient((ID_NUMBER_SYSTEM, ID), ("urn:b", "B1")), "B") == first
    found = await held(handle, "B1")
    assert [one["id"] for one in found] == [first]
    assert len(found[0]["identifier"]) == 3


async def test_what_is_no_news_writes_no_version(handle: Handle):
    known = patient(("urn:a", "N1"))
    id_ = await register(handle, known, "A")
    await register(handle, known, "A")
    assert (await handle.history("Patient", id_))[0]["meta"]["versionId"] == "1"


async def test_fifteen_digits_are_the_same_person(handle: Handle):
    first = await register(handle, patient((ID_NUMBER_SYSTEM, "11010519491231002X")), "A")
    assert await register(handle, patient((ID_NUMBER_SYSTEM, "110105491231002")), "B") == first


async def test_two_connections_with_one_new_resident_make_one(database: Database):
    # Each with its own store, as two processes have.
    handles = [Gate(Store(database)).system(str(n)) for n in range(6)]
    told = [patient((ID_NUMBER_SYSTEM, "440524188001010014"), (f"urn:{n}", f"R{n}")) for n in range(6)]
    ids = await asyncio.gather(*(register(h, p, "A") for h, p in zip(handles, told, strict=True)))
    assert len(set(ids)) == 1
    assert len((await held(handles[0], "440524188001010014"))[0]["identifier"]) == 7


async def test_a_race_with_a_fhir_client_makes_one(database: Database):
    store = Store(database)
    handle = Gate(store).system("v2")
    for n in range(8):
        number = f"990121{1950 + n}0304042"
        from kangyun.commons.population.decisions.residents import id_check_digit

        number += id_check_digit(number)
        condition = f"identifier={ID_NUMBER_SYSTEM}|{number}"
        resource = {"resourceType": "Patient", **patient((ID_NUMBER_SYSTEM, number))}
        fhir = Write("create", "Patient", resource, condition=condition)
        await asyncio.gather(handle.commit([fhir]), register(handle, patient((ID_NUMBER_SYSTEM, number), ("urn:r", f"r{n}")), "A"))
        assert len(await held(handle, number)) == 1


async def test_identifiers_of_two_residents_are_ambiguous(handle: Handle):
    await register(handle, patient(("urn:a", "X1"), birthDate="1950-01-01"), "A")
    await register(handle, patient(("urn:b", "Y1"), birthDate="1980-01-01"), "B")
    with pytest.raises(Ambiguous):
        await register(handle, patient(("urn:a", "X1"), ("urn:b", "Y1"), birthDate="1980-01-01"), "B")


async def test_a_record_number_with_another_id_number_is_ambiguous(handle: Handle):
    await register(handle, patient(("urn:a", "Z1"), (ID_NUMBER_SYSTEM, "99012119900101001X")), "A")
    with pytest.raises(Ambiguous):
        await register(handle, patient(("urn:a", "Z1"), (ID_NUMBER_SYSTEM, "990121199001010028")), "A")


async def test_a_newborn_gets_the_id_number_that_another_hospital_knows(handle: Handle):
    baby = {"birthDate": "2026-10-01", "gender": "male"}
    nameless = await register(handle, patient(("urn:a", "NB1"), **baby, name=[{"text": "周秀兰之子"}]), "A")
    named = await register(handle, patient((ID_NUMBER_SYSTEM, "990121202610010019"), **baby), "B")
    both = patient(("urn:a", "NB1"), (ID_NUMBER_SYSTEM, "990121202610010019"), **baby)
    assert await register(handle, both, "A") == named
    old = await handle.read("Patient", nameless)
    assert old is not None
    assert old["active"] is False
    assert await register(handle, patient(("urn:a", "NB1"), **baby), "A") == named


async def test_a_merge_leads_later_messages_to_the_survivor(handle: Handle):
    survivor = await register(handle, patient(("urn:m", "M1")), "M")
    gone = await register(handle, patient(("urn:m", "M9")), "M")
    for _ in range(2):
        merge = await prepare_merge(handle, patient(("urn:m", "M1")), patient(("urn:m", "M9"))["identifier"])
        await handle.commit(merge.writes)
    old = await handle.read("Patient", gone)
    assert old is not None
    assert old["active"] is False
    assert old["link"] == [{"other": {"reference": f"Patient/{survivor}"}, "type": "replaced-by"}]
    assert await register(handle, patient(("urn:m", "M9")), "M") == survivor
    kept = await handle.read("Patient", survivor)
    assert kept is not None
    assert kept["link"] == [{"other": {"reference": f"Patient/{gone}"}, "type": "replaces"}]
    assert [one["value"] for one in kept["identifier"]] == ["M1", "M9"]


async def test_an_unknown_old_number_leads_to_the_survivor_too(handle: Handle):
    merge = await prepare_merge(handle, patient(("urn:m", "K1")), patient(("urn:m", "K9"))["identifier"])
    await handle.commit(merge.writes)
    assert await register(handle, patient(("urn:m", "K9")), "M") == merge.patient


async def test_two_people_are_never_merged(handle: Handle):
    await register(handle, patient(("urn:m", "P1"), (ID_NUMBER_SYSTEM, "99012119850101001X")), "M")
    await register(handle, patient(("urn:m", "P2"), (ID_NUMBER_SYSTEM, "990121198501010028")), "M")
    with pytest.raises(Ambiguous):
        await prepare_merge(handle, patient(("urn:m", "P1")), patient(("urn:m", "P2"))["identifier"])
