"""Coming into a call, staying, changing what one sends, going."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from kangyun.base import clock, jobs
from kangyun.base.database import Connection, Database
from kangyun.base.errors import refuse
from kangyun.base.keys import KeyStore
from kangyun.base.settings import Settings
from kangyun.care.internet_hospital.actions.calls_post import post, post_to
from kangyun.care.internet_hospital.actions.calls_recordings import settle_recording
from kangyun.care.internet_hospital.decisions.calls import LEVELS, WHYS, credentials, recordable, terms
from kangyun.care.internet_hospital.model.calls import Call, Peer, Place, Seat
from kangyun.care.internet_hospital.queries.calls import hashed, invitations, peers, sealed, sql
from kangyun.commons.access import Gate

_SHORTEST_SECRET = 16
_LONGEST_SECRET = 80
ROSTER = {"kind": "roster"}
"""Tells a browser that who is there, or what they send, has changed; the process it is connected to says how."""


class Means(Protocol):
    """The opened parts of one process (app.services.Services)."""

    @property
    def settings(self) -> Settings:
        """The settings."""
        ...

    @property
    def database(self) -> Database:
        """The database."""
        ...

    @property
    def gate(self) -> Gate:
        """The gate."""
        ...

    @property
    def keys(self) -> KeyStore:
        """The keys."""
        ...


def ice(settings: Settings, peer: str) -> dict[str, Any]:
    """How a browser finds a way to the others: RTCConfiguration, and when its password ends (seconds since 1970)."""
    urls = [url.strip() for url in settings.turn_url.split(",") if url.strip()]
    if not urls:
        return {"servers": [], "relay": False, "ends": 0}
    secret = Path(settings.turn_key_file).read_bytes().strip() if settings.turn_key_file else b""
    told = credentials(secret, peer, clock.seconds())
    server = {"urls": urls, "username": told.user, "credential": told.password}
    return {"servers": [server], "relay": settings.turn_only, "ends": told.ends}


@dataclass(frozen=True, slots=True)
class Arriving:
    """What a browser says when it comes: the secret of its device and the name of this load of the page.

    move: it takes the place over from another device.
    """

    device: str
    run: str
    move: bool = False


async def enter(database: Database, call: Call, seat: Seat, arriving: Arriving) -> Place:
    """Take the seat's place in the call.

    Raises Problem 409 when the consultation is over, or not begun and the seat is not the resident's; when the place is held by another device that is there (and `move`
    was not said), or when the call is full; 422 for a device or run that cannot be ours.
    """
    if not call.is_open:
        raise refuse(409, "conflict", "internet_hospital.call-closed")
    if seat.kind != "resident" and not call.begun:
        raise refuse(409, "conflict", "internet_hospital.call-not-begun")
    if not all(_SHORTEST_SECRET <= len(one) <= _LONGEST_SECRET for one in (arriving.device, arriving.run)):
        raise refuse(422, "value", "internet_hospital.call-device")
    async with database.transaction() as connection:
        await connection.fetchval(sql.lock, call.resident, call.encounter)
        return await _placed(connection, call, seat, arriving)


async def _placed(connection: Connection, call: Call, seat: Seat, arriving: Arriving) -> Place:
    present = await peers(connection, call)
    mine = next((one for one in present if one.who == seat.who), None)
    own = mine is not None and await _holds(connection, call, seat, arriving.device)
    if mine is not None and mine.here and not mine.silent and not own and not arriving.move:
        raise refuse(409, "conflict", "internet_hospital.call-elsewhere")
    if sum(one.here for one in present if one.who != seat.who) >= int(terms()["most"]):
        raise refuse(409, "conflict", "internet_hospital.call-full", most=str(terms()["most"]))
    place = Place(mine.peer if mine is not None and own else secrets.token_urlsafe(12), secrets.token_urlsafe(12))
    await connection.execute(
        sql.enter, call.resident, call.encounter, seat.who, place.peer, seat.kind, seat.role, sealed(seat.name, seat.who),
        hashed(arriving.device), arriving.run, place.line, clock.now())
    if mine is not None and not own:
        await post_to(connection, call.resident, mine.peer, {"kind": "moved"})
    await changed(connection, call)
    return place


async def _holds(connection: Connection, call: Call, seat: Seat, device: str) -> bool:
    rows = await connection.fetch(sql.peers, call.resident, call.encounter)
    return any(row["who"] == seat.who and bytes(row["device"]) == hashed(device) for row in rows)


async def changed(connection: Connection, call: Call) -> None:
    """Let everybody know who is there now, and let the recording run or end by it."""
    await settle_recording(connection, call, recordable(await peers(connection, call)))
    await post(connection, call, ROSTER)


async def still(database: Database, call: Call, place: Place) -> bool:
    """Note that a browser is connected; False when its place is no longer its own."""
    async with database.connection() as connection:
        return bool(await connection.fetchval(sql.seen, call.resident, place.peer, place.line, clock.now()))


async def set_level(database: Database, call: Call, peer: str, level: str, why: str) -> None:
    """Say what a browser sends from now on and why; everybody sees it. Raises Problem 422 for words that do not exist."""
    if level not in LEVELS or why not in WHYS:
        raise refuse(422, "value", "internet_hospital.call-word")
    async with database.transaction() as connection:
        if await connection.fetchval(sql.level, call.resident, peer, level, why):
            await post(connection, call, ROSTER)


async def fall_silent(database: Database, call: Call, place: Place) -> None:
    """Let the others know that the connection broke; the place is kept."""
    async with database.transaction() as connection:
        if await connection.fetchval(sql.silent, call.resident, place.peer, place.line):
            await post(connection, call, ROSTER, sender=place.peer)


async def leave(database: Database, call: Call, place: Place) -> None:
    """Give the place up, and with it what was agreed to."""
    async with database.transaction() as connection:
        await connection.fetchval(sql.lock, call.resident, call.encounter)
        if await connection.fetchval(sql.leave, call.resident, place.peer, place.line, clock.now()):
            await changed(connection, call)


async def look_after(database: Database, call: Call) -> None:
    """What silence changes: somebody is away, and a recording without its doctor ends."""
    async with database.transaction() as connection:
        await connection.fetchval(sql.lock, call.resident, call.encounter)
        await settle_recording(connection, call, recordable(await peers(connection, call)))


async def agree(database: Database, call: Call, peer: str, *, agreed: bool) -> None:
    """Agree to be recorded, or withdraw it: the recording runs while everybody agrees and ends in the same transaction."""
    async with database.transaction() as connection:
        await connection.fetchval(sql.lock, call.resident, call.encounter)
        row = await connection.fetchrow(sql.agree, call.resident, peer, agreed)
        if row is not None:
            await connection.execute(
                sql.agreement, call.resident, call.encounter, row["who"], row["kind"], agreed, clock.now())
            await changed(connection, call)


async def present(database: Database, call: Call) -> tuple[list[Peer], str | None]:
    """Who is in the call, and the recording that runs."""
    async with database.connection() as connection:
        return await peers(connection, call), await connection.fetchval(sql.running, call.resident, call.encounter)


@jobs.every("internet_hospital.forget_calls", seconds=600)
async def forget(services: Any, _payload: dict[str, Any]) -> None:
    """Remove places, signals and links of calls that are long over."""
    old = clock.now() - timedelta(seconds=int(terms()["forget_seconds"]))
    async with services.database.connection() as connection:
        await connection.execute(sql.forget_signals, old)
        await connection.execute(sql.forget_peers, old)
        await connection.execute(sql.forget_calls)
        await connection.execute(invitations.forget, old - timedelta(days=1))
