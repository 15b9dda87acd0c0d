"""The passes over everything that is sealed for a purpose."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import structlog

from kangyun.base import clock
from kangyun.base.database import Connection, Database, queries
from kangyun.base.jobs import every
from kangyun.base.keys import KeyStore

sql = queries(__package__ or "", "passes.sql")
log = structlog.get_logger()

# Another process may seal with the version before for as long as it trusts what it has read of the key.
_SETTLED_SECONDS = 5.0


@dataclass(slots=True)
class Page:
    """One step of a pass: the keys, where it begins, the version of the key, and what came of it.

    `whole`: nothing was ever gone through, so rows in the open and without keyed numbers may be there.
    """

    keys: KeyStore
    place: str
    key: str
    whole: bool
    seen: int = 0
    renewed: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """What a pass has done so far."""

    purpose: str
    seen: int
    renewed: int


@dataclass(frozen=True, slots=True)
class Way:
    """How a pass is made: `told` hears of every page, `rest` is how long it rests for each second of work.

    With `again` a pass is made though one was made with the current key.
    """

    told: Callable[[Progress], None] = lambda _: None
    rest: float = 1.0
    again: bool = False


Step = Callable[[Connection, Page], Awaitable[str | None]]

_QUIETLY = Way()
_steps: dict[str, Step] = {}


def reseals(purpose: str) -> Callable[[Step], Step]:
    """Register the function that goes through what is sealed for a purpose."""

    def register(step: Step) -> Step:
        _steps[purpose] = step
        return step

    return register


def registered() -> list[str]:
    """The purposes that can be sealed anew."""
    return sorted(_steps)


@every("keys.reseal", seconds=60)
async def reseal_all(services: Any, _payload: dict[str, Any]) -> None:
    """The scheduled job: a pass for each purpose whose key was changed, or that was never gone through."""
    for purpose in registered():
        done = await reseal(services.database, services.keys, purpose)
        if done and done.renewed:
            log.info("keys.resealed", purpose=purpose, count=done.renewed)


async def reseal(database: Database, keys: KeyStore, purpose: str, way: Way = _QUIETLY) -> Progress | None:
    """Go through a purpose to its end; None when there is nothing to do, or it cannot be done now.

    It cannot be done in the first seconds of a new key, nor while another process is about it.
    """
    key, age = keys.current(purpose, clock.now())
    async with database.connection() as connection:
        if age < _SETTLED_SECONDS or not await connection.fetchval(sql.alone, purpose):
            return None
        try:
            return await _pass(connection, keys, purpose, key, way)
        finally:
            await connection.execute(sql.together, purpose)


async def _pass(connection: Connection, keys: KeyStore, purpose: str, key: str, way: Way) -> Progress | None:
    state = await connection.fetchrow(sql.state, purpose)
    if state is not None and state["key"] == key and state["done"] and not way.again:
        return None
    if state is None or state["key"] != key or state["done"]:
        state = await connection.fetchrow(sql.begin, purpose, key)
    assert state is not None
    progress = Progress(purpose, state["seen"], state["renewed"])
    place, whole = str(state["place"]), state["first"] is None
    while True:
        page = Page(keys, place, key, whole)
        started = time.monotonic()
        following = await _steps[purpose](connection, page)
        if following is None:
            await connection.execute(sql.finish, purpose, key, page.seen, page.renewed)
        else:
            await connection.execute(sql.advance, purpose, key, following, page.seen, page.renewed)
        progress = Progress(purpose, progress.seen + page.seen, progress.renewed + page.renewed)
        way.told(progress)
        if following is None:
            return progress
        place = following
        # Whoever waits for an answer from this process comes first.
        await asyncio.sleep((time.monotonic() - started) * way.rest)


async def is_done(connection: Connection, purpose: str) -> bool:
    """Whether everything of a purpose was gone through once, so that nothing is kept in the open."""
    state = await connection.fetchrow(sql.state, purpose)
    return state is not None and state["first"] is not None


async def mark_done(connection: Connection, purpose: str, key: str) -> None:
    """Say of a new database that nothing was ever kept in the open."""
    await connection.execute(sql.begin, purpose, key)
    await connection.execute(sql.finish, purpose, key, 0, 0)


async def retire(database: Database, keys: KeyStore, purpose: str) -> list[str] | None:
    """Remove the old versions of a key when a whole pass has found nothing that needs them; the ids, or None where one did.

    A transaction that was under way during a pass may leave a row behind it: such a row is sealed anew by this pass, and the
    next call finds nothing.
    """
    done = await reseal(database, keys, purpose, Way(rest=0.0, again=True))
    if done is None or done.renewed:
        return None
    return keys.retire(purpose)
