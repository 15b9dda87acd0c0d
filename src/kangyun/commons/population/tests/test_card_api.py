"""Terminals over HTTP: codes are read once in whatever process, answers are masked, refusals are clear in both languages."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from kangyun.app.services import Services, assemble
from kangyun.app.web import build
from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.base.database.connection import open_pool
from kangyun.base.settings import Settings
from kangyun.commons.population.actions.cards import Cards
from kangyun.commons.population.actions.residents import register
from kangyun.commons.population.model import ID_NUMBER_SYSTEM
from kangyun.commons.population.queries.card import Card

PLACE = {"step": "010101", "terminal": "T-01", "channel": "01"}
NUMBER = "990101199001011018"


@pytest.fixture(scope="module")
def cards(services: Services) -> Cards:
    return Cards(services.gate.system("test"), services.keys)


@pytest.fixture(scope="module")
async def card(cards: Cards) -> Card:
    patient = {
        "resourceType": "Patient", "name": [{"text": "周秀兰"}], "gender": "female", "birthDate": "1990-01-01",
        "identifier": [{"system": ID_NUMBER_SYSTEM, "value": NUMBER}],
    }
    return await cards.issue(await register(cards.handle, patient, "his"), "240517")


@pytest.fixture(scope="module")
async def other_process(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A second process of the same installation: nothing is shared with the first but the database and the key folder."""
    database = Database(services.database.dsn, open_pool(services.database.dsn, 4, 30), None)
    own = assemble(services.settings, database)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(build(own, {})), base_url="http://other.test") as client:
        yield client
    await database.close()


@pytest.fixture(scope="module")
async def terminal(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """A terminal that may scan and see no more than it must."""
    settings = Settings(data=services.settings.data, access_local_role="terminal")
    own = replace(services, settings=settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(build(own, {})), base_url="http://terminal.test") as client:
        yield client


async def test_a_terminal_recognises_a_person(api: httpx.AsyncClient, cards: Cards, card: Card):
    code = (await cards.dynamic_code(card)).text
    answer = await api.post("/card/scan", json={"code": code, **PLACE})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["person"]["name"], told["person"]["idNumber"], told["card"]["way"]) == ("周秀兰", NUMBER, "dynamic")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_terminal_without_the_right_sees_no_more_than_it_must(terminal: httpx.AsyncClient, cards: Cards, card: Card):
    answer = await terminal.post("/card/scan", json={"code": (await cards.dynamic_code(card)).text, **PLACE})
    told = answer.json()["person"]
    assert (told["name"], told["birthDate"], told["idNumber"]) == ("周*兰", "1990", "990********1018")
    assert NUMBER not in answer.text
    assert (await terminal.get("/clinician/")).status_code == 403


async def test_a_code_is_read_once_in_whatever_process(
    api: httpx.AsyncClient, other_process: httpx.AsyncClient, cards: Cards, card: Card,
):
    body = {"code": (await cards.dynamic_code(card)).text, **PLACE}
    assert (await api.post("/card/scan", json=body)).status_code == 200
    again = await other_process.post("/card/scan", json=body)
    assert again.status_code == 409
    issue = again.json()["issue"][0]
    assert issue["diagnostics"] == "population.card-used"
    assert "已经用过" in issue["details"]["text"]
    english = await other_process.post("/card/scan", json=body, headers={"accept-language": "en"})
    assert "used before" in english.json()["issue"][0]["details"]["text"]


_PROGRAM = """
import asyncio, sys
from pathlib import Path
from kangyun.base import rules
from kangyun.base.database import Database
from kangyun.base.database.connection import open_pool
from kangyun.base.errors import Problem
from kangyun.base.keys import FileKeys, vault
from kangyun.commons.access import Gate
from kangyun.commons.population.actions.card_scan import Reading, scan
from kangyun.commons.population.actions.cards import Cards
from kangyun.commons.records import Store

async def main(dsn, keys, code):
    database = Database(dsn, open_pool(dsn, 2, 30), None)
    vault.use(FileKeys(Path(keys)))
    cards = Cards(Gate(Store(database)).system("terminal"), FileKeys(Path(keys)))
    try:
        await scan(cards, Reading(code, "010101", "T-02", "02"))
        print("let through")
    except Problem as problem:
        print(problem.issues[0].key)
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_of_processes_that_read_one_code_at_once_one_is_let_through(services: Services, cards: Cards, card: Card):
    code, folder = (await cards.dynamic_code(card)).text, services.settings.keys_folder
    command = (sys.executable, "-c", _PROGRAM, services.database.dsn, folder, code)
    running = [await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE) for _ in range(2)]
    told = [(await one.communicate())[0].decode().split("\n")[-2] for one in running]
    assert sorted(told) == ["let through", "population.card-used"]


@pytest.mark.parametrize(("body", "status", "reason"), [
    ({"code": "x", **PLACE}, 404, "unknown"),
    ({"code": "x", "step": "010101", "terminal": "T"}, 422, "field"),
    ({"code": 5, **PLACE}, 422, "field"),
    ({"code": "x", **PLACE, "pin": 123456}, 422, "field"),
    ([], 400, "field"),
])
async def test_what_cannot_be_read_is_refused(api: httpx.AsyncClient, body: object, status: int, reason: str):
    answer = await api.post("/card/scan", json=body)
    assert (answer.status_code, answer.json()["issue"][0]["diagnostics"]) == (status, f"population.card-{reason}")


@pytest.mark.parametrize(("content", "kind", "status"), [(b"{", "application/json", 400), (b"code=1", "application/x-www-form-urlencoded", 415), (b"[" + b"1," * 600_000, "application/json", 413)])
async def test_other_bodies_are_refused(api: httpx.AsyncClient, content: bytes, kind: str, status: int):
    answer = await api.post("/card/scan", content=content, headers={"content-type": kind})
    assert answer.status_code == status


async def test_the_public_keys_are_for_everybody(terminal: httpx.AsyncClient):
    keys = (await terminal.get("/card/keys")).json()["keys"]
    assert {(one["alg"], one["crv"]) for one in keys} == {("SM2", "SM2"), ("ES256", "P-256")}
    assert not any("d" in one for one in keys)


async def test_a_terminal_learns_which_cards_no_longer_count(api: httpx.AsyncClient, cards: Cards, card: Card):
    frozen = await cards.change(card, "freeze", "resident")
    told = (await api.get("/card/revoked")).json()
    assert [(one["number"], one["state"]) for one in told["cards"]] == [(card.number, "frozen")]
    await cards.change(frozen, "unfreeze", "resident")
    assert (await api.get("/card/revoked")).json()["cards"] == []


async def test_uses_without_a_network_are_reported_later(api: httpx.AsyncClient, cards: Cards, card: Card):
    code = (await cards.signed_code(card, "ES256")).text
    use = {"code": code, "step": "030101", "terminal": "120-7", "channel": "06", "time": clock.instant(clock.now())}
    wrong = [{**use, "time": "yesterday"}, {**use, "time": clock.instant(clock.now() + timedelta(days=3))}, 5]
    answer = await api.post("/card/uses", json={"uses": [use, use, *wrong]})
    assert [one["result"] for one in answer.json()["uses"]] == ["kept", "known", "refused", "refused", "refused"]
    assert (await api.post("/card/uses", json={"uses": "x"})).status_code == 422
