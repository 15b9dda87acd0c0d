"""Raw messages, and what goes out, are sealed anew after a new key, while messages come and go."""

from __future__ import annotations

from kangyun.base.database import Connection, queries
from kangyun.base.keys.sealing import key_id_of
from kangyun.base.sealing import Page, reseals
from kangyun.commons.exchange.actions.sealing import PURPOSE

sql = queries("kangyun.commons.exchange", "queries/resealing.sql")

_AT_ONCE = 100
# Table -> the statements that read it and keep a row, and the table after it.
_TABLES = {
    "messages": (sql.messages, sql.keep_message, "uploads"),
    "uploads": (sql.uploads, sql.keep_upload, "outbounds"),
    "outbounds": (sql.outbounds, sql.keep_outbound, None),
}


@reseals(PURPOSE)
async def reseal(connection: Connection, page: Page) -> str | None:
    """Seal some bodies anew, table by table."""
    table, _, last = (page.place or "messages|").partition("|")
    read, keep, following = _TABLES[table]
    rows = await connection.fetch(read, int(last or 0), _AT_ONCE)
    page.seen = len(rows)
    for row in rows:
        sealed, digest = bytes(row["body"]), bytes(row["digest"])
        if key_id_of(sealed).hex() != page.key:
            fresh = page.keys.seal(PURPOSE, page.keys.open(PURPOSE, sealed, digest), digest)
            await connection.execute(keep, row["first"], row["id"], sealed, fresh)
            page.renewed += 1
    if rows:
        return f"{table}|{rows[-1]['id']}"
    return None if following is None else f"{following}|"
