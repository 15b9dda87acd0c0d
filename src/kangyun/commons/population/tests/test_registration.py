from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kangyun.base.database import Database
from kangyun.commons.access import Gate, Handle
from kangyun.commons.population import Ambiguous, beside, identities, person_of, persons_of, prepare_merge, register
from kangyun.commons.population.decisions.residents import id_check_digit
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


async def persons(handle: Handle, *patients: str) -> list[str]:
    """The Person of each Patient."""
    found = await persons_of(handle, patients)
    return [str(found[one]["id"]) for one in patients]


async def held(handle: Handle, value: str) -> list[dict[str, Any]]:
    return (await handle.search("Patient", [("identifier", value)])).resources


async def test_each_sender_keeps_its_own_patient_and_one_person_stands_above_them(handle: Handle):
    first = await register(handle, patient(("urn:a", "A1")), "A")
    assert await register(handle, patient(("urn:a", "A1"), (ID_NUMBER_SYSTEM, ID)), "A") == first
    second = await register(handle, patient((ID_NUMBER_SYSTEM, ID), ("urn:b", "B1")), "B")
    assert second != first
    assert await register(handle, patient(("urn:b", "B1")), "B") == second
    [one, other] = await persons(handle, first, second)
    assert one == other
    assert set(await identities(handle, second)) == {first, second}
    person = await person_of(handle, first)
    assert person is not None
    assert {link["assurance"] for link in person["link"]} == {"level3"}
    assert {number["value"] for number in person["identifier"]} == {"A1", "B1", ID}


async def test_what_is_no_news_writes_no_version(handle: Handle):
    known = patient(("urn:a", "N1"))
    id_ = await register(handle, known, "A")
    await register(handle, known, "A")
    assert (await handle.history("Patient", id_))[0]["meta"]["versionId"] == "1"


async def test_fifteen_digits_are_the_same_person(handle: Handle):
    first = await register(handle, patient((ID_NUMBER_SYSTEM, "11010519491231002X"), birthDate="1949-12-31"), "A")
    assert await register(handle, patient((ID_NUMBER_SYSTEM, "110105491231002"), birthDate="1949-12-31"), "A") == first
    other = await register(handle, patient((ID_NUMBER_SYSTEM, "110105491231002"), birthDate="1949-12-31"), "B")
    [one, same] = await persons(handle, first, other)
    assert one == same


async def test_two_connections_with_one_new_resident_make_one(database: Database):
    # Each with its own store, as two processes have.
    handles = [Gate(Store(database)).system(str(n)) for n in range(6)]
    told = [patient((ID_NUMBER_SYSTEM, "440524188001010014"), (f"urn:{n}", f"R{n}")) for n in range(6)]
    ids = await asyncio.gather(*(register(h, p, "A") for h, p in zip(handles, told, strict=True)))
    assert len(set(ids)) == 1
    assert len((await held(handles[0], "440524188001010014"))[0]["identifier"]) == 7


async def test_senders_racing_in_several_stores_with_one_new_resident_make_one_person(database: Database):
    handles = [Gate(Store(database)).system(str(n)) for n in range(6)]
    for year in range(1950, 1956):
        number = f"990121{year}0304042"
        number += id_check_digit(number)
        told = [patient((ID_NUMBER_SYSTEM, number), (f"urn:{n}", f"P{year}"), birthDate=f"{year}-03-04") for n in range(6)]
        ids = await asyncio.gather(*(register(h, p, f"S{n}") for n, (h, p) in enumerate(zip(handles, told, strict=True))))
        assert len(set(ids)) == 6
        assert len(set(await persons(handles[0], *ids))) == 1


async def test_identifiers_of_two_residents_of_a_sender_are_ambiguous(handle: Handle):
    await register(handle, patient(("urn:a", "X1"), birthDate="1950-01-01"), "A")
    await register(handle, patient(("urn:a", "Y1"), birthDate="1980-01-01"), "A")
    with pytest.raises(Ambiguous, match="two-residents"):
        await register(handle, patient(("urn:a", "X1"), ("urn:a", "Y1"), birthDate="1980-01-01"), "A")


async def test_a_record_number_with_another_id_number_is_ambiguous(handle: Handle):
    await register(handle, patient(("urn:a", "Z1"), (ID_NUMBER_SYSTEM, "99012119900101001X")), "A")
    with pytest.raises(Ambiguous):
        await register(handle, patient(("urn:a", "Z1"), (ID_NUMBER_SYSTEM, "990121199001010028")), "A")


async def test_a_newborn_gets_the_id_number_that_another_ward_knows(handle: Handle):
    baby = {"birthDate": "2026-10-01", "gender": "male"}
    nameless = await register(handle, patient(("urn:a", "NB1"), **baby, name=[{"text": "周秀兰之子"}]), "A")
    named = await register(handle, patient((ID_NUMBER_SYSTEM, "990121202610010019"), **baby), "A")
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
        merge = await prepare_merge(handle, patient(("urn:m", "M1")), patient(("urn:m", "M9"))["identifier"], "M")
        await handle.commit(merge.writes, beside=beside(merge.arrivals))
    old = await handle.read("Patient", gone)
    assert old is not None
    assert old["active"] is False
    assert old["link"] == [{"other": {"reference": f"Patient/{survivor}"}, "type": "replaced-by"}]
    assert await register(handle, patient(("urn:m", "M9")), "M") == survivor
    kept = await handle.read("Patient", survivor)
    assert kept is not None
    assert kept["link"] == [{"other": {"reference": f"Patient/{gone}"}, "type": "replaces"}]
    assert [one["value"] for one in kept["identifier"]] == ["M1", "M9"]
    assert len(set(await persons(handle, survivor, gone))) == 1


async def test_an_unknown_old_number_leads_to_the_survivor_too(handle: Handle):
    merge = await prepare_merge(handle, patient(("urn:m", "K1")), patient(("urn:m", "K9"))["identifier"], "M")
    await handle.commit(merge.writes, beside=beside(merge.arrivals))
    assert await register(handle, patient(("urn:m", "K9")), "M") == merge.patient


async def test_two_people_are_never_merged(handle: Handle):
    await register(handle, patient(("urn:m", "P1"), (ID_NUMBER_SYSTEM, "99012119850101001X")), "M")
    await register(handle, patient(("urn:m", "P2"), (ID_NUMBER_SYSTEM, "990121198501010028")), "M")
    with pytest.raises(Ambiguous):
        await prepare_merge(handle, patient(("urn:m", "P1")), patient(("urn:m", "P2"))["identifier"], "M")
