"""Recordings: begun and ended by who agrees, kept sealed in parts, found by a Media resource, removed when their time is over."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog

from kangyun.base import clock, jobs
from kangyun.base.database import Connection, Database
from kangyun.base.errors import refuse
from kangyun.base.keys import KeyStore
from kangyun.base.sealing import Page, reseals
from kangyun.base.web.display import CHINA
from kangyun.care.internet_hospital.decisions.calls import film
from kangyun.care.internet_hospital.decisions.papers import keep_until
from kangyun.care.internet_hospital.model.calls import PURPOSE, Call
from kangyun.care.internet_hospital.queries.calls import recordings, sql
from kangyun.commons.access import Write, key_of

log = structlog.get_logger()

LARGEST_PART = 6 * 1024 * 1024
_MOST_PARTS = 10_000
_KEPT = "internet_hospital.keep_recording"


async def settle_recording(connection: Connection, call: Call, runs: bool) -> None:
    """Begin or end the recording of a call whose row the caller has locked."""
    running = await connection.fetchval(sql.running, call.resident, call.encounter)
    if runs and running is None:
        await _begin(connection, call)
    elif running is not None and not runs:
        await connection.execute(sql.run, call.resident, call.encounter, None)
        await connection.execute(recordings.end, call.resident, running, clock.now())
        await jobs.enqueue(connection, _KEPT, {"patient": call.patient, "id": running}, key=running)


async def _begin(connection: Connection, call: Call) -> None:
    id_, now = str(uuid4()), clock.now()
    await connection.execute(
        recordings.begin, call.resident, id_, call.encounter, call.patient, now, keep_until("Media", now.astimezone(CHINA).date()))
    await connection.execute(sql.run, call.resident, call.encounter, id_)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a recording: its number from 0, and the next piece of the film."""

    recording: str
    number: int
    content: bytes


async def add_part(database: Database, keys: KeyStore, call: Call, part: Part) -> None:
    """Keep the next part of a recording, sealed; a part that is there already is left as it is.

    Raises Problem 409 when the recording does not run any more, 413 for a part that is too large.
    """
    if len(part.content) > LARGEST_PART or not part.content or not 0 <= part.number < _MOST_PARTS:
        raise refuse(413, "too-long", "base.body-too-large", limit=str(LARGEST_PART))
    kept = keys.seal(PURPOSE, part.content, _context(part.recording, part.number))
    whose = call.resident, call.encounter, part.recording
    async with database.transaction() as connection:
        put = await connection.fetchval(recordings.part, *whose, part.number, kept)
        if put is None and not await connection.fetchval(recordings.is_running, *whose):
            raise refuse(409, "conflict", "internet_hospital.call-not-recording")


async def content_of(database: Database, keys: KeyStore, patient: str, recording: str) -> AsyncGenerator[bytes]:
    """The film of a recording, part by part."""
    resident = key_of("Patient", patient)
    async with database.connection() as connection:
        numbers = [int(row["number"]) for row in await connection.fetch(recordings.parts, resident, recording)]
    for number in numbers:
        async with database.connection() as connection:
            sealed = await connection.fetchval(recordings.content, resident, recording, number)
        if sealed is not None:
            yield keys.open(PURPOSE, bytes(sealed), _context(recording, number))


def _context(recording: str, number: int) -> bytes:
    return f"{recording}/{number}".encode()


@jobs.job(_KEPT)
async def keep(services: Any, payload: dict[str, Any]) -> None:
    """Put a recording that has ended into the record, where the resident, the doctor and the regulator find it."""
    resident, id_ = key_of("Patient", payload["patient"]), payload["id"]
    async with services.database.connection() as connection:
        row = await connection.fetchrow(recordings.whole, resident, id_)
        if row is not None and not row["parts"]:
            await connection.execute(recordings.forget, resident, id_)
    if row is None or not row["parts"]:
        return
    media = film(id_, row["patient"], row["encounter"], (row["began"], row["ended"]))
    await services.gate.system("internet_hospital.recordings").commit([Write("update", "Media", media, id_)], key=f"recording/{id_}")


@jobs.every("internet_hospital.forget_recordings", seconds=86_400)
async def forget(services: Any, _payload: dict[str, Any]) -> None:
    """Remove recordings whose years are over, with what finds them."""
    today = clock.now().astimezone(CHINA).date()
    async with services.database.connection() as connection:
        old = await connection.fetch(recordings.old, today)
    for row in old:
        await services.gate.system("internet_hospital.recordings").commit([Write("delete", "Media", None, row["id"])])
        async with services.database.transaction() as connection:
            await connection.execute(recordings.forget_parts, row["resident"], row["id"])
            await connection.execute(recordings.forget, row["resident"], row["id"])
    if old:
        log.info("internet_hospital.recordings_forgotten", count=len(old))


@reseals(PURPOSE)
async def reseal(connection: Connection, page: Page) -> str | None:
    """Seal some parts anew with the current key."""
    resident, _, rest = page.place.partition("|")
    recording, _, number = rest.partition("|")
    rows = await connection.fetch(recordings.page, int(resident or -(2**63)), recording, int(number or -1))
    page.seen = len(rows)
    for row in rows:
        sealed = bytes(row["content"])
        if sealed[1:5].hex() != page.key:
            context = _context(row["recording"], row["number"])
            anew = page.keys.seal(PURPOSE, page.keys.open(PURPOSE, sealed, context), context)
            await connection.execute(recordings.keep, row["resident"], row["recording"], row["number"], anew)
            page.renewed += 1
    return f"{rows[-1]['resident']}|{rows[-1]['recording']}|{rows[-1]['number']}" if rows else None
