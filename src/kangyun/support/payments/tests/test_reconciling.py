"""Every difference that is planted in a channel's bill is found, and what remains on its account is what they come to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.base.errors import Problem
from kangyun.base.web.display import CHINA
from kangyun.support import payments
from kangyun.support.payments.actions.reconciling import reconcile, reconcile_days, resolve
from kangyun.support.payments.actions.settling import settle_institutions, transferred
from kangyun.support.payments.decisions.reconciling import Ours, compare
from kangyun.support.payments.gateways import alipay_bill, unionpay_bill, wechat_bill
from kangyun.support.payments.model import BillRow, Refused, day_of
from kangyun.support.payments.queries.ledger import settlements
from kangyun.support.payments.queries.reconciling import Found, days, differences
from kangyun.support.payments.tests.world import CHANNELS, FINANCE, HOSPITAL, World, paying, post

MORNING = datetime(2026, 11, 3, 2, tzinfo=CHINA)


@pytest.fixture(scope="module")
async def world(services: Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with paying(services, Path(tmp_path_factory.mktemp("bills"))) as found:
        yield found


@pytest.fixture(autouse=True)
async def nothing_goes_wrong(world: World) -> AsyncIterator[None]:
    yield
    world.faults()
    world.simulator.changes.clear()


def on(day: int, hour: int = 9) -> date:
    """Let it be a day of November; a clock of its own day for each test, since books are only added to."""
    moment = MORNING.replace(day=day, hour=hour)
    clock.set_source(lambda: moment)
    return moment.date()


async def found_on(world: World, channel: str, day: date) -> list[Found]:
    """The open differences of a channel's day."""
    async with world.services.database.connection() as connection:
        return await differences(connection, channel, day, "open")


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_day_without_differences_balances_to_the_fen(world: World, channel: str) -> None:
    day = on(3 + CHANNELS.index(channel))
    orders = [await world.paid(1000 + number, key=f"equal/{channel}/{number}", channel=channel) for number in range(4)]
    await payments.refund(world.system(), orders[0].id, 300, f"equal/{channel}", "退")
    await world.refunded(orders[0], "done")
    on(day.day + 1)
    assert await reconcile(world.services, channel, day) == 0
    books = await world.books()
    assert books[f"channel/{channel}"] == 0
    assert books[f"fee/{channel}"] == sum(round((1000 + number) * 0.006) for number in range(4)) - 2
    kept = await world.system().read("PaymentReconciliation", f"{channel}-{day.isoformat()}")
    assert kept
    assert (kept["outcome"], kept["paymentAmount"]["value"]) == ("complete", 37.06)
    assert await reconcile(world.services, channel, day) == 0
    assert await world.books() == books, "comparing again books nothing again"


Plant = Callable[[list[BillRow], dict[str, str]], list[BillRow]]

PLANTS: dict[str, Plant] = {
    "missing-here": lambda rows, ids: [*rows, BillRow("payment", "K999999NOBODY01", "4200099", 777, 5, "paid")],
    "missing-there": lambda rows, ids: [row for row in rows if row.id != ids["first"]],
    "amount": lambda rows, ids: [replace(row, amount_fen=row.amount_fen + 50) if row.id == ids["first"] else row for row in rows],
    "status": lambda rows, ids: [*rows, BillRow("payment", ids["unpaid"], "4200098", 5000, 30, "paid")],
    "duplicated": lambda rows, ids: [*rows, next(row for row in rows if row.id == ids["second"])],
    "missing-there refund": lambda rows, ids: [row for row in rows if row.about != "refund"],
}
SURPLUS = {"missing-here": 777, "missing-there": -2000, "amount": 50, "status": 5000, "duplicated": 3000, "missing-there refund": 400}


@pytest.mark.parametrize(("number", "plant"), list(enumerate(PLANTS)))
@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_planted_difference_is_found_alone_and_set_aside(world: World, channel: str, number: int, plant: str) -> None:
    day = on(7 + number, 9 + CHANNELS.index(channel))
    key = f"{plant}/{channel}"
    first, second = await world.paid(2000, key=f"{key}/1", channel=channel), await world.paid(3000, key=f"{key}/2", channel=channel)
    await payments.refund(world.system(), second.id, 400, key, "退")
    await world.refunded(second, "done")
    unpaid = await world.order(5000, key=f"{key}/3", minutes=1000)
    await world.begin(unpaid, channel)
    ids = {name: (await world.payments(one))[0].id for name, one in {"first": first, "second": second, "unpaid": unpaid}.items()}
    before = (await world.books())[f"channel/{channel}"] - 4600
    world.simulator.changes.append(lambda name, _day, rows: PLANTS[plant](rows, ids) if name == channel else rows)
    clock.set_source(lambda: MORNING.replace(day=day.day + 1, hour=0))
    await reconcile(world.services, channel, day)
    [one] = await found_on(world, channel, day)
    assert (one.kind, one.about) == (plant.split(maxsplit=1)[0], "refund" if "refund" in plant else "payment")
    assert (await world.books())[f"channel/{channel}"] - before == -SURPLUS[plant], "what remains is what the difference comes to"
    with pytest.raises(Problem, match="note-needed"):
        await resolve(world.services, world.open(FINANCE), one.id, "book")
    await resolve(world.services, world.open(FINANCE), one.id, "book", "待渠道核实")
    books = await world.books()
    assert books[f"channel/{channel}"] == before
    assert await found_on(world, channel, day) == []
    with pytest.raises(Problem, match="resolved-already"):
        await resolve(world.services, world.open(FINANCE), one.id, "note", "又一次")


@pytest.mark.parametrize("channel", CHANNELS)
async def test_all_planted_differences_at_once_are_found_each(world: World, channel: str) -> None:
    day = on(14 + CHANNELS.index(channel))
    orders = [await world.paid(2000 + number, key=f"all/{channel}/{number}", channel=channel) for number in range(6)]
    ids = [(await world.payments(one))[0].id for one in orders]
    world.simulator.changes.append(lambda name, _day, rows: [
        *(replace(row, amount_fen=1) if row.id == ids[1] else row for row in rows if row.id != ids[0]),
        *(row for row in rows if row.id == ids[2]), BillRow("payment", "K999999NOBODY02", "4200097", 10, 0, "paid"),
        BillRow("refund", "K999999NOBODY03", "4200096", 20, 0, "done")] if name == channel else rows)
    on(day.day + 1)
    assert await reconcile(world.services, channel, day) == 5
    told = {(one.kind, one.subject) for one in await found_on(world, channel, day)}
    assert told == {
        ("missing-there", ids[0]), ("amount", ids[1]), ("duplicated", ids[2]), ("missing-here", "K999999NOBODY02"), ("missing-here", "K999999NOBODY03")}


@pytest.mark.parametrize("channel", CHANNELS)
async def test_a_payment_whose_every_word_was_lost_is_taken_by_the_bill(world: World, channel: str) -> None:
    day = on(18 + CHANNELS.index(channel))
    world.faults(lost=1)
    order = await world.order(1300, key=f"word/{channel}", minutes=1000)
    await world.press(await world.begin(order, channel))
    on(day.day + 1)
    assert await reconcile(world.services, channel, day) == 0
    assert ((await world.now(order)).state, (await world.invoice(order))["status"]) == ("paid", "balanced")
    async with world.services.database.connection() as connection:
        [one] = await differences(connection, channel, day)
    assert (one.kind, one.resolution) == ("status", "vanished")


async def test_what_stands_in_the_next_bill_resolves_itself(world: World) -> None:
    day = on(22)
    order = await world.paid(640, key="next")
    [payment] = await world.payments(order)
    moved = BillRow("payment", payment.id, payment.number, 640, 4, "paid")
    world.simulator.changes.append(lambda _name, wanted, rows: [row for row in rows if row.id != payment.id] if wanted == day else [*rows, moved])
    on(24)
    assert await reconcile(world.services, "wechat", day) == 1
    assert await reconcile(world.services, "wechat", day + timedelta(days=1)) == 0
    assert await found_on(world, "wechat", day) == []


async def test_a_bill_that_contradicts_itself_is_refused(world: World) -> None:
    day = on(25)
    await world.paid(640, key="broken")
    good = wechat_bill.write([])
    for file in (b"", good[:50], good.replace("总交易单数".encode(), b"x"), good.replace(b"`0,", b"`7,")):
        with pytest.raises(Refused):
            wechat_bill.parse(file)
    for file in (b"PK", b"", alipay_bill.write("a", [])[:-30]):
        with pytest.raises(Refused):
            alipay_bill.parse(file)
    for packed in ("", "###", "eJw=", unionpay_bill.write([])[:-4]):
        with pytest.raises(Refused):
            unionpay_bill.parse(packed)
    async with world.services.database.connection() as connection:
        assert all(one.day != day for one in await days(connection))


async def test_institutions_are_paid_once_what_was_paid_for_them(world: World) -> None:
    day = on(26)
    before = -(await world.books())[f"payable/{HOSPITAL}"]
    order = await world.paid(10_000, key="settle")
    on(27)
    late = await world.paid(500, key="settle/late")
    await payments.refund(world.system(), order.id, 2500, "settle", "退")
    await world.refunded(order, "done")
    with pytest.raises(Problem, match="not-reconciled"):
        await settle_institutions(world.services, world.open(FINANCE), day)
    assert await reconcile(world.services, "wechat", day) == 0
    [made] = await settle_institutions(world.services, world.open(FINANCE), day)
    assert await settle_institutions(world.services, world.open(FINANCE), day) == []
    async with world.services.database.connection() as connection:
        [kept] = [one for one in await settlements(connection, HOSPITAL) if one.id == made]
    assert kept.amount_fen == before + 10_000, "what was given back on the next day is of the next day"
    books = await world.books()
    assert books[f"payable/{HOSPITAL}"] == -(late.total_fen - 2500)
    for _ in range(2):
        await transferred(world.open(FINANCE), made, "ICBC-20261127-001")
    after = await world.books()
    assert (after[f"clearing/{HOSPITAL}"], books["bank"] - after["bank"]) == (0, kept.amount_fen)


async def test_the_finance_clerk_does_it_on_pages(world: World) -> None:
    day = on(28)
    order = await world.paid(900, key="pages")
    [payment] = await world.payments(order)
    world.simulator.changes.append(lambda _name, _day, rows: [row for row in rows if row.id != payment.id])
    on(29)
    async with world.browser(FINANCE) as client:
        home = "/payments/reconciliation"
        done = await post(client, home, f"{home}/compare", channel="wechat", day=day.isoformat())
        assert done.headers["location"] == f"{home}/wechat/{day.isoformat()}"
        shown = (await client.get(done.headers["location"])).text
        assert payment.id in shown
        assert "Missing there" in shown
        [one] = await found_on(world, "wechat", day)
        path = f"{home}/differences/{one.id}"
        assert (await post(client, home, path, resolution="book", note="")).status_code == 422
        assert (await post(client, home, path, resolution="forget", note="x")).status_code == 422
        assert (await post(client, home, path, resolution="note", note="银行已确认")).status_code == 303
        assert "银行已确认" in (await client.get(f"{home}/wechat/{day.isoformat()}")).text
        today = await post(client, home, f"{home}/compare", channel="wechat", day="2026-11-29")
        assert (today.status_code, "before today" in today.text) == (422, True)


async def test_the_job_of_the_morning_compares_what_was_not_compared(world: World) -> None:
    on(30)
    await reconcile_days(world.services, {})
    async with world.services.database.connection() as connection:
        compared = {(one.channel, one.day.day) for one in await days(connection)}
    assert {(channel, day) for channel in CHANNELS for day in (27, 28, 29)} <= compared


KINDS = st.sampled_from(["same", "dropped", "extra", "amount", "status", "twice"])


# A machine shared by many must not fail a property for its slowness.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(KINDS, st.integers(2, 10**6)), max_size=12))
def test_whatever_is_planted_is_found_and_nothing_else(cases: list[tuple[str, int]]) -> None:
    ours, bill, expected = list[Ours](), list[BillRow](), set[tuple[str, str]]()
    for number, (kind, fen) in enumerate(cases):
        id_ = f"p{number}"
        state = "asked" if kind == "status" else "paid"
        if kind != "extra":
            ours.append(Ours("payment", id_, fen, state, counted=state == "paid"))
        row = BillRow("payment", id_, "n", fen - 1 if kind == "amount" else fen, 0, "paid")
        bill += {"dropped": [], "twice": [row, row]}.get(kind, [row])
        names = {"dropped": "missing-there", "extra": "missing-here", "amount": "amount", "status": "status", "twice": "duplicated"}
        expected |= {(names[kind], id_)} if kind != "same" else set()
    assert {(one.kind, one.id) for one in compare(ours, bill)} == expected


def test_a_day_is_one_of_china() -> None:
    assert day_of(datetime(2026, 11, 21, 16, tzinfo=UTC)) == date(2026, 11, 22)
