"""Documents go up to the province: put down beside the feed, built once, sent until there is a receipt.

A process that dies between building and receipt sends the same bytes under the same id again; the province knows them.
A person can stop the upload: what changes meanwhile waits.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import structlog
from prometheus_client import Counter

from kangyun.base import clock
from kangyun.base.database import Connection, Database
from kangyun.base.errors import Problem
from kangyun.base.jobs import every
from kangyun.base.keys import KeyStore
from kangyun.base.reactions import Change
from kangyun.commons.access import Gate, Handle
from kangyun.commons.exchange.actions import sealing
from kangyun.commons.exchange.actions.issuing import document_of
from kangyun.commons.exchange.decisions.cda.building import Built
from kangyun.commons.exchange.decisions.cda.headings import Edition
from kangyun.commons.exchange.decisions.cda.uploads import key_variable, province_url, set_of, wanted
from kangyun.commons.exchange.gateways.mllp import Unreachable
from kangyun.commons.exchange.gateways.province import Province
from kangyun.commons.exchange.queries.upload import pause, sql, write_reason
from kangyun.commons.population import person_of

log = structlog.get_logger()

UPLOADS = Counter("kangyun_exchange_uploads", "Documents for the province, by result.", ["result"])
_AT_ONCE = 50
_PAUSES = (5, 15, 60, 300, 900, 3600)
_PROBE = Edition("-", "-", 0, "2000-01-01")
# How often the province could not be reached, and when it is called again; each process finds out itself.
_resting: list[float] = [0, 0.0]


async def put(handle: Handle, change: Change) -> None:
    """Put down the document that a change brings up to date; a repeated delivery changes nothing."""
    resource = None if change.deleted else await handle.read(change.type, change.id)
    want = wanted(resource) if resource else None
    if want is None:
        return
    async with handle.connection() as connection:
        row = (change.resident, want.patient, want.document, want.visit)
        await connection.execute(sql.put_aside, *row)
        await connection.execute(sql.put, *row)


@every("exchange.upload", seconds=5)
async def upload(services: Any, _payload: dict[str, Any]) -> None:
    """The scheduled job; `services` has database, gate and keys."""
    url = province_url()
    if not url or _resting[1] > clock.now().timestamp():
        return
    if await upload_due(services.database, services.gate, services.keys, url) is None:
        rest = _PAUSES[min(int(_resting[0]), len(_PAUSES) - 1)]
        _resting[:] = [_resting[0] + 1, clock.now().timestamp() + rest]
    else:
        _resting[:] = [0, 0.0]


async def upload_due(database: Database, gate: Gate, keys: KeyStore, url: str) -> int | None:
    """Send what is due; how many were settled, or None when the province cannot be reached."""
    async with database.connection() as connection:
        if await pause(connection) or not await connection.fetchval(sql.take_turn):
            return 0
        try:
            return await _Turn(connection, gate.system("exchange"), keys).run(url)
        except Unreachable as error:
            log.warning("upload.unreachable", error=str(error))
            return None
        finally:
            await connection.execute(sql.end_turn)


class _Turn:
    """One round of sending, over one line to the province."""

    def __init__(self, connection: Connection, handle: Handle, keys: KeyStore) -> None:
        self._connection = connection
        self._handle = handle
        self._keys = keys

    async def run(self, url: str) -> int:
        settled = 0
        async with Province(url, os.environ.get(key_variable(), "")) as province:
            while rows := await self._connection.fetch(sql.due, clock.now(), _AT_ONCE):
                for row in rows:
                    settled += await self._one(province, row)
                if await pause(self._connection):
                    break
        return settled

    async def _one(self, province: Province, row: Any) -> int:
        try:
            body = await self._body(row)
        except Problem as problem:
            return await self._on_problem(row, problem)
        if body is None:
            return 1
        answer = await province.send(_document_id(row), body)
        if answer.verdict == "later":
            await self._postpone(row, write_reason("exchange.province-later", text=answer.reason))
            return 0
        reason = write_reason("exchange.province-refused", text=answer.reason) if answer.verdict == "refused" else None
        await self._settle(row, answer.verdict, reason, answer.receipt)
        return 1

    async def _on_problem(self, row: Any, problem: Problem) -> int:
        """What the document is about is gone; or the record cannot be asked for the moment."""
        key = problem.issues[0].key
        if problem.status == 404:
            await self._settle(row, "incomplete", write_reason(key))
            return 1
        await self._postpone(row, write_reason(key))
        return 0

    async def _body(self, row: Any) -> bytes | None:
        """The document as it was built; or built now and kept before anything is sent. None when there is nothing to send."""
        if row["body"] is not None:
            return sealing.opened(self._keys, bytes(row["body"]), row["sealed"], bytes(row["digest"]))
        person = await person_of(self._handle, row["patient"])
        set_id = set_of(str(person["id"]) if person else row["patient"], row["document"], row["visit"])
        last = await self._connection.fetchrow(sql.last_of, set_id)
        probe = await self._built(row, _PROBE)
        if probe.missing:
            lacks = "、".join(f"{one.zh}（{one.code}）" for one in probe.missing), ", ".join(f"{one.en} ({one.code})" for one in probe.missing)
            await self._settle(row, "incomplete", write_reason("exchange.incomplete", lacks=lacks[0], lacks_en=lacks[1]))
            return None
        content = sealing.content_hash(self._keys, probe.xml)
        if last is not None and last["content"] is not None and bytes(last["content"]) == content:
            await self._settle(row, "unchanged", None)
            return None
        return await self._write(row, set_id, last, content)

    async def _write(self, row: Any, set_id: str, last: Any, content: bytes) -> bytes:
        version = ((last["version"] if last else None) or 0) + 1
        replaces = f"KYU{last['accepted']}" if last is not None and last["accepted"] else ""
        edition = Edition(_document_id(row), set_id, version, clock.instant(clock.now()), replaces)
        body = (await self._built(row, edition)).xml
        digest = sealing.content_hash(self._keys, body)
        how, wrapped = sealing.sealed(self._keys, body, digest)
        await self._connection.execute(sql.write, row["resident"], row["id"], set_id, version, content, how, digest, wrapped)
        return body

    async def _built(self, row: Any, edition: Edition) -> Built:
        return await document_of(self._handle, row["document"], row["patient"], edition, visit_id=row["visit"])

    async def _settle(self, row: Any, state: str, reason: str | None, receipt: str = "") -> None:
        await self._connection.execute(sql.settle, row["resident"], row["id"], state, clock.now(), receipt or None, reason)
        UPLOADS.labels(state).inc()

    async def _postpone(self, row: Any, reason: str) -> None:
        rest = timedelta(seconds=_PAUSES[min(row["tries"], len(_PAUSES) - 1)])
        await self._connection.execute(sql.postpone, row["resident"], row["id"], clock.now() + rest, reason)


def _document_id(row: Any) -> str:
    return f"KYU{row['id']}"


async def stop(connection: Connection, by_whom: str) -> None:
    """A person stops the upload; what changes meanwhile waits."""
    await connection.execute(sql.stop, clock.now(), by_whom)


async def resume(connection: Connection) -> None:
    """The upload goes on, at once."""
    _resting[:] = [0, 0.0]
    await connection.execute(sql.resume)


async def again(connection: Connection, number: int) -> None:
    """Build and send anew what was refused or incomplete."""
    await connection.execute(sql.again, number)
