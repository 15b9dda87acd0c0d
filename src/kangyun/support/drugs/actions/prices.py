"""Setting an institution's own price of a drug. A price is never changed backwards: it holds from the moment it is set."""

from __future__ import annotations

from collections.abc import Sequence

from kangyun.base import clock, money
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.support.drugs.queries.known import drugs_of
from kangyun.support.drugs.queries.prices import sql

PRICES = "drugs.prices"
# A million yuan for a package is a slip of the pen.
_MOST_FEN = 100_000_000


async def set_price(handle: Handle, code: str, yuan: str) -> int:
    """Set what one package costs at the caller's institution, in yuan as people write it; returns it in fen.

    Raises Problem: 403 without an institution, 404 for a drug that is not in the catalogue, 422 for what is no price.
    """
    own = handle.acting(PRICES, PRICES, writes="MedicationKnowledge")
    institution = handle.actor.institution
    if not institution:
        raise refuse(403, "forbidden", "drugs.no-institution")
    if not await drugs_of(own, [code]):
        raise refuse(404, "not-found", "drugs.unknown")
    fen = _fen(yuan)

    async def beside(session: Transaction) -> Sequence[Write]:
        await session.connection.execute(sql.put, institution, code, clock.now(), fen, handle.actor.name)
        return []

    await own.commit([], beside=beside)
    return fen


def _fen(yuan: str) -> int:
    try:
        fen = int(money.parse(yuan))
    except ValueError as error:
        raise refuse(422, "value", "drugs.wrong-price") from error
    if not 0 <= fen <= _MOST_FEN:
        raise refuse(422, "value", "drugs.wrong-price")
    return fen
