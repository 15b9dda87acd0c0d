"""Orders: made once for a key with prices that stay, and ended when nobody pays, cancels them, or a price has changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

import orjson
import structlog

from kangyun.base import clock, lifecycles
from kangyun.base.errors import refuse
from kangyun.base.money import Fen
from kangyun.commons.access import Handle, Transaction, Write, key_of
from kangyun.support.payments.decisions import orders as judging
from kangyun.support.payments.decisions.resources import changed, invoice
from kangyun.support.payments.model import PACKAGE, Line, Order, Wanted
from kangyun.support.payments.queries.orders import Locked, lock, order_by_key, order_of, sql

log = structlog.get_logger()

# Today's prices by line code; what is not in it is not sold any more. It gets a handle of the platform.
Quote = Callable[[Handle, Order], Awaitable[Mapping[str, Fen]]]

_quotes: dict[str, Quote] = {}


def quoted(source: str, quote: Quote) -> None:
    """Settle who knows today's prices of a kind of order; they are asked before it is paid."""
    _quotes[source] = quote


async def order(handle: Handle, wanted: Wanted) -> Order:
    """Make an order and its Invoice, or give the one that was made with this key.

    handle: of the platform, as `acting` or `system` give it; the room that calls has judged for whom. An order over
    nothing is paid at once. Raises Problem 422 for what cannot be right, 409 for a key that was used for something else.
    """
    wrong = judging.fault(wanted)
    if wrong:
        raise refuse(422, "value", wrong[0], wrong[1])
    made = _made(wanted)
    kept: list[Order] = []

    async def place(session: Transaction) -> Sequence[Write]:
        lines = orjson.dumps([judging.row_of(line) for line in made.lines]).decode()
        placed = await session.connection.fetchval(
            sql.place, made.resident, made.id, wanted.key, made.person, made.patient, made.institution, made.source, made.state, lines,
            made.total_fen, made.made, made.expires, made.paid)
        if placed is None:
            kept.append(await _same(session, made, wanted.key))
            return ()
        return [Write("update", "Invoice", invoice(made), id=made.id, if_match=0)]

    await handle.commit([], beside=place)
    return kept[0] if kept else made


def _made(wanted: Wanted) -> Order:
    now, total = clock.now(), judging.total(wanted.lines)
    cycle = lifecycles.load(PACKAGE)
    state = cycle.next("", "place" if total else "place-free", "platform")
    expires = now + timedelta(minutes=wanted.minutes or judging.terms().minutes)
    return Order(
        key_of("Person", wanted.payer), judging.new_number(now.date()), wanted.payer, wanted.patient, wanted.institution, wanted.source, state, total,
        0, 0, tuple(wanted.lines), now, expires, None if total else now)


async def _same(session: Transaction, made: Order, key: str) -> Order:
    """The order that was made before with this key; it must be the same wish."""
    earlier = await order_by_key(session.connection, made.resident, key)
    assert earlier is not None
    if (earlier.institution, earlier.source, _told(earlier)) != (made.institution, made.source, _told(made)):
        raise refuse(409, "duplicate", "payments.key-used")
    return earlier


def _told(one: Order) -> list[Mapping[str, object]]:
    return [judging.row_of(line) for line in one.lines]


async def outdated(handle: Handle, order_: Order) -> list[Line]:
    """The lines whose price is not today's; none when nobody knows prices of this kind of order."""
    quote = _quotes.get(order_.source)
    return judging.changed_prices(order_.lines, await quote(handle, order_)) if quote else []


async def end(handle: Handle, order_id: str, event: str, who: str, reason: str = "") -> str:
    """Let an order end by cancel, expire or outdate; every payment of it was closed before. The state it is in then.

    Raises Problem 409 when it cannot end so any more, for instance because it was paid meanwhile.
    """
    ended: list[str] = []

    async def change(session: Transaction) -> Sequence[Write]:
        found = await lock(session.connection, order_id)
        assert found is not None
        state = lifecycles.load(PACKAGE).next(found.order.state, event, who)
        if any(one.state == "asked" for one in found.payments):
            raise refuse(409, "conflict", "payments.being-paid")
        ended.append(state)
        return await changed_to(session, found, state, reason=reason)

    await handle.commit([], beside=change)
    log.info("payments.ended", state=ended[0])
    return ended[0]


async def void(handle: Handle, order_id: str) -> str:
    """Take back an order over nothing, whose Invoice is then cancelled; `handle` is of the platform. Raises Problem 404, 409."""
    async with handle.connection() as connection:
        found = await order_of(connection, order_id)
    if found is None:
        raise refuse(404, "not-found", "payments.unknown")
    if found.total_fen:
        raise refuse(409, "conflict", "payments.to-refund")
    return await end(handle, order_id, "void", "platform")


async def changed_to(
    session: Transaction, found: Locked, state: str, *, paid: bool | None = None, refunded: Fen | None = None, reason: str = "",
) -> list[Write]:
    """Write an order's new state; the writes that let its Invoice follow, which nobody else has changed meanwhile."""
    one = found.order
    moment = clock.now() if paid else one.paid
    await session.connection.execute(
        sql.change_order, one.resident, one.id, state, one.total_fen if paid else one.paid_fen, one.refunded_fen if refunded is None else refunded,
        moment, reason or one.reason)
    kept = await session.read("Invoice", one.id)
    after = changed(kept, state, reason) if kept else None
    if kept is None or after is None or after == kept:
        return []
    return [Write("update", "Invoice", after, id=one.id, if_match=int(kept["meta"]["versionId"]))]
