"""Every day each channel's bill is compared with the books; every difference is found, and stays until it is resolved.

The books follow the bill, since that is what the channel transfers: what then remains on the channel's account is exactly
what the open differences come to. A payment that only we do not know of, because its notice was lost, is asked for and
taken at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import date, time, timedelta
from typing import Any

import structlog

from kangyun.base import clock, jobs
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.support.payments.actions import paying, refunds
from kangyun.support.payments.actions.books import post
from kangyun.support.payments.actions.paying import away
from kangyun.support.payments.actions.standing import Parts
from kangyun.support.payments.decisions import books, resolving
from kangyun.support.payments.decisions.reconciling import compare, sums_of_bill, sums_of_ours
from kangyun.support.payments.decisions.resources import payment_reconciliation
from kangyun.support.payments.gateways.channels import channels
from kangyun.support.payments.model import Bill, Difference, Refused, Unreachable, day_of
from kangyun.support.payments.queries.orders import payment_of
from kangyun.support.payments.queries.reconciling import Found, found_of, is_ours, ours_of, shares, sql

log = structlog.get_logger()

_DAYS_TRIED = 3
_COUNTS = {"payment": "paid", "refund": "done"}


@jobs.every("payments.reconcile", at=time(10, 30))
async def reconcile_days(services: Parts, payload: dict[str, Any]) -> None:
    """Compare the bills of the last days that were not compared yet; channels make them by ten in the morning."""
    del payload
    today = day_of(clock.now())
    for back in range(_DAYS_TRIED, 0, -1):
        for name in channels(services.settings):
            await _try(services, name, today - timedelta(days=back))


async def _try(services: Parts, channel: str, day: date) -> None:
    async with services.database.connection() as connection:
        done = await connection.fetchval(sql.reconciled, channel, day)
    if not done:
        try:
            await reconcile(services, channel, day)
        except (Unreachable, Refused) as error:
            log.warning("payments.no-bill", name_of=channel, error=type(error).__name__)


async def reconcile(services: Parts, channel: str, day: date) -> int:
    """Compare a channel's bill of a day; may be done again, which finds what has changed. How many differences are open.

    Raises Unreachable, and Refused while there is no bill or it contradicts itself.
    """
    via = channels(services.settings).get(channel)
    if via is None:
        raise Refused("NO_CHANNEL")
    bill = await via.bill(day)
    handle = services.gate.system("payments.reconcile")
    found = await _compared(handle, channel, bill)
    for one in found:
        await _asked(services, one)
    if any(one.kind == "status" for one in found):
        found = await _compared(handle, channel, bill)
    log.info("payments.reconciled", name_of=channel, count=len(bill.rows), found=len(found))
    return len(found)


async def _compared(handle: Handle, channel: str, bill: Bill) -> list[Difference]:
    found: list[Difference] = []

    async def keep(session: Transaction) -> Sequence[Write]:
        connection, now = session.connection, clock.now()
        ours = await ours_of(connection, channel, bill.day, bill.rows)
        found.extend(compare(ours, bill.rows))
        theirs, own = sums_of_bill(bill.rows), sums_of_ours(ours)
        await connection.execute(
            sql.keep, channel, bill.day, zlib.compress(bill.file), theirs.count, theirs.fen, theirs.refund_fen, theirs.fee_fen, own.count, own.fen,
            own.refund_fen, now)
        for one in found:
            await connection.execute(
                sql.keep_difference, channel, bill.day, one.kind, one.about, one.id, one.ours_fen, one.theirs_fen, one.ours, one.theirs, now)
        await connection.execute(sql.vanished, channel, bill.day, [f"{one.kind}/{one.about}/{one.id}" for one in found], now)
        await connection.execute(sql.found_later, channel, [f"{row.about}/{row.id}" for row in bill.rows], now)
        moved = books.settled(channel, theirs.fen, theirs.refund_fen, theirs.fee_fen)
        if moved:
            await post(connection, "settled", f"{channel}/{bill.day.isoformat()}", now, moved)
        return [await _told(session, channel, bill, len(found))]

    await handle.commit([], beside=keep)
    return found


async def _told(session: Transaction, channel: str, bill: Bill, count: int) -> Write:
    resource = payment_reconciliation(channel, bill.day, clock.now(), await shares(session.connection, channel, bill.day), differences=count)
    return Write("update", "PaymentReconciliation", resource, id=resource["id"])


async def _asked(services: Parts, one: Difference) -> None:
    """A payment or refund that the channel has finished and we have not: its notice was lost, so the channel is asked."""
    if one.kind != "status":
        return
    try:
        await _ask(services, one.about, one.id)
    except (Unreachable, Refused) as error:
        log.info("payments.look-later", type=one.about, error=type(error).__name__)


async def _ask(services: Parts, about: str, subject: str) -> None:
    if about == "refund":
        await refunds.push(services, subject)
        return
    async with services.database.connection() as connection:
        payment = await payment_of(connection, subject)
    if payment is not None and payment.state != "paid":
        await paying.look(services, payment)


async def resolve(services: Parts, handle: Handle, id_: int, resolution: str, note: str = "") -> None:
    """Resolve a difference, as rules/resolutions.yaml offers. `handle` is the clerk's. Raises Problem 404, 409, 422, 503."""
    async with services.database.connection() as connection:
        row = await connection.fetchrow(sql.lock_difference, id_)
        known = bool(row) and await is_ours(connection, row["subject"])
    if row is None:
        raise refuse(404, "not-found", "payments.unknown")
    one = found_of(row)
    if resolution not in resolving.offered(one.kind, known=known):
        raise refuse(422, "value", "payments.wrong-resolution", "resolution")
    if resolution in {"book", "note"} and not 0 < len(note.strip()) <= 500:
        raise refuse(422, "required", "payments.note-needed", "note")
    if resolution == "ask":
        await _ask_and_compare(services, one)
        return
    if resolution != "wait":
        await _close(handle, one, resolution, note.strip())


async def _ask_and_compare(services: Parts, one: Found) -> None:
    try:
        await _ask(services, one.about, one.subject)
        await reconcile(services, one.channel, one.day)
    except (Unreachable, Refused):
        raise away() from None


async def _close(handle: Handle, one: Found, resolution: str, note: str) -> None:
    surplus = resolving.surplus(
        one.about, one.ours_fen, one.theirs_fen, ours_counts=one.ours == _COUNTS[one.about], theirs_counts=one.theirs == _COUNTS[one.about])
    async with handle.database.transaction() as connection:
        row = await connection.fetchrow(sql.lock_difference, one.id)
        if row is None or row["state"] != "open":
            raise refuse(409, "conflict", "payments.resolved-already")
        await connection.execute(sql.resolve, one.id, resolution, note, handle.actor.account or handle.actor.name, clock.now())
        if resolution == "book" and surplus:
            await post(connection, "set-aside", str(one.id), clock.now(), books.set_aside(one.channel, surplus))
