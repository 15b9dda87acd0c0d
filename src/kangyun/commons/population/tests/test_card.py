"""Cards are issued once, shown, read once, refused with the true reason, and follow their person."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest

from kangyun.app.services import Services
from kangyun.base import clock, errors
from kangyun.base.errors import Problem
from kangyun.base.keys import verify
from kangyun.base.reactions import Change
from kangyun.commons.access import Handle, Write
from kangyun.commons.population.actions.card_family import Right, guard, release
from kangyun.commons.population.actions.card_scan import Reading, Recognised, report, scan
from kangyun.commons.population.actions.cards import PROTECT_KEY, Cards, forget_codes, masked_name, renew
from kangyun.commons.population.actions.residents import register
from kangyun.commons.population.decisions import card as deciding
from kangyun.commons.population.model import ID_NUMBER_SYSTEM
from kangyun.commons.population.queries import card as reading
from kangyun.commons.population.queries import identities
from kangyun.commons.population.queries.card import Card
from kangyun.commons.population.reactions import on_person

errors.register("kangyun.commons.population")

PIN = "240517"
_numbers = iter(range(100, 999))


@pytest.fixture(scope="module")
def handle(services: Services) -> Handle:
    return services.gate.system("test")


@pytest.fixture(scope="module")
def cards(services: Services, handle: Handle) -> Cards:
    return Cards(handle, services.keys)


def id_number() -> str:
    body = f"99010119900101{next(_numbers)}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return body + "10X98765432"[sum(int(a) * b for a, b in zip(body, weights, strict=True)) % 11]


async def resident(handle: Handle, name: str = "周秀兰", number: str = "") -> str:
    """Somebody whom a hospital has registered."""
    patient = {
        "resourceType": "Patient", "name": [{"text": name, "use": "official"}], "gender": "female", "birthDate": "1990-01-01",
        "identifier": [{"system": ID_NUMBER_SYSTEM, "value": number or id_number()}],
    }
    return await register(handle, patient, "his")


@pytest.fixture
async def card(cards: Cards) -> Card:
    return await cards.issue(await resident(cards.handle), PIN)


def at(code: str, **more: str) -> Reading:
    return Reading(**{"code": code, "step": "010101", "terminal": "T-01", "channel": "01", **more})


async def refusal(work: Any) -> str:
    with pytest.raises(Problem) as caught:
        await work
    key = caught.value.issues[0].key
    assert {"zh", "en"} <= errors.messages()[key].keys()
    return key.removeprefix("population.card-")


def later(**delta: float) -> None:
    now = clock.now()
    clock.set_source(lambda: now + timedelta(**delta))


async def test_a_card_is_issued_once(cards: Cards, card: Card):
    assert (card.kind, card.state, card.issue, len(card.number)) == ("formal", "active", 1, 64)
    assert await refusal(cards.issue(card.patient)) == "there"
    assert [one.number for one in await cards.of(card.patient)] == [card.number]


async def test_the_number_finds_the_resident(cards: Cards, card: Card):
    page = await cards.handle.search("Patient", [("identifier", f"{deciding.CARD_SYSTEM}|{card.number}")])
    assert [one["id"] for one in page.resources] == [card.patient]


async def test_nobody_and_the_nameless_get_no_formal_card(cards: Cards):
    assert await refusal(cards.issue("nobody")) == "nobody"
    stranger = (await cards.handle.commit([Write("create", "Patient", {"resourceType": "Patient", "name": [{"text": "无名"}]})]))[0].id
    assert await refusal(cards.issue(stranger)) == "no-document"


@pytest.mark.parametrize("pin", ["12345", "123456", "654321", "111111", "12345a", "１２３４５６"])
async def test_a_simple_pin_is_refused(cards: Cards, pin: str):
    assert await refusal(cards.issue(await resident(cards.handle), pin)) == "pin-weak"


async def test_a_dynamic_code_is_good_once(cards: Cards, card: Card):
    shown = await cards.dynamic_code(card)
    assert shown.expires - clock.now() <= timedelta(seconds=180)
    found = await scan(cards, at(shown.text))
    assert (found.person["name"][0]["text"], found.way, found.card.number) == ("周秀兰", "dynamic", card.number)
    assert await refusal(scan(cards, at(shown.text))) == "used"
    assert (await scan(cards, at((await cards.dynamic_code(card)).text))).card == card


async def test_two_codes_of_one_second_differ(cards: Cards, card: Card):
    now = clock.now()
    clock.set_source(lambda: now)
    texts = {(await cards.dynamic_code(card)).text for _ in range(3)}
    assert len(texts) == 3


async def test_of_many_readers_one_is_let_through(cards: Cards, card: Card):
    text = (await cards.dynamic_code(card)).text
    results = await asyncio.gather(*(scan(cards, at(text)) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(one, Recognised) for one in results) == 1


async def test_a_dynamic_code_ends_after_three_minutes(cards: Cards, card: Card):
    text = (await cards.dynamic_code(card)).text
    later(seconds=179)
    assert await scan(cards, at(text))
    text = (await cards.dynamic_code(card)).text
    later(seconds=180)
    assert await refusal(scan(cards, at(text))) == "expired"


async def test_a_code_that_nobody_was_shown_is_a_forgery(cards: Cards, card: Card):
    other = await cards.issue(await resident(cards.handle))
    shown = await cards.dynamic_code(other)
    expiry = shown.text.rpartition(":")[2]
    forged = deciding.code_text("dynamic", card.number, deciding.terms(), expiry)
    assert await refusal(scan(cards, at(forged))) == "unknown"
    ends = clock.now() + timedelta(seconds=60)
    sealed = deciding.expiry_block(cards.keys.block(PROTECT_KEY), ends)
    assert await refusal(scan(cards, at(deciding.code_text("dynamic", card.number, deciding.terms(), sealed)))) == "unknown"


@pytest.mark.parametrize("code", ["", "6921168509256", "9" * 64 + ":1", "9" * 64 + ":0:" + "A" * 32, "9" * 64 + ":9"])
async def test_other_codes_are_unknown(cards: Cards, code: str):
    assert await refusal(scan(cards, at(code))) == "unknown"


@pytest.mark.parametrize(("place", "reason"), [({"step": "1"}, "step"), ({"channel": "1"}, "step"), ({"terminal": ""}, "terminal"), ({"terminal": "张三"}, "terminal")])
async def test_a_use_that_could_not_be_told_is_not_made(cards: Cards, card: Card, place: dict[str, str], reason: str):
    text = (await cards.dynamic_code(card)).text
    assert await refusal(scan(cards, at(text, **place))) == reason
    assert await scan(cards, at(text))


async def test_a_printed_card_needs_its_pin(cards: Cards, card: Card):
    text = cards.printed_code(card)
    assert text == f"{card.number}:1"
    assert await refusal(scan(cards, at(text))) == "pin-needed"
    assert await refusal(scan(cards, at(text, pin="999999"))) == "pin-wrong"
    for _ in range(2):
        assert (await scan(cards, at(text, pin=PIN))).way == "static"


async def test_a_card_without_pin_is_not_read_from_paper(cards: Cards):
    card = await cards.issue(await resident(cards.handle))
    assert await refusal(scan(cards, at(cards.printed_code(card), pin="240517"))) == "no-pin"
    await cards.set_pin(card, PIN)
    assert await scan(cards, at(cards.printed_code(card), pin=PIN))


async def test_wrong_pins_lock_until_time_has_passed(cards: Cards, card: Card):
    text = cards.printed_code(card)
    tries = await asyncio.gather(*(refusal(scan(cards, at(text, pin="000111"))) for _ in range(7)))
    assert sorted(tries) == ["pin-locked"] * 2 + ["pin-wrong"] * 5
    assert await refusal(scan(cards, at(text, pin=PIN))) == "pin-locked"
    assert (await scan(cards, at((await cards.dynamic_code(card)).text))).way == "dynamic"
    later(minutes=31)
    assert await refusal(scan(cards, at(text, pin="000111"))) == "pin-wrong"
    assert await scan(cards, at(text, pin=PIN))


async def test_a_frozen_card_is_refused_until_it_is_unfrozen(cards: Cards, card: Card):
    text = (await cards.dynamic_code(card)).text
    frozen = await cards.change(card, "freeze", "resident")
    assert await refusal(scan(cards, at(text))) == "frozen"
    assert await refusal(cards.dynamic_code(frozen)) == "frozen"
    await cards.change(frozen, "unfreeze", "resident")
    assert await scan(cards, at(text))


async def test_a_lost_card_comes_back_with_a_new_pin_only(cards: Cards, card: Card):
    signed = (await cards.signed_code(card)).text
    lost = await cards.change(card, "report_lost", "resident")
    assert await refusal(scan(cards, at(cards.printed_code(card), pin=PIN))) == "lost"
    assert await refusal(cards.change(lost, "unfreeze", "resident")) == "state"
    fresh = await cards.replace(lost, "190482")
    assert (fresh.state, fresh.issue, fresh.number) == ("active", 2, card.number)
    assert await refusal(scan(cards, at(cards.printed_code(card), pin=PIN))) == "pin-wrong"
    assert await scan(cards, at(cards.printed_code(card), pin="190482"))
    assert await refusal(scan(cards, at(signed))) == "replaced"
    assert (card.number, "active", 2) in [(one.number, one.state, one.issue) for one in await reading.revoked(cards.handle, deciding.terms())]


async def test_two_who_change_one_card_at_once_do_not_both_succeed(cards: Cards, card: Card):
    results = await asyncio.gather(
        cards.change(card, "freeze", "resident"), cards.change(card, "report_lost", "clerk"), return_exceptions=True,
    )
    assert sum(isinstance(one, Problem) for one in results) == 1
    assert await refusal(cards.change(card, "replace", "resident")) == "state"


@pytest.mark.parametrize("algorithm", ["SM2", "ES256"])
async def test_a_signed_code_is_checked_by_the_public_key_alone(cards: Cards, card: Card, algorithm: str):
    shown = await cards.signed_code(card, algorithm)
    header, claims, signature = shown.text.split(".")
    told = json.loads(_decoded(header))
    key = next(one for one in cards.public_keys() if one.id == told["kid"])
    assert told["alg"] == key.algorithm == algorithm
    assert verify(key, f"{header}.{claims}".encode(), _decoded(signature))
    body = json.loads(_decoded(claims))
    assert (_decoded(body["c"]).hex().upper(), body["n"], body["i"]) == (card.number, "周*兰", 1)
    assert body["x"] == shown.expires.timestamp()
    assert (await scan(cards, at(shown.text))).way == "signed"
    assert await refusal(scan(cards, at(shown.text))) == "used"


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def test_a_changed_or_foreign_signature_is_refused(cards: Cards, card: Card):
    header, claims, signature = (await cards.signed_code(card)).text.split(".")
    body = json.loads(_decoded(claims)) | {"x": 4_000_000_000}
    longer = base64.urlsafe_b64encode(json.dumps(body).encode()).rstrip(b"=").decode()
    assert await refusal(scan(cards, at(f"{header}.{longer}.{signature}"))) == "signature"
    other = base64.urlsafe_b64encode(json.dumps({"alg": "ES256", "kid": json.loads(_decoded(header))["kid"]}).encode()).rstrip(b"=").decode()
    assert await refusal(scan(cards, at(f"{other}.{claims}.{signature}"))) == "signature"


async def test_a_signed_code_ends(cards: Cards, card: Card):
    text = (await cards.signed_code(card)).text
    later(hours=24)
    assert await refusal(scan(cards, at(text))) == "expired"


async def test_signed_codes_of_an_old_key_are_still_read(cards: Cards, card: Card):
    text = (await cards.signed_code(card)).text
    cards.keys.rotate("card-sm2")
    assert (await scan(cards, at(text))).way == "signed"


async def test_a_terminal_reports_what_it_did_without_a_network(cards: Cards, card: Card):
    text = (await cards.signed_code(card)).text
    moment = clock.now()
    await cards.change(card, "freeze", "resident")
    assert await report(cards, at(text, step="030101", channel="06"), moment)
    assert not await report(cards, at(text, step="030101", channel="06"), moment)
    used = await reading.uses(cards.handle, [card])
    assert [(one.way, one.step, one.channel, one.moment) for one in used] == [("offline", "030101", "06", moment)]
    assert await refusal(report(cards, at(text), moment + timedelta(days=2))) == "expired"
    assert await refusal(report(cards, at(cards.printed_code(card)), moment)) == "not-signed"


async def test_every_use_and_refusal_is_kept_and_cannot_be_changed(cards: Cards, card: Card):
    text = (await cards.dynamic_code(card)).text
    await scan(cards, at(text, step="010106", terminal="YF-3", channel="05"))
    await refusal(scan(cards, at(text, terminal="YF-4")))
    (use,) = await reading.uses(cards.handle, [card])
    assert (use.step, use.terminal, use.channel, use.actor) == ("010106", "YF-3", "05", "test")
    assert ("refused used", "YF-4") in [(one.event, one.terminal) for one in await reading.events(cards.handle, [card])]
    for statement in ("UPDATE card_use SET step = ''", "DELETE FROM card_use", "DELETE FROM card_event"):
        async with cards.handle.connection() as connection:
            with pytest.raises(asyncpg.PostgresError, match="is not changed"):
                await connection.execute(statement)


async def test_codes_that_ended_long_ago_are_forgotten(cards: Cards, card: Card, services: Services):
    text = (await cards.dynamic_code(card)).text
    later(days=2)
    await forget_codes(services, {})
    assert await refusal(scan(cards, at(text))) == "expired"


async def test_a_new_name_keeps_the_old_number_as_alias(cards: Cards):
    number = id_number()
    first = await resident(cards.handle, "周秀兰", number)
    card = await cards.issue(first, PIN)
    assert await resident(cards.handle, "陈秀兰", number) == first
    (renewed,) = await cards.renew_numbers(first)
    fresh = (await cards.of(first))[0]
    assert (renewed.patient, fresh.patient) == (card.patient, card.patient)
    assert fresh.number != card.number
    for one in (card.number, fresh.number):
        assert (await scan(cards, at(f"{one}:1", pin=PIN))).person["name"][0]["text"] == "陈秀兰"
        page = await cards.handle.search("Patient", [("identifier", f"{deciding.CARD_SYSTEM}|{one}")])
        assert card.patient in [found["id"] for found in page.resources]
    assert await cards.renew_numbers(first) == []
    async with cards.handle.connection() as connection:
        known = await reading.numbers(connection, fresh)
    assert [(one["number"], one["current"]) for one in known] == [(fresh.number, True), (card.number, False)]


async def test_a_change_of_the_person_renews_the_number_by_itself(cards: Cards, services: Services):
    number = id_number()
    first = await resident(cards.handle, "吴芳", number)
    card = await cards.issue(first)
    await resident(cards.handle, "吴芳芳", number)
    page = await cards.handle.search("Person", [("link", f"Patient/{first}")])
    change = Change(1, 0, 0, "Person", str(page.resources[0]["id"]), 2, "update")
    await on_person(cards.handle, change)
    async with cards.handle.connection() as connection:
        payloads = await connection.fetch("SELECT payload FROM job WHERE name = 'population.card_renew'")
    await renew(services, {"person": change.id})
    assert len(payloads) == 1
    assert (await cards.of(first))[0].number != card.number


async def test_a_temporary_card_has_a_deadline(cards: Cards):
    known = {"name": [{"text": "周秀兰之子"}], "gender": "male", "birthDate": "2026-11-20"}
    card = await cards.issue_temporary("newborn", known)
    assert card.temporary
    text = cards.printed_code(card)
    assert text.endswith(":9")
    assert (await scan(cards, at(text))).person["name"][0]["text"] == "周秀兰之子"
    assert await refusal(scan(cards, at(f"{card.number}:1", pin=PIN))) == "unknown"
    later(days=61)
    assert await refusal(scan(cards, at(text))) == "overdue"
    assert await cards.current(card.patient) is None


async def test_a_formal_card_does_not_pass_as_temporary(cards: Cards, card: Card):
    assert await refusal(scan(cards, at(f"{card.number}:9"))) == "unknown"


async def test_a_strangers_card_is_joined_to_the_person(cards: Cards, card: Card):
    stranger = await cards.issue_temporary("stranger", {"name": [{"text": "无名氏"}], "gender": "female"})
    joined = await cards.join(stranger, card.patient)
    assert (joined.state, joined.joined) == ("joined", card.patient)
    assert await refusal(scan(cards, at(cards.printed_code(stranger)))) == "joined"
    assert {stranger.patient, card.patient} <= set(await identities(cards.handle, card.patient))
    assert [one.kind for one in await cards.of(stranger.patient)] == ["formal", "stranger"]
    assert await refusal(cards.join(card, stranger.patient)) == "state"


async def test_a_guardian_shows_a_childs_card_until_a_date(cards: Cards, card: Card):
    child = await cards.issue(await resident(cards.handle, "周小宝"))
    right = Right("2", "birth-certificate", "A990000001", clock.now() + timedelta(days=30))
    assert not await cards.may_show(card.patient, child.patient)
    await guard(cards, child.patient, card.patient, right)
    assert await cards.may_show(card.patient, child.patient)
    assert not await cards.may_show(child.patient, card.patient)
    assert [one.relation for one in await reading.wards_of(cards.handle, card.patient)] == ["2"]
    later(days=31)
    assert not await cards.may_show(card.patient, child.patient)


async def test_a_guardianship_needs_proof_and_can_be_ended(cards: Cards, card: Card):
    child = await cards.issue(await resident(cards.handle, "周小贝"))
    right = Right("2", "birth-certificate", "A990000002", clock.now() + timedelta(days=30))
    for ward, given, reason in (
        (child, replace(right, number=" "), "proof"),
        (child, replace(right, relation="77"), "proof"),
        (child, replace(right, proof="hearsay"), "proof"),
        (child, replace(right, until=clock.now()), "until"),
        (card, right, "own"),
    ):
        assert await refusal(guard(cards, ward.patient, card.patient, given)) == reason
    await guard(cards, child.patient, card.patient, right)
    await release(cards, child.patient, card.patient)
    assert not await cards.may_show(card.patient, child.patient)
    async with cards.handle.connection() as connection:
        assert b"A990000002" not in await connection.fetchval("SELECT proof_number FROM guardianship WHERE ward = $1", child.patient)


@pytest.mark.parametrize(("name", "masked"), [("张三", "张*"), ("欧阳娜娜", "欧*娜"), ("LI Na", "L* N*"), ("张", "张"), ("", "")])
def test_a_name_is_masked(name: str, masked: str):
    assert masked_name(name) == masked


def test_the_clock_of_the_tests_is_the_real_one_again():
    assert abs(clock.now() - datetime.now(tz=clock.now().tzinfo)) < timedelta(minutes=1)
