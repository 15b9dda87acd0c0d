"""How an event of the audit trail is written down and chained; pure, so that whoever checks it follows the same lines."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

import orjson

from kangyun.base.keys import sm3
from kangyun.commons.access.model import Event

START = bytes(32)
"""What stands before the first row of a lane."""

_MOST_RESOURCES = 1000
_MOST_RESIDENTS = 10_000
_MOST_BODY = 400_000
_MOST_TEXT = 200
_MOST_QUERY = 8000
_INT8 = 2**63
_OTHERS = {"at", "types", "resources", "residents"}
_NUL = b"\\u0000"
_PLACE = struct.Struct(">iqi")
_HEAD = struct.Struct(">iq")

LANE, SEQ, AT, RESIDENTS, BODY, SEALED, HASH = 0, 1, 2, 7, 8, 9, 10
# lane, seq, at, name, institution, action, outcome, residents, body, sealed, hash: a row of audit_event.
Row = tuple[int, int, datetime, str, str | None, str, str, list[int], str, bytes | None, bytes]


def body_of(event: Event) -> bytes:
    """The event as JSON without what is empty, and without address and query, which are sealed beside it."""
    told: dict[str, Any] = {"at": event.at, "name": event.name, "role": event.role, "action": event.action, "outcome": event.outcome}
    if event.institution:
        told["institution"] = event.institution
    if event.account:
        told["account"] = event.account
    if event.session:
        told["session"] = event.session
    if event.permission:
        told["permission"] = event.permission
    if event.purpose:
        told["purpose"] = event.purpose
    if event.types:
        told["types"] = event.types
    if event.resources:
        told["resources"] = event.resources
    if event.residents:
        told["residents"] = event.residents
    if event.more:
        told["more"] = event.more
    return orjson.dumps(told)


def secret_of(event: Event) -> bytes:
    """Address and query as they are sealed; nothing when there is neither."""
    if not event.address and not event.query:
        return b""
    return orjson.dumps([event.address, event.query[:_MOST_QUERY]])


def link(before: bytes, lane: int, seq: int, sealed: bytes, body: bytes) -> bytes:
    """The hash of a row, 32 bytes, from the hash of the row before it in its lane."""
    return sm3(before + _PLACE.pack(lane, seq, len(sealed)) + sealed + body)


def row_of(event: Event, body: bytes, sealed: bytes, place: tuple[int, int, bytes]) -> Row:
    """The row; `place` is lane, seq and the hash of the row before."""
    lane, seq, before = place
    return (
        lane, seq, event.at, event.name[:_MOST_TEXT], event.institution or None, event.action[:_MOST_TEXT], event.outcome,
        event.residents, body.decode(), sealed or None, link(before, lane, seq, sealed, body),
    )


def head_text(lane: int, seq: int, hash_: bytes) -> bytes:
    """What the keyed hash of a head covers."""
    return _HEAD.pack(lane, seq) + hash_


def columns(body: Mapping[str, Any]) -> tuple[Any, ...]:
    """What the columns at to residents repeat of a body; raises KeyError, ValueError or TypeError for what is none."""
    return (
        datetime.fromisoformat(body["at"]), body["name"][:_MOST_TEXT], body.get("institution"), body["action"][:_MOST_TEXT],
        body["outcome"], body.get("residents", []),
    )


def told(row: Sequence[Any]) -> bool:
    """Whether the columns of a row repeat what its body says."""
    try:
        return columns(orjson.loads(row[BODY])) == tuple(row[AT:BODY])
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def event_of(body: bytes) -> Event:
    """The event that a body tells of, without address and query; raises KeyError, ValueError or TypeError for what is none."""
    told: dict[str, Any] = orjson.loads(body)
    return Event(datetime.fromisoformat(told.pop("at")), **told)


def sound(event: Event) -> bool:
    """Whether the columns of the table take the event as it is."""
    words: list[Any] = [event.name, event.action, event.outcome]
    return all(isinstance(one, str) for one in words) and event.at.tzinfo is not None and all(-_INT8 <= one < _INT8 for one in event.residents)


def fits(body: bytes) -> bool:
    """Whether PostgreSQL takes the text, and it is no longer than an event should be."""
    return _NUL not in body and len(body) <= _MOST_BODY


def tidy(event: Event) -> Event:
    """The same event with signs that cannot be stored replaced and everything cut to a length that can."""
    cut = {one.name: _tidy(getattr(event, one.name), one.name) for one in fields(event)}
    return replace(event, **cut)


def forced(event: Event, now: datetime) -> Event:
    """What can be kept of an event that its owner filled with something else than it should: losing it would be worse."""
    given: dict[str, Any] = {one.name: getattr(event, one.name) for one in fields(event)}
    at = given["at"]
    texts: dict[str, Any] = {name: str(value or "") for name, value in given.items() if name not in _OTHERS}
    told = Event(at if isinstance(at, datetime) and at.tzinfo else now, **texts)
    told.types, told.resources = [str(one) for one in given["types"] or ()], [str(one) for one in given["resources"] or ()]
    told.residents = [one for one in given["residents"] or () if isinstance(one, int) and -_INT8 <= one < _INT8]
    return tidy(told)


def _tidy(value: Any, name: str) -> Any:
    if isinstance(value, str):
        clean = value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
        return clean[: _MOST_QUERY if name == "query" else _MOST_TEXT]
    if isinstance(value, list):
        several: list[Any] = [*value]
        return [_tidy(one, name) for one in several[: _MOST_RESIDENTS if name == "residents" else _MOST_RESOURCES]]
    return value
