"""Telling subscribers that persons were merged, linked or parted, and of documents: a notice waits in the outbound table until it was taken.

A notice is an empty POST to the address of the Subscription (rest-hook): no data of a resident leaves by it. Several
changes that wait for one subscriber are one notice. After `_TRIES` failures the Subscription gets the status error.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import structlog

from kangyun.base import clock
from kangyun.base.database import Connection, queries
from kangyun.base.jobs import every
from kangyun.base.outside import Unfetchable, allowances, check, fetch
from kangyun.base.reactions import Change
from kangyun.commons.access import Handle, Write
from kangyun.commons.exchange.decisions.outbound.subscriptions import (
    Unwanted,
    Wanted,
    concerns,
    links_changed,
    wanted,
)

log = structlog.get_logger()
sql = queries("kangyun.commons.exchange", "queries/outbound.sql")

_TRIES = 8
_PAUSES = (5, 15, 60, 300, 600, 1800, 3600)
_PATIENCE = 10.0
_LARGEST = 65_536
_FRESH = 5.0
_HOOK = "rest-hook"
# The active Subscriptions as this process last read them, and when (monotonic seconds).
_known: tuple[float, list[Wanted]] = (-_FRESH, [])


def forget() -> None:
    """Forget what was read, for tests with several databases."""
    global _known  # noqa: PLW0603 - one memory of the process
    _known = (-_FRESH, [])


async def put(handle: Handle, change: Change) -> None:
    """Put a notice down for every Subscription that a change of a Person or a document fulfils; a repeated delivery changes nothing."""
    keys = [one.key for one in await _active(handle) if await _fulfils(handle, one, change)]
    if keys:
        async with handle.connection() as connection:
            names = [_HOOK] * len(keys)
            await connection.execute(sql.put, change.resident, keys, names, change.seq, change.type, change.id, change.version)


async def _active(handle: Handle) -> list[Wanted]:
    global _known  # noqa: PLW0603 - one memory of the process
    if time.monotonic() - _known[0] > _FRESH:
        found = await _subscriptions(handle, "active")
        _known = (time.monotonic(), [one for resource in found if (one := _served(resource))])
    return _known[1]


def _served(resource: dict[str, Any]) -> Wanted | None:
    try:
        return wanted(resource)
    except Unwanted:
        return None


async def _subscriptions(handle: Handle, status: str) -> list[dict[str, Any]]:
    page = await handle.search("Subscription", [("status", status), ("type", _HOOK), ("_count", "200")])
    return page.resources


async def _fulfils(handle: Handle, one: Wanted, change: Change) -> bool:
    if one.type == change.type:
        return not one.query or bool((await handle.search(one.type, [*one.query, ("_id", change.id)])).resources)
    if one.type != "Linkage" or change.type != "Person":
        return False
    numbers = [change.version - 1, change.version] if change.version > 1 else [change.version]
    stored = [await handle.fetch_version("Person", change.id, number) for number in numbers]
    versions = [found.resource if found else None for found in stored]
    before, after = (versions[0] if len(versions) > 1 else None), versions[-1]
    return links_changed(before, after) and concerns(one.query, change.id, before, after)


@every("exchange.notify", seconds=5)
async def notify(services: Any, _payload: dict[str, Any]) -> None:
    """The scheduled job: take up what was asked for, and tell what waits. `services` has database, gate and settings."""
    handle, allow = services.gate.system("exchange"), allowances(services.settings.outside_allow)
    for resource in await _subscriptions(handle, "requested"):
        await _take_up(handle, resource, allow)
    for resource in await _subscriptions(handle, "active"):
        if _over(resource):
            await _set(handle, resource, "off")
        elif (one := _served(resource)) is not None:
            await _tell(services, handle, resource, one, allow)


async def _take_up(handle: Handle, resource: dict[str, Any], allow: tuple[str, ...]) -> None:
    try:
        await check(wanted(resource).endpoint, allow)
    except Unwanted as refused:
        await _set(handle, resource, "error", f"not offered: {refused.reason}")
    except Unfetchable as refused:
        await _set(handle, resource, "error", f"address refused: {refused.reason}")
    else:
        await _set(handle, resource, "active")


def _over(resource: dict[str, Any]) -> bool:
    end = resource.get("end")
    return bool(end) and datetime.fromisoformat(str(end)) <= clock.now()


async def _set(handle: Handle, resource: dict[str, Any], status: str, error: str = "") -> None:
    news = {key: value for key, value in resource.items() if key != "error"} | {"status": status}
    if error:
        news["error"] = error
    version = int(resource["meta"]["versionId"])
    await handle.commit([Write("update", "Subscription", news, id=str(resource["id"]), if_match=version)])


async def _tell(services: Any, handle: Handle, resource: dict[str, Any], one: Wanted, allow: tuple[str, ...]) -> None:
    async with services.database.connection() as connection:
        if not await connection.fetchval(sql.take_turn, one.key):
            return
        try:
            waiting = await connection.fetchrow(sql.notices, one.key)
            if waiting["last"] is None or (waiting["rest"] and waiting["rest"] > clock.now()):
                return
            reason = await _said(one, allow)
            given_up = await _note(connection, one, waiting, reason)
        finally:
            await connection.execute(sql.end_turn, one.key)
    if given_up:
        await _set(handle, resource, "error", f"not delivered: {reason}")


async def _said(one: Wanted, allow: tuple[str, ...]) -> str:
    """Say it; empty when it was taken, else why not."""
    try:
        answer = await fetch(one.endpoint, limit=_LARGEST, seconds=_PATIENCE, allow=allow, method="POST", headers=one.headers)
    except Unfetchable as failed:
        return failed.reason
    return "" if 200 <= answer.status < 300 else f"status {answer.status}"


async def _note(connection: Connection, one: Wanted, waiting: Any, reason: str) -> bool:
    """Note what became of the notices; whether they are given up."""
    if not reason:
        await connection.execute(sql.settle_notices, one.key, waiting["last"], "sent", clock.now(), None)
        return False
    log.warning("outbound.unreachable", sender=one.key, error=reason)
    if waiting["tries"] + 1 >= _TRIES:
        await connection.execute(sql.settle_notices, one.key, waiting["last"], "refused", clock.now(), reason)
        return True
    pause = timedelta(seconds=_PAUSES[min(waiting["tries"], len(_PAUSES) - 1)])
    await connection.execute(sql.postpone_notices, one.key, waiting["last"], clock.now() + pause, reason)
    return False
