"""Exactly once: many at a time, answers that get lost, money that comes too late or twice, prices that change meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.base.errors import Problem
from kangyun.base.money import Fen
from kangyun.commons.access import Handle
from kangyun.support import payments
from kangyun.support.payments.actions import looking
from kangyun.support.payments.actions.refunds import ask_refund, judge
from kangyun.support.payments.model import Order
from kangyun.support.payments.tests.world import CHANNELS, CLERK, HOSPITAL, OTHER, OTHER_CLERK, RESIDENT, World, paying


@pytest.fixture(scope="module")
async def world(services: Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with paying(services, Path(tmp_path_factory.mktemp("once"))) as found:
        yield found


@pytest.fixture(autouse=True)
async def nothing_goes_wrong(world: World) -> AsyncIterator[None]:
    yield
    world.faults()


async def test_many_words_of_one_payment_are_believed_once(world: World) -> None:
    world.faults(lost=1)
    order = await world.order(6111, key="many")
    await world.press(await world.begin(order))
    before = await world.books()
    [payment] = await world.payments(order)
    trade = world.simulator.trades["wechat", payment.id]
    notes = [world.simulator.sides["wechat"].note(trade, None, forged=False) for _ in range(15)]
    sent = [world.client.post(note.url, content=note.body, headers=note.headers) for note in notes if note]
    asked = [payments.ask(world.services, world.open(RESIDENT), order.id) for _ in range(10)]
    answers = await asyncio.gather(*sent, *asked, world.look(), world.look())
    assert {one.status_code for one in answers if isinstance(one, httpx.Response)} == {200}
    after = await world.books()
    assert after["channel/wechat"] - before.get("channel/wechat", 0) == 6111
    assert [one["status"] for one in await world.system().history("Invoice", order.id)] == ["balanced", "issued"]


async def test_refunds_at_the_same_moment_never_come_to_more_than_was_paid(world: World) -> None:
    order = await world.paid(5000, key="refunds")
    wishes = [payments.refund(world.system(), order.id, 1000, f"refunds/{number}", "退") for number in range(12)]
    done = await asyncio.gather(*wishes, return_exceptions=True)
    assert sum(isinstance(one, payments.Refund) for one in done) == 5
    assert {one.issues[0].key for one in done if isinstance(one, Problem)} == {"payments.too-much"}
    await world.refunded(order, *["done"] * 5)
    [payment] = await world.payments(order)
    assert world.simulator.trades["wechat", payment.id].given_back == 5000
    assert (await world.now(order)).state == "refunded"


async def test_the_same_refund_many_times_is_one(world: World) -> None:
    order = await world.paid(5000, key="same")
    done = await asyncio.gather(*(payments.refund(world.system(), order.id, 700, "same/1", "退") for _ in range(15)))
    assert len({one.id for one in done}) == 1
    await asyncio.gather(*(world.look() for _ in range(4)))
    await world.refunded(order, "done")
    [payment] = await world.payments(order)
    assert world.simulator.trades["wechat", payment.id].given_back == 700
    with pytest.raises(Problem, match="key-used"):
        await payments.refund(world.system(), order.id, 701, "same/1", "退")


@pytest.mark.parametrize("channel", CHANNELS)
async def test_an_answer_that_gets_lost_is_asked_for_again(world: World, channel: str) -> None:
    order = await world.order(900, key=f"unheard/{channel}")
    world.faults(failures=[502])
    with pytest.raises(Problem, match="channel-away"):
        await world.begin(order, channel, "desktop")
    world.faults(unheard=1)
    with pytest.raises(Problem, match="channel-away"):
        await world.begin(order, channel, "desktop")
    world.faults()
    await world.press(await world.begin(order, channel, "desktop"))
    await world.until(order, "paid")
    assert len(await world.payments(order)) == 1, "it was the same payment each time"
    world.faults(unheard=1)
    await payments.refund(world.system(), order.id, 400, f"unheard/{channel}", "退")
    await world.refunded(order, "done")
    [payment] = await world.payments(order)
    assert world.simulator.trades[channel, payment.id].given_back == 400


async def test_who_pays_twice_gets_the_second_payment_back(world: World) -> None:
    order = await world.order(8000, key="both")
    wechat, alipay = await world.begin(order, "wechat"), await world.begin(order, "alipay")
    world.faults(lost=1)
    await world.press(wechat)
    await world.press(alipay)
    world.faults()
    await world.refunded(order, "done")
    paid = await world.payments(order)
    assert sorted(one.excess for one in paid) == [False, True]
    second = next(one for one in paid if one.excess)
    assert world.simulator.trades[second.channel, second.id].given_back == 8000
    assert ((await world.now(order)).state, (await world.now(order)).refunded_fen) == ("paid", 0)
    assert (await world.books())[f"excess/{second.channel}"] == 0


async def test_the_other_channel_is_closed_when_one_has_paid(world: World) -> None:
    order = await world.order(300, key="closed")
    other = await world.begin(order, "wechat", "desktop")
    await world.press(await world.begin(order, "wechat", "phone"))
    await world.until(order, "paid")
    await world.work()
    late = await world.client.post(other)
    assert late.status_code == 409, "nobody can pay it any more"


@pytest.mark.parametrize("channel", CHANNELS)
async def test_what_nobody_pays_in_time_ends_and_late_money_goes_back(world: World, channel: str) -> None:
    order = await world.order(1200, key=f"late/{channel}", minutes=1)
    link = await world.begin(order, channel)
    world.faults(lost=1)
    if channel == "unionpay":
        # Its codes cannot be closed: it was paid in the last second, and told when the order had ended.
        await world.press(link)
    later = clock.now() + timedelta(minutes=2)
    clock.set_source(lambda: later)
    await looking.look(world.services, {})
    found = await world.now(order)
    if channel == "unionpay":
        assert found.state == "paid", "the channel is asked before anything ends"
        return
    assert (found.state, (await world.invoice(order))["status"]) == ("expired", "cancelled")
    assert (await world.client.post((await world.client.get(link, follow_redirects=True)).url)).status_code == 409
    with pytest.raises(Problem, match="is-expired"):
        await world.begin(order, channel)


async def test_money_for_a_cancelled_order_goes_back_by_itself(world: World) -> None:
    order = await world.order(1500, key="cancelled")
    link = await world.begin(order, "unionpay")
    assert await payments.cancel(world.services, world.open(RESIDENT), order.id) == "cancelled"
    await world.press(link)
    [payment] = await world.payments(order)
    await world.until_payment(order, "paid")
    await world.work()
    assert world.simulator.trades["unionpay", payment.id].given_back == 1500
    assert (await world.now(order)).state == "cancelled"
    assert (await world.books())["excess/unionpay"] == 0


async def test_an_order_that_was_paid_meanwhile_is_not_cancelled(world: World) -> None:
    world.faults(lost=1)
    for channel in CHANNELS:
        order = await world.order(1500, key=f"meanwhile/{channel}")
        await world.press(await world.begin(order, channel))
        with pytest.raises(Problem, match="is-paid"):
            await payments.cancel(world.services, world.open(RESIDENT), order.id)
        assert (await world.now(order)).state == "paid"


async def test_a_price_that_changed_since_the_quote_is_refused(world: World) -> None:
    today: dict[str, Fen] = {"code-0": 1000, "code-1": 500}

    async def quote(_handle: Handle, _order: Order) -> Mapping[str, Fen]:
        return today

    payments.quoted("tests.quoted", quote)
    kept = await world.order(1000, 500, -200, key="kept", source="tests.quoted")
    await world.press(await world.begin(kept))
    await world.until(kept, "paid")
    order = await world.order(1000, 500, -200, key="quoted", source="tests.quoted")
    link = await world.begin(order)
    today["code-1"] = 510
    with pytest.raises(Problem, match="price-changed"):
        await world.begin(order, "alipay")
    assert ((await world.now(order)).state, (await world.invoice(order))["cancelledReason"]) == ("outdated", "price")
    assert (await world.client.post(link)).status_code == 409, "the code that was shown before is closed as well"
    del today["code-0"]
    with pytest.raises(Problem, match="price-changed"):
        await world.begin(await world.order(1000, key="gone", source="tests.quoted"))


async def test_an_order_over_nothing_is_paid_at_once_and_can_be_taken_back(world: World) -> None:
    order = await world.order(6429, -6429, key="nothing")
    assert (order.state, (await world.invoice(order))["status"]) == ("paid", "balanced")
    assert await world.begin(order) == ""
    assert await payments.void(world.system(), order.id) == "refunded"
    assert (await world.invoice(order))["status"] == "cancelled"
    with pytest.raises(Problem, match="to-refund"):
        await payments.void(world.system(), (await world.paid(100, key="something")).id)


async def test_a_refund_that_takes_days_and_one_that_fails(world: World) -> None:
    order = await world.paid(3000, key="slow")
    world.faults(slow_refunds=True)
    await payments.refund(world.system(), order.id, 1000, "slow/1", "退")
    await world.refunded(order, "granted")
    assert (await world.client.post(f"{world.simulator.url}/refunds/done")).status_code == 200
    await world.refunded(order, "done")
    world.faults(broken_refunds=True)
    before = await world.books()
    await payments.refund(world.system(), order.id, 2000, "slow/2", "退")
    assert ((await world.now(order)).state, (await world.now(order)).refunded_fen) == ("refunded", 3000)
    await world.refunded(order, "done", "failed")
    assert ((await world.now(order)).state, (await world.now(order)).refunded_fen) == ("paid", 1000)
    assert (await world.books()) == before, "the institution is owed it again"
    assert (await world.invoice(order))["status"] == "balanced"


async def test_who_may_give_back_and_who_may_only_ask(world: World) -> None:
    order = await world.paid(2000, key="who")
    for actor in (RESIDENT, OTHER, OTHER_CLERK):
        with pytest.raises(Problem, match="unknown"):
            await payments.refund(world.open(actor), order.id, 100, "who/1", "退")
    asked = await ask_refund(world.open(RESIDENT), order.id, 2000, "who/2", "没收到")
    for actor in (OTHER, OTHER_CLERK):
        with pytest.raises(Problem, match="unknown"):
            await judge(world.open(actor), asked.id, grant=True)
    with pytest.raises(Problem, match="not-yours"):
        await judge(world.open(RESIDENT), asked.id, grant=True)
    assert (await world.now(order)).refunded_fen == 0
    assert (await judge(world.open(CLERK), asked.id, grant=False, reason="已签收")).state == "declined"
    assert (await payments.refund(world.open(CLERK), order.id, 100, "who/3", "补差价")).state == "granted"


@pytest.mark.parametrize(("fen", "quantity", "kind", "key"), [
    ((), "1", "drug", "wrong-lines"), ((-5,), "1", "drug", "wrong-line-price"), ((5,), "1", "deduction", "wrong-line-price"), ((5,), "0", "drug", "wrong-line-price"),
    ((5,), "1", "gift", "wrong-line"), ((10**12,), "1", "drug", "wrong-total"), ((5, -6), "1", "", "wrong-total"),
])
async def test_an_order_that_cannot_be_right_is_refused(world: World, fen: tuple[int, ...], quantity: str, kind: str, key: str) -> None:
    lines = [payments.Line("c", "项", one, Decimal(quantity), kind or ("deduction" if one < 0 else "drug")) for one in fen]
    with pytest.raises(Problem, match=key):
        await payments.order(world.system(), payments.Wanted(RESIDENT.person or "", "pay-li-na-1", HOSPITAL, "tests.wrong", lines, f"wrong/{fen}"))


async def test_the_resident_is_told_what_came_back(world: World) -> None:
    order = await world.paid(2345, key="told")
    asked = await ask_refund(world.open(RESIDENT), order.id, 45, "told", "重复")
    await judge(world.open(CLERK), asked.id, grant=False, reason="已使用")
    assert (await world.refunds(order))[0].reason == "重复 · 已使用"
    await payments.refund(world.open(CLERK), order.id, 300, "told/2", "退")
    await world.refunded(order, "declined", "done")
    page = await world.system().search("Communication", [("subject", f"Patient/{order.patient}"), ("_sort", "-sent"), ("_count", "200")])
    texts = [one["payload"][0]["contentString"] for one in page.resources if one.get("about") == [{"reference": f"Invoice/{order.id}"}]]
    assert sorted(texts) == ["退款 ¥3.00 已原路退回，到账时间以银行为准", "退款申请（¥0.45）未通过，原因见订单"]


async def test_a_channel_that_really_took_another_amount_leaves_it_to_a_clerk(world: World) -> None:
    order = await world.order(4000, key="dispute")
    link = await world.begin(order)
    [payment] = await world.payments(order)
    world.simulator.trades["wechat", payment.id].amount = 3900
    await world.press(link)
    await world.until_payment(order, "asked")
    for _ in range(200):
        await world.look()
        if (await world.payments(order))[0].state == "disputed":
            break
    assert [(one.state, one.paid) for one in await world.payments(order)] == [("disputed", None)]
    assert ((await world.now(order)).state, (await world.now(order)).paid_fen) == ("paying", 0)
