"""Writing in the books: a transaction of its own kind and reference once, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from kangyun.base.database import Connection
from kangyun.support.payments.model import Posting, day_of
from kangyun.support.payments.queries.ledger import sql


async def post(connection: Connection, kind: str, reference: str, moment: datetime, postings: Sequence[Posting]) -> bool:
    """Post both sides; False when this kind of event was posted for this reference before.

    The database refuses the whole transaction when the sides are not equal.
    """
    accounts = [one.account for one in postings]
    await connection.execute(sql.open_accounts, accounts)
    made = await connection.fetchval(sql.post, kind, reference, moment, day_of(moment), accounts, [one.fen for one in postings])
    return made is not None
