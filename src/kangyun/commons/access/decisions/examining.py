"""Whether the audit trail is whole: every row, head, root and archive against the others; pure, one row after another.

Somebody who may do anything in the database can break the trail but not mend it: a row cannot change without its hash,
a hash not without all that follow, the last not without the keyed head, all heads of a day not without the signatures
of its root, and an old head or root put back not without what the machine itself remembers of each lane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta, timezone
from typing import Any

import orjson

from kangyun.base.keys import sm3
from kangyun.commons.access.decisions.trail import AT, BODY, HASH, LANE, SEALED, SEQ, START, head_text, link, told

ROOT_ACTION = "root"
_CHINA = timezone(timedelta(hours=8))

Place = tuple[int, bytes]
"""A seq and the hash of its row."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it was written. `kind`: changed, missing, forged, extra or unreadable."""

    kind: str
    what: str
    lane: int | None = None
    seq: int | None = None
    day: date | None = None

    def __str__(self) -> str:
        place = [f"lane {self.lane}" if self.lane is not None else "", f"seq {self.seq}" if self.seq is not None else "",
                 str(self.day) if self.day else ""]
        return f"{self.kind}: {self.what} ({', '.join(one for one in place if one)})"


@dataclass(frozen=True, slots=True)
class Root:
    """A row of audit_root; see `root_body`."""

    number: int
    day: date
    body: str
    sm2: bytes
    es256: bytes

    @property
    def heads(self) -> dict[int, Place]:
        """Lane to the end of its chain at that moment."""
        return {lane: (seq, bytes.fromhex(hash_)) for lane, seq, hash_ in orjson.loads(self.body)["lanes"]}


@dataclass(frozen=True, slots=True)
class Head:
    """A row of audit_head."""

    lane: int
    seq: int
    hash: bytes
    mac: bytes


@dataclass(frozen=True, slots=True)
class Checks:
    """What needs keys: `mac` of a head's text, and whether both signatures of a root are ours."""

    mac: Callable[[bytes], bytes]
    signed: Callable[[Root], bool]


def root_body(number: int, day: date, made: str, before: bytes, heads: Mapping[int, Place]) -> str:
    """What a root's signatures cover: the ends of all lanes and the hash of the root before."""
    lanes = [[lane, seq, hash_.hex()] for lane, (seq, hash_) in sorted(heads.items())]
    text = {"number": number, "day": day.isoformat(), "made": made, "before": before.hex(), "lanes": lanes}
    return orjson.dumps(text).decode()


def root_hash(body: str) -> bytes:
    """What the next root and the note of it in the trail say of a root."""
    return sm3(body.encode())


class Examination:
    """Takes roots first, then all rows by lane and seq, then heads; each step gives what it found."""

    def __init__(self, checks: Checks, witnessed: Mapping[int, Place]) -> None:
        """`witnessed`: what this machine saw last of each lane, read before the rows."""
        self.rows = 0
        self._checks = checks
        self._ends: dict[int, Place] = {}
        self._days: dict[int, date] = {}
        self._pins: dict[tuple[int, int], list[tuple[bytes, str]]] = {}
        self._roots: dict[int, bytes] = {}
        self._noted: list[tuple[int, bytes, int, int]] = []
        for lane, (seq, hash_) in witnessed.items():
            self._pin(lane, seq, hash_, "what this machine remembers")

    def roots(self, roots: Sequence[Root]) -> Iterator[Finding]:
        """All roots in their order."""
        before, number = START, 0
        for root in roots:
            number += 1
            if root.number != number:
                yield Finding("missing", f"roots {number} to {root.number - 1}", day=root.day)
                number = root.number
            elif not self._checks.signed(root) or not _is_itself(root, before):
                yield Finding("forged", f"root {root.number}", day=root.day)
            before = self._roots[root.number] = root_hash(root.body)
            for lane, (seq, hash_) in _heads(root).items():
                self._pin(lane, seq, hash_, f"root {root.number}")

    def begin_at(self, root: Root) -> None:
        """Leave out what a root covers: its rows are not here."""
        for lane, end in _heads(root).items():
            self._ends[lane] = end
            for place in [place for place in self._pins if place[0] == lane and place[1] <= end[0]]:
                del self._pins[place]

    def continue_at(self, ends: Mapping[int, Place]) -> None:
        """Begin behind these rows, which are known to be whole."""
        self._ends.update(ends)

    def reached(self, heads: Mapping[int, Place]) -> bool:
        """Whether the rows so far end exactly there."""
        return all(self._ends.get(lane) == end for lane, end in heads.items())

    def row(self, row: Sequence[Any]) -> Iterator[Finding]:
        """The next row of its lane."""
        self.rows += 1
        lane, seq, hash_ = row[LANE], row[SEQ], row[HASH]
        last, before = self._ends.get(lane, (0, START))
        day = self._days[lane] = row[AT].astimezone(_CHINA).date()
        if seq != last + 1:
            kind, what = ("missing", f"rows {last + 1} to {seq - 1}") if seq > last else ("extra", "a row out of its order")
            yield Finding(kind, what, lane, seq, day)
        elif link(before, lane, seq, row[SEALED] or b"", row[BODY].encode()) != hash_:
            yield Finding("changed", "a row, or the hash of the one before", lane, seq, day)
        if not told(row):
            yield Finding("changed", "columns that differ from the body", lane, seq, day)
        for pinned, by in self._pins.pop((lane, seq), ()):
            if pinned != hash_:
                yield Finding("forged", f"the chain differs from {by}", lane, seq, day)
        self._ends[lane] = (seq, hash_)
        if f'"action":"{ROOT_ACTION}"' in row[BODY]:
            self._note(row)

    def heads(self, heads: Sequence[Head]) -> Iterator[Finding]:
        """All heads, after the last row."""
        known = {head.lane for head in heads}
        for head in heads:
            end = self._ends.get(head.lane, (0, START))
            day = self._days.get(head.lane)
            if head.mac != self._checks.mac(head_text(head.lane, head.seq, head.hash)):
                yield Finding("forged", "the head of the lane", head.lane, head.seq, day)
            if end[0] < head.seq:
                yield Finding("missing", f"rows {end[0] + 1} to {head.seq} at the end", head.lane, end[0] + 1, day)
            elif end[0] > head.seq:
                yield Finding("extra", f"rows {head.seq + 1} to {end[0]} behind the head", head.lane, head.seq + 1, day)
            elif end[1] != head.hash:
                yield Finding("changed", "the last row, or the head", head.lane, head.seq, day)
        for lane in sorted(self._ends.keys() - known):
            yield Finding("missing", "the head of the lane", lane, self._ends[lane][0], self._days.get(lane))

    def rest(self) -> Iterator[Finding]:
        """What was promised and did not come, after everything else."""
        for (lane, seq), pins in sorted(self._pins.items()):
            for _, by in pins:
                yield Finding("missing", f"a row that {by} holds", lane, seq, self._days.get(lane))
        for number, hash_, lane, seq in self._noted:
            if self._roots.get(number) != hash_:
                yield Finding("missing", f"root {number} as it was noted when it was made", lane, seq, self._days.get(lane))

    def _pin(self, lane: int, seq: int, hash_: bytes, by: str) -> None:
        if seq > 0:
            self._pins.setdefault((lane, seq), []).append((hash_, by))

    def _note(self, row: Sequence[Any]) -> None:
        try:
            body = orjson.loads(row[BODY])
            number, _, hash_ = body.get("more", "").partition(" ")
            if body["action"] == ROOT_ACTION:
                self._noted.append((int(number), bytes.fromhex(hash_), row[LANE], row[SEQ]))
        except (ValueError, KeyError, AttributeError):
            return  # It is changed, which was found already.


def _is_itself(root: Root, before: bytes) -> bool:
    """Whether a root's body says what its columns say, and holds the hash of the one before."""
    body = orjson.loads(root.body)
    return (body["number"], body["day"], body["before"]) == (root.number, root.day.isoformat(), before.hex())


def _heads(root: Root) -> dict[int, Place]:
    try:
        return root.heads
    except (ValueError, KeyError, TypeError):
        return {}
