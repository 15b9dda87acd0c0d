"""Comparing a channel's bill of a day with what we have of that day: every way in which they can disagree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kangyun.base.money import Fen
from kangyun.support.payments.model import BillRow, Difference

_GOOD = {"payment": "paid", "refund": "done"}


@dataclass(frozen=True, slots=True)
class Ours:
    """A payment or refund as we have it. counted: it belongs to the day, so the bill must have it."""

    about: str
    id: str
    amount_fen: Fen
    state: str
    counted: bool


@dataclass(frozen=True, slots=True)
class Sums:
    """What one side adds up to: how many, paid, given back, and the fee."""

    count: int
    fen: Fen
    refund_fen: Fen
    fee_fen: Fen = 0


def compare(ours: Iterable[Ours], bill: Iterable[BillRow]) -> list[Difference]:
    """All differences, in the order of the bill and then of ours.

    `ours` holds what belongs to the day and, not counted, whatever else the bill names that is ours.
    """
    known = {(one.about, one.id): one for one in ours}
    rows = list(bill)
    times = Counter((row.about, row.id) for row in rows)
    first = {(row.about, row.id): row for row in reversed(rows)}
    found = [_doubled(row, known, times[name]) for name, row in first.items() if times[name] > 1]
    found += [one for name, row in first.items() if (one := _between(row, known.get(name)))]
    found += [Difference("missing-there", one.about, one.id, one.amount_fen, None, one.state) for name, one in known.items() if one.counted and name not in first]
    return found


def _doubled(row: BillRow, known: Mapping[tuple[str, str], Ours], times: int) -> Difference:
    one = known.get((row.about, row.id))
    return Difference(
        "duplicated", row.about, row.id, one.amount_fen if one else None, row.amount_fen * times, one.state if one else "", row.state)


def _between(row: BillRow, one: Ours | None) -> Difference | None:
    """How one row differs from what we have of it."""
    if one is None:
        return Difference("missing-here", row.about, row.id, None, row.amount_fen, "", row.state)
    kind = "amount" if one.amount_fen != row.amount_fen else "status" if not _agree(row, one) else ""
    return Difference(kind, row.about, row.id, one.amount_fen, row.amount_fen, one.state, row.state) if kind else None


def _agree(row: BillRow, one: Ours) -> bool:
    good = _GOOD[row.about]
    if row.state == "processing":
        # A refund takes days; we wait as well.
        return one.state in {"granted", "done"}
    return (row.state == good) == (one.state == good)


def sums_of_bill(bill: Iterable[BillRow]) -> Sums:
    """What a bill adds up to: only what has moved money."""
    moved = [row for row in bill if row.state == _GOOD[row.about]]
    paid = sum(row.amount_fen for row in moved if row.about == "payment")
    back = sum(row.amount_fen for row in moved if row.about == "refund")
    return Sums(len(moved), paid, back, sum(row.fee_fen for row in moved))


def sums_of_ours(ours: Iterable[Ours]) -> Sums:
    """What we have of the day."""
    counted = [one for one in ours if one.counted and one.state == _GOOD[one.about]]
    paid = sum(one.amount_fen for one in counted if one.about == "payment")
    back = sum(one.amount_fen for one in counted if one.about == "refund")
    return Sums(len(counted), paid, back)
