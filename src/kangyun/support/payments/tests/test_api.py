"""Machines' doors: operations on an Invoice by token, and the public address where only a channel's signature counts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.support.payments.gateways.simulator import Note, Trade
from kangyun.support.payments.tests.world import (
    CHANNELS,
    CLERK,
    HOSPITAL,
    OTHER,
    OTHER_CLERK,
    OTHER_HOSPITAL,
    PATIENT,
    RESIDENT,
    World,
    paying,
)


@pytest.fixture(scope="module")
async def world(services: Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with paying(services, Path(tmp_path_factory.mktemp("api"))) as found:
        yield found


def line(fen: float, factor: float = 1, **more: Any) -> dict[str, Any]:
    price = {"type": "base", "factor": factor, "amount": {"value": fen, "currency": "CNY"}}
    return {"chargeItemCodeableConcept": {"text": "挂号费"}, "priceComponent": [price], **more}


def draft(*lines: dict[str, Any], patient: str = PATIENT, institution: str = HOSPITAL) -> dict[str, Any]:
    return {"resourceType": "Invoice", "status": "draft", "subject": {"reference": f"Patient/{patient}"}, "issuer": {"reference": f"Organization/{institution}"},
            "lineItem": list(lines)}


def parameters(**told: Any) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": [{"name": name, **value} for name, value in told.items()]}


def told(answer: httpx.Response) -> dict[str, Any]:
    """The values of a Parameters by name."""
    assert answer.status_code == 200, answer.text
    return {one["name"]: next(value for name, value in one.items() if name.startswith("value")) for one in answer.json()["parameter"]}


async def ask(world: World, actor: Any, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """Call an operation as an app of somebody."""
    return await world.client.post(f"{world.services.settings.public_url}/fhir/Invoice{path}", json=body, headers={**await world.token(actor), **headers})


async def test_a_clerk_orders_a_resident_pays_and_both_see_how_it_stands(world: World) -> None:
    wish = draft(line(12.5), line(3, 2))
    made = await ask(world, CLERK, "/$order", wish, **{"idempotency-key": "w1"})
    assert made.status_code == 201, made.text
    invoice = made.json()
    assert (invoice["status"], invoice["totalNet"], made.headers["location"]) == ("issued", {"value": 15.5, "currency": "CNY"}, f"/fhir/Invoice/{invoice['id']}")
    assert (await ask(world, CLERK, "/$order", wish, **{"idempotency-key": "w1"})).json()["id"] == invoice["id"]
    pay = parameters(channel={"valueString": "alipay"}, scene={"valueCode": "phone"}, total={"valueMoney": {"value": 15.5, "currency": "CNY"}})
    link = told(await ask(world, RESIDENT, f"/{invoice['id']}/$pay", pay))
    assert link["state"] == "paying"
    await world.press(link["link"])
    found = told(await ask(world, RESIDENT, f"/{invoice['id']}/$ask"))
    assert (found["state"], found["paid"]["value"]) == ("paid", 15.5)
    asked = parameters(amount={"valueMoney": {"value": 3, "currency": "CNY"}}, key={"valueString": "r1"}, reason={"valueString": "少做一项"})
    assert told(await ask(world, RESIDENT, f"/{invoice['id']}/$refund", asked))["state"] == "asked"
    granted = told(await ask(world, CLERK, f"/{invoice['id']}/$refund", parameters(amount={"valueMoney": {"value": 1, "currency": "CNY"}}, key={"valueString": "r2"})))
    assert granted["state"] == "granted"
    assert told(await ask(world, CLERK, f"/{invoice['id']}/$ask"))["refunded"]["value"] == 1.0
    again = await ask(world, RESIDENT, f"/{invoice['id']}/$pay", pay)
    assert told(again)["state"] == "paid", "whoever pays again is told that it is paid"
    late = await ask(world, RESIDENT, f"/{invoice['id']}/$cancel")
    assert late.status_code == 409


async def test_nobody_acts_for_others(world: World) -> None:
    assert (await ask(world, CLERK, "/$order", draft(line(1), institution=OTHER_HOSPITAL), **{"idempotency-key": "x"})).status_code == 403
    assert (await ask(world, RESIDENT, "/$order", draft(line(1)), **{"idempotency-key": "x"})).status_code == 403
    assert (await ask(world, CLERK, "/$order", draft(line(1), patient="nobody"), **{"idempotency-key": "x"})).status_code == 404
    made = (await ask(world, CLERK, "/$order", draft(line(9)), **{"idempotency-key": "others"})).json()["id"]
    pay = parameters(channel={"valueString": "wechat"})
    refund = parameters(amount={"valueMoney": {"value": 1, "currency": "CNY"}}, key={"valueString": "k"}, reason={"valueString": "x"})
    for actor in (OTHER, OTHER_CLERK):
        for operation, body in {"$pay": pay, "$ask": None, "$cancel": None, "$refund": refund}.items():
            assert (await ask(world, actor, f"/{made}/{operation}", body)).status_code == 404, (actor.role, operation)
    assert (await ask(world, CLERK, f"/{made}/$pay", pay)).status_code == 404, "a clerk does not pay for residents"


@pytest.mark.parametrize(("body", "field"), [
    ({"resourceType": "Patient"}, "invoice"), ({**draft(line(1)), "subject": {"reference": "Group/1"}}, "subject"), ({**draft(), "lineItem": 1}, "lineItem"),
    (draft(line(0.001)), "lineItem[0]"), (draft(line(1, 3)), "lineItem[0]"), (draft({"chargeItemCodeableConcept": {"text": "x"}}), "lineItem[0]"),
    (draft(line(1, 0)), "lineItem[0]"), (draft(), "lineItem"), ({**draft(line(1)), "issuer": None}, "issuer"),
])
async def test_a_draft_that_cannot_be_right_is_refused_with_its_field(world: World, body: dict[str, Any], field: str) -> None:
    refused = await ask(world, CLERK, "/$order", body, **{"idempotency-key": "wrong"})
    assert refused.status_code == 422, refused.text
    assert refused.json()["issue"][0]["expression"] == [field]
    assert (await ask(world, CLERK, "/$order", draft(line(1)))).json()["issue"][0]["expression"] == ["key"]


async def test_wrong_wishes_to_pay_are_refused_with_their_field(world: World) -> None:
    made = (await ask(world, CLERK, "/$order", draft(line(7)), **{"idempotency-key": "wishes"})).json()["id"]
    wrong = {
        "channel": parameters(), "scene": parameters(channel={"valueString": "wechat"}, scene={"valueCode": "moon"}),
        "total": parameters(channel={"valueString": "wechat"}, total={"valueMoney": {"value": 7, "currency": "USD"}}),
    }
    for field, body in wrong.items():
        refused = await ask(world, RESIDENT, f"/{made}/$pay", body)
        assert (refused.status_code, refused.json()["issue"][0]["expression"]) == (422, [f"Parameters.parameter.where(name='{field}')"])
    assert (await ask(world, RESIDENT, f"/{made}/$refund", parameters(amount={"valueMoney": {"value": -1, "currency": "CNY"}}, key={"valueString": "k"},
                                                                     reason={"valueString": "x"}))).status_code == 409
    assert told(await ask(world, RESIDENT, f"/{made}/$cancel"))["state"] == "cancelled"


def _forgeries(world: World, channel: str, trade: Trade, other: Trade) -> dict[str, Note | None]:
    """Notices that look right and are not."""
    side: Any = world.simulator.sides[channel]
    good = side.note(trade, None, forged=False)
    elsewhere = side.note(replace(trade, id=other.id), None, forged=False)
    assert good
    assert elsewhere
    thief = replace(side, key=rsa.generate_private_key(65537, 2048))
    return {
        "another key": thief.note(trade, None, forged=False), "no signature": side.note(trade, None, forged=True),
        "changed content": Note(good.url, good.headers, good.body.replace(trade.id.encode(), other.id.encode()) if channel != "wechat" else elsewhere.body),
        "no content": Note(good.url, good.headers, b""), "nonsense": Note(good.url, {}, b"\xff\xfe{"),
    }


@pytest.mark.parametrize("channel", CHANNELS)
async def test_forged_notices_are_refused_noted_and_change_nothing(world: World, channel: str) -> None:
    world.faults(lost=1)
    order, cheap = await world.order(99_00, key=f"forged/{channel}"), await world.order(1, key=f"cheap/{channel}")
    await world.begin(order, channel, "desktop")
    await world.press(await world.begin(cheap, channel, "desktop"))
    [dear], [paid] = await world.payments(order), await world.payments(cheap)
    trade, other = world.simulator.trades[channel, paid.id], world.simulator.trades[channel, dear.id]
    before, noted = await world.books(), (await world.verdicts()).count("forged")
    for name, note in _forgeries(world, channel, trade, other).items():
        assert note
        answer = await world.client.post(note.url, content=note.body, headers=note.headers)
        assert answer.status_code == 401, name
    assert (await world.verdicts()).count("forged") == noted + 5
    assert await world.books() == before
    assert [(await world.now(one)).state for one in (order, cheap)] == ["paying", "paying"]
    world.faults()


async def test_a_notice_that_was_kept_for_later_is_too_old(world: World) -> None:
    world.faults(lost=1)
    order = await world.order(500, key="old")
    await world.press(await world.begin(order))
    [payment] = await world.payments(order)
    note = world.simulator.sides["wechat"].note(world.simulator.trades["wechat", payment.id], None, forged=False)
    assert note
    later = clock.now() + timedelta(minutes=6)
    clock.set_source(lambda: later)
    assert (await world.client.post(note.url, content=note.body, headers=note.headers)).status_code == 401
    clock.set_source(None)
    assert (await world.client.post(note.url, content=note.body, headers=note.headers)).status_code == 200
    world.faults()


async def test_the_public_address_bounds_what_it_takes(world: World) -> None:
    url = f"{world.services.settings.public_url}/payments/notices"
    assert (await world.client.post(f"{url}/paypal", content=b"x")).status_code == 404
    assert (await world.client.post(f"{url}/wechat", content=b"x" * 70_000)).status_code == 413
    assert (await world.client.get(f"{url}/wechat")).status_code == 405
    unknown = replace(next(iter(world.simulator.trades.values())), id="K000000NOBODYS01")
    note = world.simulator.sides[unknown.channel].note(replace(unknown, paid=clock.now(), state="paid"), None, forged=False)
    assert note
    answer = await world.client.post(note.url, content=note.body, headers=note.headers)
    assert (answer.status_code, (await world.verdicts())[0]) == (200 if unknown.channel == "alipay" else 500, "unknown")
    assert answer.text != "success"
