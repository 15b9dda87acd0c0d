"""Paying institutions what was paid for them: up to a day, once, and then the bank's word that it was transferred."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.support.payments.actions.books import post
from kangyun.support.payments.actions.standing import Parts
from kangyun.support.payments.decisions import books
from kangyun.support.payments.gateways.channels import channels
from kangyun.support.payments.queries.ledger import owed, sql
from kangyun.support.payments.queries.reconciling import not_reconciled


async def settle_institutions(services: Parts, handle: Handle, day: date) -> Sequence[str]:
    """Make the settlements of all institutions for the days up to one; again makes none twice. Their ids.

    An institution that owes us, because more was given back than paid, is left for a later day. Raises Problem 409 while
    the day's bill of a channel that was used has not been compared.
    """
    async with handle.database.transaction() as connection:
        missing = await not_reconciled(connection, list(channels(services.settings)), day)
        if missing:
            raise refuse(409, "conflict", "payments.not-reconciled", channel=", ".join(missing))
        made = [await _settle(connection, institution, day, fen) for institution, fen in (await owed(connection, day)).items() if fen > 0]
    return [one for one in made if one]


async def _settle(connection: Connection, institution: str, day: date, fen: int) -> str:
    id_ = f"{day:%Y%m%d}-{institution}"
    placed = await connection.fetchval(sql.place_settlement, id_, institution, day, fen, clock.now())
    if placed is None:
        return ""
    await post(connection, "to-transfer", id_, clock.now(), books.to_transfer(institution, fen))
    return id_


async def transferred(handle: Handle, id_: str, bank_reference: str) -> None:
    """The bank has paid a settlement, under its own reference; said again it changes nothing. Raises Problem 404, 422."""
    told = bank_reference.strip()
    if not 0 < len(told) <= 64:
        raise refuse(422, "required", "payments.reference-needed", "reference")
    async with handle.database.transaction() as connection:
        row = await connection.fetchrow(sql.lock_settlement, id_)
        if row is None:
            raise refuse(404, "not-found", "payments.unknown")
        if row["state"] == "made":
            await connection.execute(sql.settlement_paid, id_, told, clock.now())
            await post(connection, "transferred", id_, clock.now(), books.transferred(row["institution"], row["amount_fen"]))
