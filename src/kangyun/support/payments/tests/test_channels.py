"""Three channels in their own protocols over real HTTP: pay, give back, lose, repeat, delay, forge, and still every fen once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kangyun.app.services import Services
from kangyun.base.errors import Problem
from kangyun.support import payments
from kangyun.support.payments.gateways import simulated
from kangyun.support.payments.gateways.simulator import keep
from kangyun.support.payments.tests.world import CHANNELS, HOSPITAL, RESIDENT, World, paying


@pytest.fixture(scope="module")
async def world(services: Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with paying(services, Path(tmp_path_factory.mktemp("channels"))) as found:
        yield found


@pytest.fixture(autouse=True)
async def nothing_goes_wrong(world: World) -> AsyncIterator[None]:
    yield
    world.faults()
    world.simulator.changes.clear()


@pytest.mark.parametrize("scene", ["desktop", "phone"])
@pytest.mark.parametrize("channel", CHANNELS)
async def test_an_order_is_paid_and_given_back(world: World, channel: str, scene: str) -> None:
    before = (await world.books()).get(f"payable/{HOSPITAL}", 0)
    order = await world.order(3252, 3177, key=f"first/{channel}/{scene}")
    assert (await world.invoice(order))["status"] == "issued"
    await world.press(await world.begin(order, channel, scene))
    paid = await world.until(order, "paid")
    assert (paid.paid_fen, (await world.invoice(order))["status"]) == (6429, "balanced")
    assert (await world.books())[f"payable/{HOSPITAL}"] == before - 6429
    [payment] = await world.payments(order)
    notice = await world.system().read("PaymentNotice", payment.id)
    assert notice
    assert (notice["amount"]["value"], notice["request"]["reference"]) == (64.29, f"Invoice/{order.id}")
    refund = await payments.refund(world.system(), order.id, 2000, f"part/{channel}/{scene}", "少发一盒")
    assert refund.state == "granted"
    await world.refunded(order, "done")
    await payments.refund(world.system(), order.id, 4429, f"rest/{channel}/{scene}", "全部退回")
    await world.refunded(order, "done", "done")
    assert ((await world.now(order)).state, (await world.invoice(order))["status"]) == ("refunded", "cancelled")
    books = await world.books()
    assert (books.get(f"payable/{HOSPITAL}", 0), books.get(f"refunding/{channel}", 0)) == (before, 0)
    assert world.simulator.trades[channel, payment.id].given_back == 6429


async def test_a_channel_that_is_started_again_knows_what_was_paid_and_given_back(world: World, tmp_path: Path) -> None:
    order = await world.paid(3252, key="books")
    await payments.refund(world.system(), order.id, 1000, "books", "少发一盒")
    await world.refunded(order, "done")
    [payment] = await world.payments(order)
    keep(world.simulator, tmp_path / "books.json")
    with simulated.running(tmp_path) as again:
        assert again.trades == world.simulator.trades
        trade = again.by_token(again.trades["wechat", payment.id].token)
        assert trade
        assert (trade.state, trade.given_back) == ("paid", 1000)
        assert again.by_number("wechat", trade.number) is trade
        [refund] = trade.refunds
        assert again.back_of("wechat", refund) == (trade, trade.refunds[refund])
    with simulated.running(tmp_path) as third:
        assert third.trades == again.trades


async def test_the_same_order_again_gives_the_same_link(world: World) -> None:
    order = await world.order(500, key="again")
    assert await world.begin(order) == await world.begin(order)
    assert len(await world.payments(order)) == 1
    assert (await world.order(500, key="again")).id == order.id
    with pytest.raises(Problem, match="key-used"):
        await world.order(600, key="again")


@pytest.mark.parametrize("channel", CHANNELS)
async def test_notices_that_come_twice_late_and_forged_pay_once(world: World, channel: str) -> None:
    world.faults(twice=1, forged=1, late=0.2)
    before = (await world.books()).get(f"channel/{channel}", 0)
    orders = [await world.order(1000 + number, key=f"twice/{channel}/{number}") for number in range(6)]
    links = [await world.begin(order, channel) for order in orders]
    await asyncio.gather(*(world.press(link) for link in links))
    for order in orders:
        await world.until(order, "paid")
    await world.noted(6 * (1 + CHANNELS.index(channel)), "forged")
    assert (await world.books())[f"channel/{channel}"] - before == sum(range(1000, 1006))
    for order in orders:
        assert [one["status"] for one in await world.system().history("Invoice", order.id)] == ["balanced", "issued"]


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_lost_notice_is_only_a_late_one(world: World, channel: str) -> None:
    world.faults(lost=1)
    order = await world.order(8800, key=f"lost/{channel}")
    await world.press(await world.begin(order, channel))
    assert (await world.now(order)).state == "paying"
    await world.looked(order, "paid")


async def test_the_page_that_asks_again_finds_what_was_lost(world: World) -> None:
    world.faults(lost=1)
    order = await world.order(900, key="asked")
    await world.press(await world.begin(order))
    assert (await payments.ask(world.services, world.open(RESIDENT), order.id)).state == "paid"


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_notice_with_another_amount_is_not_believed(world: World, channel: str) -> None:
    world.faults(amount=1)
    order = await world.order(7000, key=f"amount/{channel}")
    await world.press(await world.begin(order, channel))
    await world.noted(1 + CHANNELS.index(channel), "amount")
    assert (await world.now(order)).state == "paying"
    await world.looked(order, "paid")
    assert (await world.now(order)).paid_fen == 7000, "the channel's own answer says the right amount"
