"""The checkout: one figure for a consultation or a prescription, confirmed, paid once, and given back where nothing comes of it.

What a row of internet_hospital_checkout says is true from its transaction on; what has to follow outside of it is a job
(`actions/settling.py`). So a retry, a second device and a killed server do nothing twice.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

import structlog

from kangyun.base import clock, jobs
from kangyun.base.database import Connection
from kangyun.base.errors import refuse
from kangyun.care.internet_hospital.decisions import checkout as judging
from kangyun.care.internet_hospital.decisions.checkout import Quote
from kangyun.care.internet_hospital.queries import checkout as reading
from kangyun.care.internet_hospital.queries.checkout import Checkout, sql
from kangyun.commons.access import Handle, key_of
from kangyun.support import payments

log = structlog.get_logger()

VISIT, MEDICINE = "visit", "medicine"
JOB = "internet_hospital.checkout"
# Left by the job, in whichever way.
MOVING = frozenset({"paid", "settled", "reversing", "refunding"})
_LATER = timedelta(minutes=2)
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be paid. kind: VISIT or MEDICINE; about: id of the Encounter, or number of the prescription.

    patient: id of the Patient whom it is for; payer: id of the Person who pays; institution: id of who is owed.
    """

    kind: str
    about: str
    patient: str
    payer: str
    institution: str
    quote: Quote


async def open_(own: Handle, wish: Wish) -> Checkout:
    """Open the checkout of a consultation or a prescription with its order, or give the one that is open.

    own: of the platform's own work; whoever calls has judged for whom. Raises Problem 409 while one with another figure
    stands: it is cancelled first.
    """
    async with own.connection() as connection:
        kept = await reading.standing(connection, wish.kind, wish.about) or await _put(connection, wish)
    if kept.quote.seal != wish.quote.seal and kept.state == "unpaid":
        raise refuse(409, "conflict", "internet_hospital.other-figure")
    return await ensure_order(own, kept)


async def _put(connection: Connection, wish: Wish) -> Checkout:
    quote, now = wish.quote, clock.now()
    assert quote.is_whole(), "the parts of a figure are the figure"
    earlier = await reading.last_about(connection, wish.kind, wish.about)
    id_ = str(uuid5(NAMESPACE_URL, f"{wish.kind}/{wish.about}/{earlier.id if earlier else ''}"))
    expires = now + timedelta(minutes=judging.minutes_to_pay())
    state = judging.lifecycle().next("", "confirm", "resident")
    row = await connection.fetchrow(
        sql.put, key_of("Patient", wish.patient), id_, wish.kind, wish.about, wish.patient, wish.payer, wish.institution, state, quote.text,
        quote.cash, quote.total, now, expires)
    # Where another device was first, both go on with what it has opened.
    found = reading.of_row(row) if row else await reading.standing(connection, wish.kind, wish.about)
    assert found is not None, "it was opened by us or by somebody before us"
    return found


async def ensure_order(own: Handle, one: Checkout) -> Checkout:
    """The checkout with its order, made now or before a crash; one that needed no cash goes on at once."""
    if one.order_id is not None or one.state != "unpaid":
        return one
    wanted = payments.Wanted(
        one.payer, one.patient, one.institution, f"internet_hospital.{one.kind}", one.quote.order_lines(), one.id, judging.minutes_to_pay())
    order = await payments.order(own, wanted)
    async with own.connection() as connection:
        found = reading.of_row(await connection.fetchrow(sql.set_order, one.resident, one.id, order.id))
    return await paid(own, found) if order.state == "paid" else found


async def again(own: Handle, one: Checkout) -> Checkout:
    """The checkout as it stands now."""
    async with own.connection() as connection:
        return await reading.of_key(connection, one.resident, one.id)


async def move(
    own: Handle, one: Checkout, event: str, who: str = "system", reason: str | None = None, *, wake: bool = False, settlement: str | None = None,
) -> Checkout:
    """Let an event happen to a checkout; where somebody else was first, what it has become.

    wake: the job that takes it further is there with the event. settlement: of insurance, which is for it from now on.
    Raises Problem 409 or 403 where the life cycle knows no such event in its state.
    """
    state = judging.lifecycle().next(one.state, event, who)
    async with own.connection() as connection, AsyncExitStack() as stack:
        if wake:
            # Otherwise the one statement is a transaction of its own.
            await stack.enter_async_context(connection.transaction())
        moved = await connection.fetchval(sql.move, one.resident, one.id, one.state, state, clock.now(), reason, settlement)
        if moved is not None and wake:
            await _enqueue(connection, one, state)
    if moved is None:
        return await again(own, one)
    log.info("internet_hospital.checkout", state=state)
    return one.at(state, settlement)


async def _enqueue(connection: Connection, one: Checkout, state: str) -> None:
    await jobs.enqueue(connection, JOB, {"resident": one.resident, "checkout": one.id}, key=f"{one.id}/{state}")


async def go_on(own: Handle, one: Checkout, because: str) -> None:
    """Let the job look at a checkout once more, once for each reason."""
    async with own.connection() as connection:
        await _enqueue(connection, one, because)


async def paid(own: Handle, one: Checkout) -> Checkout:
    """The order was paid; a repetition changes nothing. What was paid after it was cancelled goes back."""
    return await move(own, one, "pay", wake=True) if one.state in {"unpaid", "cancelled"} else one


async def cancel(services: payments.Parts, own: Handle, one: Checkout, who: str, reason: str) -> Checkout:
    """Give up a checkout: nothing is paid any more, or all goes back. Raises Problem 409 when it is too late."""
    judging.lifecycle().next(one.state, "cancel", who)
    if one.state == "unpaid" and one.order_id is not None:
        await payments.cancel(services, own, one.order_id)
    return await move(own, one, "cancel", who, reason, wake=one.state != "unpaid")


async def lapse(own: Handle, one: Checkout) -> Checkout:
    """Nobody has paid in time."""
    return await move(own, one, "expire", reason="internet_hospital.not-paid-in-time") if one.state == "unpaid" else one


async def overdue(connection: Connection) -> list[Checkout]:
    """What should have moved on by itself: after a crash at the worst moment, or because nobody has paid."""
    now = clock.now()
    rows = await connection.fetch(sql.waiting, now - _LATER, now - _LATER, _AT_ONCE)
    return [await reading.of_key(connection, row["resident"], row["id"]) for row in rows]
