"""Believing a channel: what it says was paid is paid once, whoever brings the word and however often.

A notice, an answer to our question and a clerk's resolution of a difference all come here. The order's row is locked
first, so that they wait for each other; books, order, Invoice and PaymentNotice change in one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog

from kangyun.base import clock, jobs, lifecycles
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.support.payments.actions.books import post
from kangyun.support.payments.actions.orders import changed_to
from kangyun.support.payments.decisions import books
from kangyun.support.payments.decisions.resources import payment_notice
from kangyun.support.payments.model import PACKAGE, Payment, Seen, day_of
from kangyun.support.payments.queries.orders import Locked, lock_by, sql

log = structlog.get_logger()

TAKEN, TWICE, UNKNOWN, AMOUNT = "taken", "repeated", "unknown", "amount"


async def confirm(handle: Handle, id_: str, seen: Seen, *, asked: bool = False) -> str:
    """Take a payment for paid; `handle` is of the platform. The verdict: taken, repeated, unknown or amount.

    amount: the channel says another amount than we asked for. Told by a notice, the channel is asked at once; told by its
    answer to our question (`asked`), the payment is disputed until a clerk has judged the difference in the bill.
    """
    verdict: list[str] = []

    async def change(session: Transaction) -> Sequence[Write]:
        found = await lock_by(session.connection, "payment", id_)
        payment = next((one for one in found.payments if one.id == id_), None) if found else None
        if found is None or payment is None:
            verdict.append(UNKNOWN)
            return ()
        verdict.append(_verdict(payment, seen))
        if verdict[0] == AMOUNT:
            statement = sql.payment_disputed if asked else sql.payment_doubted
            await session.connection.execute(statement, payment.resident, id_, seen.number if asked else clock.now())
        return await _paid(session, found, payment, seen) if verdict[0] == TAKEN else ()

    await handle.commit([], beside=change)
    log.info("payments.confirmed", outcome=verdict[0])
    return verdict[0]


def _verdict(payment: Payment, seen: Seen) -> str:
    if payment.state == "paid":
        return TWICE
    return TAKEN if seen.amount_fen == payment.amount_fen else AMOUNT


async def _paid(session: Transaction, found: Locked, payment: Payment, seen: Seen) -> Sequence[Write]:
    order, moment = found.order, seen.paid or clock.now()
    needed = "confirm" in lifecycles.load(PACKAGE).may(order.state, "channel")
    await session.connection.execute(
        sql.payment_paid, payment.resident, payment.id, seen.number, moment, day_of(moment), not needed)
    if not needed:
        await _give_back(session, payment, moment)
        return ()
    await post(session.connection, "paid", payment.id, moment, books.paid(payment.channel, order.institution, payment.amount_fen))
    for other in found.payments:
        if other.id != payment.id and other.state == "asked":
            await jobs.enqueue(session.connection, "payments.close", {"payment": other.id}, key=other.id)
    state = lifecycles.load(PACKAGE).next(order.state, "confirm", "channel")
    changes = await changed_to(session, found, state, paid=True)
    return [*changes, Write("update", "PaymentNotice", payment_notice(order, payment.id, payment.amount_fen, moment), id=payment.id, if_match=0)]


async def _give_back(session: Transaction, payment: Payment, moment: datetime) -> None:
    """What came without need goes back whole: the order was paid another way, or had ended."""
    connection, name, fen = session.connection, payment.channel, payment.amount_fen
    refund, now = f"{payment.id}X", clock.now()
    await post(connection, "paid-in-excess", payment.id, moment, books.paid_in_excess(name, fen))
    await post(connection, "refund-granted", refund, now, books.refund_granted(name, "", fen, excess=True))
    await connection.execute(
        sql.grant_refund, payment.resident, refund, payment.order, payment.id, name, f"excess/{payment.id}", "granted", fen, "excess", "platform",
        now, now, True)
    await jobs.enqueue(connection, "payments.refund", {"refund": refund}, key=refund)
