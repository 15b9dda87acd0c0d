"""Telling receivers what has changed: put down beside the feed, composed once, sent in order for each resident.

A message is sent again under the same control id until its receiver has acknowledged it. A process that dies after the
receiver took a message and before that was noted sends it once more, the same bytes; by its control id the receiver
knows it, as we do ourselves.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog

from kangyun.base import clock
from kangyun.base.database import Connection, Database, queries
from kangyun.base.errors import Problem
from kangyun.base.jobs import every
from kangyun.base.keys import KeyStore
from kangyun.base.reactions import Change
from kangyun.commons.access import Gate, Handle
from kangyun.commons.exchange.actions import sealing
from kangyun.commons.exchange.decisions.message import parse
from kangyun.commons.exchange.decisions.outbound import (
    Receiver,
    Story,
    compose,
    gathering,
    receivers,
    references,
    resource_of,
    wants_before,
)
from kangyun.commons.exchange.gateways.mllp import Line, Unreachable, trusted
from kangyun.commons.exchange.model import Fault

log = structlog.get_logger()
sql = queries("kangyun.commons.exchange", "queries/outbound.sql")

_AT_ONCE = 50
_PAUSES = (5, 15, 60, 300, 600)
_PEOPLE = {"Practitioner"}
_TAKEN, _REJECTED = {"AA", "CA"}, {"AR", "CR"}
# When a receiver that could not be reached is called again, and how often it has failed; each process finds out itself.
_resting: dict[str, tuple[int, float]] = {}


async def put(handle: Handle, change: Change) -> None:
    """Put down a change for every receiver that has asked for it; a repeated delivery changes nothing."""
    wanted = [(one.key, name) for one in receivers().values() for name in one.messages if resource_of(name) == change.type]
    if change.deleted or not wanted:
        return
    async with handle.connection() as connection:
        keys, names = [key for key, _ in wanted], [name for _, name in wanted]
        await connection.execute(sql.put, change.resident, keys, names, change.seq, change.type, change.id, change.version)


@every("exchange.tell", seconds=5)
async def tell(services: Any, _payload: dict[str, Any]) -> None:
    """The scheduled job; `services` has database, gate and keys."""
    for receiver in receivers().values():
        count, until = _resting.get(receiver.key, (0, 0.0))
        if until > clock.now().timestamp():
            continue
        if await tell_receiver(services.database, services.gate, services.keys, receiver) is None:
            pause = _PAUSES[min(count, len(_PAUSES) - 1)]
            _resting[receiver.key] = (count + 1, clock.now().timestamp() + pause)
        else:
            _resting.pop(receiver.key, None)


async def tell_receiver(database: Database, gate: Gate, keys: KeyStore, receiver: Receiver) -> int | None:
    """Send all that is due to one receiver; how many were settled, or None when the receiver cannot be reached."""
    async with database.connection() as connection:
        if not await connection.fetchval(sql.take_turn, receiver.key):
            return 0
        try:
            return await _Turn(connection, gate.system("exchange"), keys, receiver).run()
        except Unreachable as error:
            log.warning("outbound.unreachable", sender=receiver.key, error=str(error))
            return None
        finally:
            await connection.execute(sql.end_turn, receiver.key)


class _Turn:
    """One round of telling one receiver, over one connection to it."""

    def __init__(self, connection: Connection, handle: Handle, keys: KeyStore, receiver: Receiver) -> None:
        self._connection = connection
        self._handle = handle
        self._keys = keys
        self._receiver = receiver

    async def run(self) -> int:
        rows = await self._due()
        if not rows:
            return 0
        settled = 0
        receiver = self._receiver
        async with Line(receiver.host, receiver.port, trusted() if receiver.tls else None) as line:
            while rows:
                for row in rows:
                    settled += await self._tell(line, row)
                rows = await self._due()
        return settled

    async def _due(self) -> list[Any]:
        return list(await self._connection.fetch(sql.due, self._receiver.key, clock.now(), _AT_ONCE))

    async def _tell(self, line: Line, row: Any) -> int:
        try:
            body = await self._body(row)
        except Problem as problem:
            await self._postpone(row, problem.issues[0].key)
            return 0
        if body is None:
            await self._settle(row, "nothing", None)
            return 1
        code, reason = _verdict(await line.send(body), _control(row))
        if code in _TAKEN:
            await self._settle(row, "sent", None)
        elif code in _REJECTED or row["tries"] + 1 >= self._receiver.tries:
            await self._settle(row, "refused", reason)
        else:
            await self._postpone(row, reason)
            return 0
        return 1

    async def _body(self, row: Any) -> bytes | None:
        """The message as it was composed at the first try, or composed now and kept before anything is sent."""
        if row["body"] is not None:
            return sealing.opened(self._keys, bytes(row["body"]), row["sealed"], bytes(row["digest"]))
        told = await composed(self._handle, row, self._receiver, _control(row))
        if told is None:
            return None
        body = told.encode(self._receiver.codec, "replace")
        digest = sealing.content_hash(self._keys, body)
        how, wrapped = sealing.sealed(self._keys, body, digest)
        await self._connection.execute(sql.write, row["resident"], row["id"], how, digest, wrapped)
        return body

    async def _settle(self, row: Any, state: str, reason: str | None) -> None:
        await self._connection.execute(sql.settle, row["resident"], row["id"], state, clock.now(), reason)

    async def _postpone(self, row: Any, reason: str) -> None:
        pause = timedelta(seconds=_PAUSES[min(row["tries"], len(_PAUSES) - 1)])
        await self._connection.execute(sql.postpone, row["resident"], row["id"], clock.now() + pause, reason)


def _control(row: Any) -> str:
    return f"KYO{row['id']}"


def _verdict(answer: bytes, control: str) -> tuple[str, str]:
    """MSA-1, and where it stands in the receiver's ERR. Raises Unreachable when this is no answer to the message."""
    try:
        message = parse(answer.decode("utf-8", "replace"))
    except Fault as fault:
        raise Unreachable(fault.key) from fault
    msa, err = message.first("MSA"), message.first("ERR")
    if msa is None or msa.text(2) not in {control, ""}:
        raise Unreachable("exchange.other-answer")
    # The receiver's own words may name a person; its codes do not.
    place = "-".join(part for part in (err.text(2, 1), err.text(2, 3)) if part) if err else ""
    return msa.text(1).upper(), f"{msa.text(1)} {err.text(3) if err else ''} {place}".strip()[:80]


async def composed(handle: Handle, row: Any, receiver: Receiver, control: str) -> str | None:
    """The message of a change as it stood at that version; None when there is nothing to tell. Raises Problem."""
    stored = await handle.fetch_version(row["type"], row["resource"], row["version"])
    focus = stored.resource if stored else None
    if focus is None or _came_from(focus, receiver):
        return None
    parts: dict[str, list[dict[str, Any]]] = {"focus": [focus]}
    for name, path in gathering(row["message"]).items():
        parts[name] = await _read(handle, references(focus, path))
    if wants_before(row["message"]) and row["version"] > 1:
        former = await handle.fetch_version(row["type"], row["resource"], row["version"] - 1)
        parts["before"] = [former.resource] if former and former.resource else []
    people = await _people(handle, [one for part in parts.values() for one in part])
    stamp = f"{clock.now().astimezone():%Y%m%d%H%M%S%z}"
    return compose(row["message"], Story(parts, people, row["version"]), receiver, control, stamp)


def _came_from(resource: dict[str, Any], receiver: Receiver) -> bool:
    identifiers: list[dict[str, Any]] = resource.get("identifier", [])
    return any(str(one.get("system", "")).startswith(receiver.own) for one in identifiers) if receiver.own else False


async def _read(handle: Handle, wanted: list[str]) -> list[dict[str, Any]]:
    found = [await handle.read(*one.split("/")[:2]) for one in wanted]
    return [one for one in found if one]


async def _people(handle: Handle, resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The people of the directory that any of the resources refers to."""
    wanted = {one for resource in resources for one in _referred(resource) if one.split("/")[0] in _PEOPLE}
    return {str(f"Practitioner/{one['id']}"): one for one in await _read(handle, sorted(wanted))}


def _referred(node: Any) -> list[str]:
    if isinstance(node, list):
        return [found for one in node for found in _referred(one)]
    if not isinstance(node, dict):
        return []
    own = node.get("reference")
    inside = [found for key, one in node.items() if key != "reference" for found in _referred(one)]
    return [own, *inside] if isinstance(own, str) and own.count("/") == 1 else inside
