"""Who somebody is stands sealed in the database, is found by keyed numbers, and is sealed anew while it is read and written."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.base.errors import Problem
from kangyun.base.fhir import json as fhir_json
from kangyun.base.keys import FileKeys, Unopenable, vault
from kangyun.base.sealing import Way, reseal, retire
from kangyun.commons.records import Store, Write
from kangyun.commons.records.actions.resealing import expect_sealed
from kangyun.commons.records.decisions import sealing
from kangyun.commons.records.decisions.index import blind
from kangyun.commons.records.model import SEALED_FOR, hash64, key_of
from kangyun.commons.records.tests.shelf import change, ids, put, rows

SYSTEM = "urn:oid:2.16.156.10011.1.3"
NUMBER = "990121195603040423"
PHONE = "13912345678"


def patient(id_: str = "zhou", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "Patient", "id": id_, "gender": "female",
        "identifier": [{"system": SYSTEM, "value": NUMBER}], "name": [{"text": "周秀兰"}],
        "telecom": [{"system": "phone", "value": PHONE}],
        "address": [{"text": "云州市东河县柳树镇青石村18号", "city": "云州市", "district": "东河县", "line": ["柳树镇青石村18号"]}],
        "managingOrganization": {"reference": "Organization/one", "display": "东河县医院"}, **more,
    }


def observation(id_: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": id_, "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "subject": {"reference": "Patient/zhou"}, **more}


@pytest.fixture(autouse=True)
async def empty(database: Database) -> None:
    async with database.connection() as connection:
        await connection.execute("TRUNCATE resource, history, span, change, sealing_pass")


@pytest.fixture
def own_keys(tmp_path: Path) -> FileKeys:
    keys = FileKeys(tmp_path / "keys")
    vault.use(keys)
    return keys


async def kept(database: Database, table: str = "resource") -> list[str]:
    async with database.connection() as connection:
        return [str(row) for row in await connection.fetch(f"SELECT t::text FROM {table} t")]


async def test_nothing_that_tells_who_somebody_is_stands_in_the_tables(database: Database) -> None:
    await put(database, [patient()])
    await change(database, patient(gender="male"))
    texts = [text for table in ("resource", "history", "span", "change") for text in await kept(database, table)]
    assert not [mark for mark in (NUMBER, PHONE, "青石村", "柳树镇", "东河县") for text in texts if mark in text]


async def test_what_was_written_is_read(database: Database) -> None:
    await put(database, [patient(multipleBirthBoolean=False)])
    (row,) = await rows(database, "Patient?_id=zhou")
    assert row.kept.startswith('{"sealed":"')
    assert '"gender":"female"' in row.kept
    assert "东河县医院" not in row.kept
    told = row.resource
    assert {name: value for name, value in told.items() if name != "meta"} == patient(multipleBirthBoolean=False)


@pytest.mark.parametrize("asked", [
    f"identifier={NUMBER}", f"identifier={SYSTEM}|{NUMBER}", f"identifier={SYSTEM}|", f"phone={PHONE}", f"telecom=phone|{PHONE}",
    "address=云州市", "address=青石村", "address-city=云州", "address:exact=云州市东河县柳树镇青石村18号", "name=周", "phone=139-1234-5678",
])  # fmt: skip
async def test_it_is_found(database: Database, asked: str) -> None:
    await put(database, [patient(), {"resourceType": "Patient", "id": "other", "address": [{"text": "云川市"}]}])
    assert await ids(database, f"Patient?{asked}") == ["zhou"]


async def test_an_id_number_cannot_be_tried_against_the_index(database: Database) -> None:
    await put(database, [patient()])
    async with database.connection() as connection:
        tokens = set(await connection.fetchval("SELECT tokens FROM resource"))
    seed = hash64("Patient.identifier")
    assert hash64(f"{SYSTEM}|{NUMBER}") ^ seed not in tokens
    assert blind.number(f"{SYSTEM}|{NUMBER}") ^ seed in tokens


@pytest.mark.parametrize(("more", "sealed"), [
    ({}, False),
    ({"valueString": f"回拨{PHONE}"}, True),
    ({"note": [{"text": f"身份证 {NUMBER}。"}]}, True),
    ({"subject": {"reference": "Patient/zhou", "identifier": {"value": NUMBER}}}, True),
    ({"contained": [{"resourceType": "Patient", "id": "p", "address": [{"text": "青石村"}]}]}, True),
    ({"identifier": [{"value": "2.16.156.10011.1.3.13912345678"}]}, False),
    ({"identifier": [{"value": "LAB-2026-000000139123456789"}]}, False),
    ({"valueInteger": 1391234567}, False),
])  # fmt: skip
async def test_other_resources_are_sealed_when_they_say_it_too(database: Database, more: dict[str, Any], sealed: bool) -> None:
    await put(database, [observation("o", **more)])
    (row,) = await rows(database, "Observation?code=8867-4")
    assert row.kept.startswith('{"sealed":') is sealed
    assert row.resource["status"] == "final"


async def test_what_is_sealed_can_be_sorted_by_its_codes_but_not_by_numbers(database: Database) -> None:
    await put(database, [patient("b"), patient("a", gender="male"), patient("c", gender="female", active=True)])
    assert await ids(database, "Patient?_sort=-gender") == ["a", "b", "c"] or await ids(database, "Patient?_sort=-gender") == ["a", "c", "b"]
    for code in ("identifier", "phone", "address"):
        with pytest.raises(Problem):
            await ids(database, f"Patient?_sort={code}")


async def test_a_sealed_text_opens_under_its_own_name_alone(database: Database) -> None:
    await put(database, [patient("a"), patient("b")])
    async with database.connection() as connection:
        await connection.execute("UPDATE resource SET body = (SELECT body FROM resource WHERE id = 'a') WHERE id = 'b'")
    (row,) = await rows(database, "Patient?_id=b")
    with pytest.raises(Problem) as caught:
        assert row.body
    assert caught.value.status == 503


async def test_an_older_record_is_found_before_and_after_it_is_sealed(database: Database, own_keys: FileKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    async with database.connection() as connection:
        with monkeypatch.context() as older:
            older.setattr(sealing, "kept", lambda resource, id_, body: body)
            older.setattr(blind, "number", hash64)
            older.setattr(blind, "veiled", lambda lexeme: lexeme)
            await put(database, [patient(), observation("o")])
            await change(database, patient(gender="male"))
        await expect_sealed(connection, own_keys)
        await _everything_is_found(database)
        own_keys.current(SEALED_FOR, clock.now())
        later(10)
        done = await reseal(database, own_keys, SEALED_FOR)
        assert done is not None
        assert (done.seen, done.renewed) == (3, 3)
        await _everything_is_found(database)
        await expect_sealed(connection, own_keys)
    await _everything_is_found(database)
    texts = [text for table in ("resource", "history") for text in await kept(database, table)]
    assert not [text for text in texts if NUMBER in text or "青石村" in text]
    assert await reseal(database, own_keys, SEALED_FOR) is None


async def _everything_is_found(database: Database) -> None:
    for asked in (f"identifier={NUMBER}", f"phone={PHONE}", "address=青石村", "gender=male"):
        assert await ids(database, f"Patient?{asked}") == ["zhou"]


async def test_a_key_is_changed_while_the_record_is_read_and_written(database: Database, own_keys: FileKeys) -> None:
    store = Store(database)
    names = [f"p{number}" for number in range(150)]
    await put(database, [patient(name) for name in names])
    async with database.connection() as connection:
        await expect_sealed(connection, own_keys)
    first = own_keys.current(SEALED_FOR, clock.now())[0]
    own_keys.rotate(SEALED_FOR)
    later(10)
    stop = asyncio.Event()
    load = [asyncio.create_task(one) for one in (_read(store, names, stop), _write(store, names, stop), _write(store, names[::-1], stop))]
    try:
        done = await reseal(database, own_keys, SEALED_FOR, Way(rest=0.0))
    finally:
        stop.set()
        written = sum(await asyncio.gather(*load))
    assert done is not None
    assert done.renewed > 0
    assert written > 0
    while await retire(database, own_keys, SEALED_FOR) is None:
        pass
    assert first not in own_keys.folder.joinpath(f"seal.{SEALED_FOR}.json").read_text()
    for name in names:
        page = await store.versions("Patient", name, {})
        assert len({version.resource["gender"] for version in page.versions}) >= 1


async def _read(store: Store, names: list[str], stop: asyncio.Event) -> int:
    while not stop.is_set():
        for name in names:
            found = await store.fetch("Patient", name)
            assert found is not None
            assert found.resource["telecom"][0]["value"] == PHONE
    return 0


async def _write(store: Store, names: list[str], stop: asyncio.Event) -> int:
    count = 0
    while not stop.is_set():
        for at in range(0, len(names), 5):
            await store.write([Write("update", "Patient", patient(name, gender="male"), id=name) for name in names[at : at + 5]])
            count += 5
    return count


async def test_a_pass_that_was_killed_goes_on_where_it_stopped(database: Database, own_keys: FileKeys) -> None:
    await put(database, [patient(f"p{number}") for number in range(250)])
    async with database.connection() as connection:
        await expect_sealed(connection, own_keys)
    own_keys.rotate(SEALED_FOR)
    later(10)

    def killed(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await reseal(database, own_keys, SEALED_FOR, Way(killed))
    seen: list[int] = []
    done = await reseal(database, own_keys, SEALED_FOR, Way(lambda progress: seen.append(progress.seen), rest=0.0))
    assert done is not None
    assert done.renewed == 250
    assert seen[0] == 200


async def test_without_its_keys_the_record_does_not_open(database: Database, tmp_path: Path) -> None:
    await put(database, [patient()])
    (row,) = await rows(database, "Patient?_id=zhou")
    vault.use(FileKeys(tmp_path / "stolen"))
    with pytest.raises(Problem):
        assert row.body
    assert await ids(database, f"Patient?identifier={NUMBER}") == []


def later(seconds: float) -> None:
    clock.set_source(lambda: datetime.now(UTC) + timedelta(seconds=seconds))


def test_a_changed_seal_is_noticed() -> None:
    body = fhir_json.dumps(patient()).decode()
    text = sealing.kept(patient(), "zhou", body)
    sealed = text.split('"')[3]
    other = sealed[:-8] + ("A" if sealed[-8] != "A" else "B") + sealed[-7:]
    with pytest.raises(Unopenable):
        vault.opened(SEALED_FOR, other, "Patient/zhou")
    assert vault.opened(SEALED_FOR, sealed, "Patient/zhou") == body
    assert key_of("Patient", "zhou") != 0
