"""Who is one person: what a program links, what it leaves to a human, and what humans decide and take back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kangyun.base.database import Database
from kangyun.base.errors import Problem
from kangyun.commons.access import Gate, Handle, Write
from kangyun.commons.population import Ambiguous, beside, overtaken, person_of, prepare, register
from kangyun.commons.population.actions import link, merge, reject, undo, unlink, unmerge
from kangyun.commons.population.queries import placed
from kangyun.commons.population.tests.people import (
    ADDRESS,
    id_number,
    one_person,
    persons,
    resident,
    with_certificate,
)
from kangyun.commons.records import Store

AT_HOME = {"phone": "13905741234", "address": ADDRESS}


@pytest.fixture
async def handle(database: Database) -> Handle:
    async with database.connection() as connection:
        await connection.execute("TRUNCATE identity, candidate, resource, span, history, change, commit_once")
    return Gate(Store(database)).system("test")


async def waiting(handle: Handle) -> list[set[str]]:
    async with handle.connection() as connection:
        return [{one.first, one.second} for one in await placed.queue(connection)]


async def registered_at_once(handle: Handle, told: dict[str, Any], source: str) -> str:
    """As `register`, without the turns that would put callers within one process in order."""
    for attempt in range(20):
        found = await prepare(handle, told, source, attempt)
        try:
            await handle.commit(found.writes, beside=beside(found.arrivals))
        except Problem as problem:
            if not overtaken(problem):
                raise
        else:
            return found.patient
    raise AssertionError("it never came to its turn")


@pytest.mark.parametrize("number", [id_number("1956-03-04", 42), ""])
async def test_senders_racing_on_one_new_resident_make_one_person(handle: Handle, database: Database, number: str):
    handles = [Gate(Store(database)).system(f"process-{n}") for n in range(6)]
    for round_ in range(4):
        name = ("周秀兰", "吴桂英", "李建国", "郑克爽")[round_]
        born = f"195{round_}-03-04"
        told = [resident(f"R{round_}{n}", number and id_number(born, 42), name=name, birthDate=born, **AT_HOME) for n in range(6)]
        work = (registered_at_once(h, t, f"S{n}") for n, (h, t) in enumerate(zip(handles, told, strict=True)))
        ids = await asyncio.gather(*work)
        assert len(set(ids)) == 6
        assert await one_person(handle, *ids)


async def test_one_sender_racing_with_itself_makes_one_patient(database: Database, handle: Handle):
    handles = [Gate(Store(database)).system(f"process-{n}") for n in range(4)]
    told = [resident("R1"), resident("R1", id_number("1956-03-04", 42)), resident("", id_number("1956-03-04", 42)), resident("R1")]
    ids = await asyncio.gather(*(registered_at_once(h, t, "S") for h, t in zip(handles, told, strict=True)))
    kept = [await handle.read("Patient", one) for one in set(ids)]
    assert len([one for one in kept if one and one.get("active")]) == 1


async def test_a_person_without_id_number_is_known_by_name_birth_phone_and_address(handle: Handle):
    first = await register(handle, resident("A1", **AT_HOME), "A")
    second = await register(handle, resident("B1", **AT_HOME, name="周秀蘭"), "B")
    assert await one_person(handle, first, second)
    person = await person_of(handle, first)
    assert person is not None
    assert {one["assurance"] for one in person["link"]} == {"level2"}


async def test_the_same_name_and_birth_date_alone_is_a_question_for_a_human(handle: Handle):
    first = await register(handle, resident("A1"), "A")
    second = await register(handle, resident("B1"), "B")
    assert not await one_person(handle, first, second)
    assert await waiting(handle) == [{first, second}]


async def test_a_namesake_of_one_birth_date_and_village_is_a_question_until_something_else_agrees(handle: Handle):
    village = ADDRESS.removesuffix("3组12号")
    one = await register(handle, resident("M1", phone="13905741234", address=village), "a")
    other = await register(handle, resident("M2", phone="13705740001", address=ADDRESS), "b")
    assert not await one_person(handle, one, other)
    assert {one, other} in await waiting(handle)
    third = await register(handle, resident("M3", phone="13705740001", address=village), "c")
    assert await one_person(handle, other, third)


async def test_who_shares_the_telephone_of_somebody_at_ones_door_is_one_of_the_household(handle: Handle):
    village = ADDRESS.removesuffix("3组12号")
    child = await register(handle, resident("M1", name="周小燕", phone="13905741234", address=ADDRESS, birthDate="1990-05-06"), "a")
    one = await register(handle, resident("M2", phone="13705740001", address=ADDRESS), "a")
    other = await register(handle, resident("M3", phone="13905741234", address=village), "b")
    assert await one_person(handle, one, other)
    assert not await one_person(handle, one, child)


async def test_a_laboratory_knows_the_record_number_of_its_hospital(handle: Handle):
    first = await register(handle, resident("M7", id_number("1956-03-04", 42), **AT_HOME), "HIS")
    second = await register(handle, {**resident("M7"), "gender": "unknown"}, "LIS")
    assert await one_person(handle, first, second)


async def test_twins_stay_two(handle: Handle):
    birth = "2015-03-04"
    one = await register(handle, resident("A1", id_number(birth, 42), name="周小红", birthDate=birth, **AT_HOME), "A")
    other = await register(handle, resident("B1", id_number(birth, 44), name="周小兰", birthDate=birth, **AT_HOME), "B")
    unnumbered = await register(handle, resident("C1", name="周小兰", birthDate=birth, **AT_HOME), "C")
    assert not await one_person(handle, one, other)
    assert await one_person(handle, other, unnumbered)
    assert {one, other} not in await waiting(handle), "two ID numbers need no human to tell two people apart"


async def test_father_and_son_at_one_address_with_one_phone_stay_two(handle: Handle):
    father = await register(handle, resident("A1", name="周国强", gender="male", birthDate="1956-03-04", **AT_HOME), "A")
    son = await register(handle, resident("B1", name="周国强", gender="male", birthDate="1982-03-04", **AT_HOME), "B")
    assert not await one_person(handle, father, son)


async def test_an_id_number_that_another_person_uses_is_a_question(handle: Handle):
    number = id_number("1956-03-04", 42)
    owner = await register(handle, resident("A1", number, **AT_HOME), "A")
    other = await register(handle, resident("B1", number, name="吴桂英", birthDate="1960-01-02"), "B")
    assert not await one_person(handle, owner, other)
    assert await waiting(handle) == [{owner, other}]


async def test_a_phone_passed_to_another_person_links_nobody(handle: Handle):
    one = await register(handle, resident("A1", phone="13905741234"), "A")
    other = await register(handle, resident("B1", phone="13905741234", name="吴桂英", birthDate="1990-01-02"), "B")
    assert not await one_person(handle, one, other)
    assert await waiting(handle) == []


async def test_a_changed_name_keeps_the_person(handle: Handle):
    number = id_number("1956-03-04", 42)
    first = await register(handle, resident("A1", number, **AT_HOME), "A")
    second = await register(handle, resident("B1", number, **AT_HOME), "B")
    assert await register(handle, resident("A1", number, name="周兰", **AT_HOME), "A") == first
    assert await one_person(handle, first, second)
    person = await person_of(handle, first)
    assert person is not None
    assert person["name"][0]["text"] == "周兰"


async def test_a_changed_id_number_keeps_the_patient_and_what_knows_the_former_one_still_fits(handle: Handle):
    before, after = id_number("1956-03-04", 42), id_number("1956-03-04", 46)
    first = await register(handle, resident("A1", before, **AT_HOME), "A")
    other = await register(handle, resident("B1", before, **AT_HOME), "B")
    assert await register(handle, resident("A1", after, **AT_HOME), "A") == first
    assert await one_person(handle, first, other)
    patient = await handle.read("Patient", first)
    assert patient is not None
    assert {(one["value"], one.get("use")) for one in patient["identifier"]} >= {(before, "old"), (after, None)}


async def test_another_id_number_with_another_birth_is_no_change(handle: Handle):
    await register(handle, resident("A1", id_number("1956-03-04", 42)), "A")
    with pytest.raises(Ambiguous, match="another-number"):
        await register(handle, resident("A1", id_number("1980-05-06", 42)), "A")


async def test_a_record_number_given_to_another_person_is_refused(handle: Handle):
    await register(handle, resident("A1"), "A")
    with pytest.raises(Ambiguous, match="another-person"):
        await register(handle, resident("A1", name="吴桂英", birthDate="1990-01-02"), "A")


async def test_a_newborn_with_a_temporary_record_becomes_the_child_with_an_id_number(handle: Handle):
    birth, mother = "2026-10-01", {"url": "http://hl7.org/fhir/StructureDefinition/patient-mothersMaidenName", "valueString": "周秀兰"}
    child: dict[str, Any] = {"birthDate": birth, "gender": "male", "extension": [mother], **AT_HOME}
    at_birth = await register(handle, with_certificate(resident("NB1", name="周秀兰之子", **child)), "A")
    unnamed = await register(handle, resident("U1", name="周秀兰之子", **child), "D")
    assert not await one_person(handle, at_birth, unnamed), "it may be a twin"
    certified = await register(handle, with_certificate(resident("B9", name="周秀兰之子", **child)), "B")
    assert await one_person(handle, at_birth, certified)
    number = id_number(birth, 41)
    assert await register(handle, resident("NB1", number, name="吴明", **child), "A") == at_birth
    later = await register(handle, resident("C3", number, name="吴明", **child), "C")
    assert await one_person(handle, at_birth, certified, later)
    parent = await register(handle, resident("A7", **AT_HOME), "A")
    assert not await one_person(handle, at_birth, parent)


async def test_a_death_told_by_one_source_keeps_the_person(handle: Handle):
    number = id_number("1956-03-04", 42)
    first = await register(handle, resident("A1", number, **AT_HOME), "A")
    second = await register(handle, resident("B1", number, deceasedDateTime="2026-05-01", **AT_HOME), "B")
    assert await one_person(handle, first, second)


async def test_a_patient_that_bridges_two_persons_makes_them_one_unless_their_numbers_differ(handle: Handle):
    one = await register(handle, resident("A1", id_number("1956-03-04", 42)), "A")
    other = await register(handle, resident("B1", **AT_HOME), "B")
    assert not await one_person(handle, one, other)
    bridge = await register(handle, resident("C1", id_number("1956-03-04", 42), **AT_HOME), "C")
    assert await one_person(handle, one, other, bridge)
    stranger = await register(handle, resident("D1", id_number("1956-03-04", 48), **AT_HOME), "D")
    assert not await one_person(handle, stranger, bridge)


async def test_what_a_human_rejected_is_neither_linked_nor_asked_again(handle: Handle):
    first = await register(handle, resident("A1"), "A")
    second = await register(handle, resident("B1"), "B")
    await reject(handle, first, second, "steward")
    assert await waiting(handle) == []
    for source, mr in (("A", "A1"), ("B", "B1")):
        await register(handle, resident(mr, **AT_HOME), source)
    assert not await one_person(handle, first, second)
    assert await waiting(handle) == []


async def test_what_a_human_linked_stays_linked(handle: Handle):
    first = await register(handle, resident("A1", name="周秀兰"), "A")
    second = await register(handle, resident("B1", name="吴桂英", phone="13700000000"), "B")
    await link(handle, first, second, "steward")
    assert await one_person(handle, first, second)
    await register(handle, resident("B1", name="吴桂英", phone="13700000001"), "B")
    assert await one_person(handle, first, second)
    person = await person_of(handle, first)
    assert person is not None
    assert "level4" in {one["assurance"] for one in person["link"]}
    assert (await handle.search("Provenance", [("target", f"Person/{person['id']}")])).resources


async def test_an_unlinked_patient_gets_a_person_of_its_own_and_keeps_it(handle: Handle):
    number = id_number("1956-03-04", 42)
    ids = [await register(handle, resident(f"{source}1", number, **AT_HOME), source) for source in "ABC"]
    await unlink(handle, ids[0], "steward")
    assert await one_person(handle, *ids[1:])
    assert not await one_person(handle, *ids)
    await register(handle, resident("A1", number, phone="13999999999"), "A")
    assert not await one_person(handle, *ids)
    with pytest.raises(Problem):
        await unlink(handle, ids[0], "steward")


async def test_an_unmerge_gives_back_what_was_before_even_after_further_merges(handle: Handle):
    ids = [await register(handle, resident(f"{source}1", name=name, birthDate=f"19{n}0-01-02"), source)
           for n, (source, name) in enumerate(zip("ABC", ("周秀兰", "吴桂英", "李建国"), strict=True), 4)]
    one, two, three = await persons(handle, *ids)
    await merge(handle, one, two, "steward")
    await merge(handle, two, three, "steward")
    assert set(await persons(handle, *ids)) == {three}
    await unmerge(handle, one, "steward")
    assert await persons(handle, *ids) == [one, three, three]
    await unmerge(handle, two, "steward")
    assert await persons(handle, *ids) == [one, two, three]
    with pytest.raises(Problem):
        await unmerge(handle, two, "steward")


async def test_merging_what_is_merged_and_in_a_circle_changes_nothing(handle: Handle):
    ids = [await register(handle, resident(f"{source}1", name=name, birthDate=f"19{n}0-01-02"), source)
           for n, (source, name) in enumerate(zip("AB", ("周秀兰", "吴桂英"), strict=True), 4)]
    one, two = await persons(handle, *ids)
    for _ in range(2):
        await merge(handle, one, two, "steward")
    await merge(handle, two, one, "steward")
    assert await persons(handle, *ids) == [two, two]
    gone = await handle.read("Person", one)
    assert gone is not None
    assert gone["active"] is False
    assert gone["link"] == [{"target": {"reference": f"Person/{two}"}}]


async def test_a_link_is_taken_back(handle: Handle):
    first = await register(handle, resident("A1"), "A")
    second = await register(handle, resident("B1"), "B")
    before = await persons(handle, first, second)
    await link(handle, first, second, "steward")
    await undo(handle, first, second, "steward")
    assert await persons(handle, first, second) == before
    assert await waiting(handle) == []


async def test_a_deleted_patient_leaves_its_person(handle: Handle):
    from kangyun.base.reactions import Change
    from kangyun.commons.population.reactions import on_patient

    number = id_number("1956-03-04", 42)
    first = await register(handle, resident("A1", number), "A")
    second = await register(handle, resident("B1", number), "B")
    [person, _] = await persons(handle, first, second)
    await handle.commit([Write("delete", "Patient", id=first)])
    await on_patient(handle, Change(1, 1, 1, "Patient", first, 2, "delete"))
    kept = await handle.read("Person", person)
    assert kept is not None
    assert [one["target"]["reference"] for one in kept["link"]] == [f"Patient/{second}"]
