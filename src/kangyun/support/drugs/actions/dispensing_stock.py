"""What a pharmacy has counted on its shelf."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.support.drugs.actions.circulation import DISPENSE
from kangyun.support.drugs.actions.steps import platform
from kangyun.support.drugs.model.circulation import Shelf
from kangyun.support.drugs.queries.known import drugs_of
from kangyun.support.drugs.queries.stock import sql

_MOST = Decimal(10) ** 9


async def count(handle: Handle, shelves: Sequence[Shelf]) -> None:
    """Keep what was counted; drugs that are not named stay as they are. Raises Problem 403 without an institution, 422 for an unknown drug."""
    own, actor = platform(handle, DISPENSE, "SupplyDelivery"), handle.actor
    if not actor.institution:
        raise refuse(403, "forbidden", "drugs.no-pharmacy")
    known = await drugs_of(own, [one.code for one in shelves])
    for place, one in enumerate(shelves):
        if one.code not in known:
            raise refuse(422, "value", "drugs.wrong-drug", "Parameters.parameter", line=str(place + 1))
        if not 0 <= one.amount < _MOST:
            raise refuse(422, "value", "drugs.wrong-amount", "Parameters.parameter", line=str(place + 1))
    async with own.database.transaction() as connection:
        # In the order of codes, as everybody who takes from a shelf.
        for one in sorted(shelves, key=lambda one: one.code):
            await connection.execute(sql.put, actor.institution, one.code, one.amount, one.batch, one.expires, clock.now())


def shelf(code: str, amount: Decimal, batch: str = "", expires: str = "") -> Shelf:
    """A counted drug from what a form or a partner says. Raises Problem 422 for a date that is none."""
    try:
        return Shelf(code.strip(), amount, batch.strip()[:40], date.fromisoformat(expires) if expires else None)
    except ValueError:
        raise refuse(422, "value", "drugs.wrong-expiry", "Parameters.parameter") from None
