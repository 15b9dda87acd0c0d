"""Giving back: a payer asks, a clerk or a room of the platform grants, and the channel gives each granted refund back once.

What is granted is reserved in the order and in the books at once, so that never more goes back than was paid. The channel
is told by a job that exists exactly when the grant does, under the refund's own number: it may be told any number of times.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from kangyun.base import clock, jobs, lifecycles, money
from kangyun.base.errors import refuse
from kangyun.base.money import Fen
from kangyun.commons.access import Handle, Transaction, Write, tell
from kangyun.support.payments.actions.books import post
from kangyun.support.payments.actions.orders import changed_to
from kangyun.support.payments.actions.paying import notify_address
from kangyun.support.payments.actions.standing import Case, Parts, case, unknown
from kangyun.support.payments.decisions import books
from kangyun.support.payments.decisions.orders import look_after, refundable, terms
from kangyun.support.payments.decisions.resources import payment_notice
from kangyun.support.payments.gateways.channels import channels
from kangyun.support.payments.model import PACKAGE, Order, Payment, Refund, Refused, SeenRefund, day_of
from kangyun.support.payments.queries.orders import Locked, lock, lock_by, payment_of, refund_of, sql

log = structlog.get_logger()

_CYCLE = "lifecycle_refund.yaml"
_LONGEST_REASON = 200


async def refund(handle: Handle, order_id: str, amount_fen: Fen, key: str, reason: str = "") -> Refund:
    """Give back a part or all of what an order was paid; the same key gives back once.

    handle: of a clerk of the institution, or of the platform when a room has judged. Raises Problem 404 for what is not
    the clerk's, 409 when it was not paid or less is left than wanted, 422 for an amount that is none.
    """
    return await _made(await case(handle, order_id, "clerk", "platform"), "grant", amount_fen, key, reason)


async def ask_refund(handle: Handle, order_id: str, amount_fen: Fen, key: str, reason: str) -> Refund:
    """Ask the institution for money back; it decides. Raises Problem as `refund`, and 422 without a reason."""
    if not reason.strip():
        raise refuse(422, "required", "payments.reason-needed", "reason")
    return await _made(await case(handle, order_id, "payer"), "ask", amount_fen, key, reason)


async def _made(found: Case, event: str, amount_fen: Fen, key: str, reason: str) -> Refund:
    if len(reason) > _LONGEST_REASON or not 0 < len(key) <= 200:
        raise refuse(422, "value", "payments.wrong-reason", "reason")
    made: list[Refund] = []

    async def change(session: Transaction) -> Sequence[Write]:
        locked = await lock(session.connection, found.order.id)
        assert locked is not None
        earlier = await session.connection.fetchrow(sql.refund_by_key, locked.order.resident, key)
        if earlier is not None:
            made.append(_same(locked, str(earlier["id"]), amount_fen))
            return ()
        made.append(_new(locked, event, amount_fen, found.who, reason.strip()))
        return await _keep(session, locked, made[0], key)

    await found.handle.commit([], beside=change)
    return made[0]


def _same(locked: Locked, id_: str, amount_fen: Fen) -> Refund:
    earlier = next((one for one in locked.refunds if one.id == id_), None)
    if earlier is None or earlier.amount_fen != amount_fen:
        raise refuse(409, "duplicate", "payments.key-used")
    return earlier


def _new(locked: Locked, event: str, amount_fen: Fen, who: str, reason: str) -> Refund:
    order = locked.order
    state = lifecycles.load(PACKAGE, _CYCLE).next("", event, who)
    payment = _payment_of(locked)
    _check_amount(order, payment, amount_fen)
    if event == "ask" and any(one.state == "asked" for one in locked.refunds):
        raise refuse(409, "duplicate", "payments.asked-already")
    number = f"{order.id}R{len(locked.refunds) + 1:02}"
    return Refund(
        order.resident, number, order.id, payment.id if payment else "", state, amount_fen, reason, who, "", clock.now(),
        channel=payment.channel if payment else "")


def _payment_of(locked: Locked) -> Payment | None:
    """The payment that an order was paid with; an order over nothing has none."""
    return next((one for one in locked.payments if one.state == "paid" and not one.excess), None)


def _check_amount(order: Order, payment: Payment | None, amount_fen: Fen) -> None:
    if order.state not in {"paid", "refunded"} or payment is None or payment.paid is None:
        raise refuse(409, "conflict", "payments.not-paid")
    if clock.now() - payment.paid > timedelta(days=terms().refund_days):
        raise refuse(409, "conflict", "payments.too-old")
    if amount_fen <= 0:
        raise refuse(422, "value", "payments.wrong-amount", "amount")
    if amount_fen > refundable(order):
        raise refuse(409, "conflict", "payments.too-much", "amount")


async def _keep(session: Transaction, locked: Locked, one: Refund, key: str) -> Sequence[Write]:
    granted = one.state == "granted"
    await session.connection.execute(
        sql.grant_refund, one.resident, one.id, one.order, one.payment, one.channel, key, one.state, one.amount_fen, one.reason, one.asked_by,
        one.made, _next_look() if granted else None, False)
    return await _reserved(session, locked, one) if granted else ()


def _next_look() -> datetime:
    """When a channel that says nothing is asked by itself."""
    return clock.now() + timedelta(seconds=look_after(0))


async def _reserved(session: Transaction, locked: Locked, one: Refund) -> Sequence[Write]:
    """The amount leaves what the institution is owed, and the job that tells the channel is there."""
    order, event = locked.order, "refund-all" if one.amount_fen == refundable(locked.order) else "refund-part"
    state = lifecycles.load(PACKAGE).next(order.state, event, "platform")
    await post(session.connection, "refund-granted", one.id, clock.now(), books.refund_granted(one.channel, order.institution, one.amount_fen, excess=False))
    await jobs.enqueue(session.connection, "payments.refund", {"refund": one.id}, key=one.id)
    return await changed_to(session, locked, state, refunded=order.refunded_fen + one.amount_fen)


async def judge(handle: Handle, refund_id: str, *, grant: bool, reason: str = "") -> Refund:
    """Grant or decline what a payer has asked for; the payer may withdraw it. Raises Problem 404 and 409 as `refund`."""
    async with handle.connection() as connection:
        asked = await refund_of(connection, refund_id)
    if asked is None:
        raise unknown()
    found = await case(handle, asked.order, "clerk", "payer")
    event = "grant" if grant else "decline" if found.who == "clerk" else "withdraw"

    async def change(session: Transaction) -> Sequence[Write]:
        locked = await lock_by(session.connection, "refund", refund_id)
        assert locked is not None
        one = next(one for one in locked.refunds if one.id == refund_id)
        state = lifecycles.load(PACKAGE, _CYCLE).next(one.state, event, found.who)
        if grant:
            _check_amount(locked.order, _payment_of(locked), one.amount_fen)
        await session.connection.execute(
            sql.change_refund, one.resident, one.id, state, "", None, None, _next_look() if grant else None, _both(one.reason, reason))
        if grant:
            return await _reserved(session, locked, one)
        return [await _told(session, locked.order, "declined", one.amount_fen)] if event == "decline" else ()

    await found.handle.commit([], beside=change)
    async with handle.connection() as connection:
        judged = await refund_of(connection, refund_id)
    return judged or asked


def _both(asked: str, answered: str) -> str:
    """Why the payer wants it back, and what the clerk says to it."""
    return f"{asked} · {answered.strip()[:_LONGEST_REASON]}" if answered.strip() else asked


async def _told(session: Transaction, order: Order, what: str, fen: Fen) -> Write:
    """The notice to the resident; a text message says an amount and nothing else."""
    return await tell(
        session.connection, order.patient, key=f"payments.told.{what}", about=f"Invoice/{order.id}", page=f"/payments/orders/{order.id}",
        amount=money.shown(fen))


@jobs.job("payments.refund", tries=12)
async def tell_channel(services: Parts, payload: dict[str, Any]) -> None:
    """Have the channel give a granted refund back; it is asked again until it says how it ended."""
    await push(services, str(payload["refund"]))


async def push(services: Parts, refund_id: str) -> None:
    """Tell the channel of a granted refund, or ask how it stands. Raises Unreachable, and Refused for what needs a person."""
    async with services.database.connection() as connection:
        one = await refund_of(connection, refund_id)
        payment = await payment_of(connection, one.payment) if one else None
    if one is None or payment is None or one.state != "granted":
        return
    via = channels(services.settings).get(one.channel)
    if via is None:
        raise Refused("NO_CHANNEL")
    seen = await via.query_refund(one, payment) if one.looks else SeenRefund("unknown")
    if seen.state == "unknown":
        seen = await via.refund(one, payment, notify_address(services.settings, via.name))
    if seen.state in {"done", "failed"}:
        await finish(services.gate.system("payments.refund"), refund_id, seen)


async def finish(handle: Handle, refund_id: str, seen: SeenRefund) -> str:
    """Believe a channel about a refund, once: taken, repeated, unknown or amount; `handle` is of the platform."""
    verdict: list[str] = []

    async def change(session: Transaction) -> Sequence[Write]:
        locked = await lock_by(session.connection, "refund", refund_id)
        one = next((one for one in locked.refunds if one.id == refund_id), None) if locked else None
        verdict.append(_verdict(one, seen))
        return await _finished(session, locked, one, seen) if locked and one and verdict[0] == "taken" else ()

    await handle.commit([], beside=change)
    log.info("payments.refunded", outcome=verdict[0])
    return verdict[0]


def _verdict(one: Refund | None, seen: SeenRefund) -> str:
    if one is None:
        return "unknown"
    if one.state != "granted" or seen.state not in {"done", "failed"}:
        return "repeated"
    return "taken" if seen.state == "failed" or seen.amount_fen == one.amount_fen else "amount"


async def _finished(session: Transaction, locked: Locked, one: Refund, seen: SeenRefund) -> Sequence[Write]:
    order, connection, moment = locked.order, session.connection, seen.done or clock.now()
    good = seen.state == "done"
    state = lifecycles.load(PACKAGE, _CYCLE).next(one.state, "finish" if good else "fail", "channel")
    await connection.execute(
        sql.change_refund, one.resident, one.id, state, seen.number, moment, day_of(moment) if good else None, None, one.reason)
    if good:
        await post(connection, "refund-done", one.id, moment, books.refund_done(one.channel, one.amount_fen))
        notice = await _told(session, order, "excess" if one.excess else "refunded", one.amount_fen)
        if one.excess:
            return [notice]
        return [notice, Write("update", "PaymentNotice", payment_notice(order, one.id, -one.amount_fen, moment), id=one.id, if_match=0)]
    await post(connection, "refund-failed", one.id, moment, books.refund_failed(one.channel, order.institution, one.amount_fen, excess=one.excess))
    if one.excess:
        return []
    restored = lifecycles.load(PACKAGE).next(order.state, "restore", "channel")
    return await changed_to(session, locked, restored, refunded=order.refunded_fen - one.amount_fen)
