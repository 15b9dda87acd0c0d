"""Sealed anew in the background: what an older version of a key sealed, and what was kept in the open before.

    @reseals("record-identity")
    async def reseal(connection: Connection, page: Page) -> str | None: ...

A room registers one function for each purpose of its own. It takes the rows behind `page.place`, seals anew what
another key than the current one sealed, and returns the place behind them, or None at the end. Passes go on where a
killed one stopped; reads and writes go on meanwhile, because every version of a key opens what it sealed.
"""

from kangyun.base.sealing.passes import (
    Page,
    Progress,
    Way,
    is_done,
    mark_done,
    registered,
    reseal,
    reseal_all,
    reseals,
    retire,
)

__all__ = ["Page", "Progress", "Way", "is_done", "mark_done", "registered", "reseal", "reseal_all", "reseals", "retire"]
