"""What a finance clerk may do about a difference."""

from __future__ import annotations

from kangyun.base import rules
from kangyun.base.money import Fen
from kangyun.support.payments.model import PACKAGE


def offered(kind: str, *, known: bool) -> list[str]:
    """The resolutions of a kind of difference; some need that the payment is one of ours."""
    rows = rules.load(PACKAGE, "resolutions.yaml").table
    return [str(row["resolution"]) for row in rows if kind in row["kinds"] and (known or not row["known"])]


def surplus(about: str, ours_fen: Fen | None, theirs_fen: Fen | None, *, ours_counts: bool, theirs_counts: bool) -> Fen:
    """By how much the channel's day is above ours, in the direction of its account: refunds lower it."""
    difference = (theirs_fen or 0) * theirs_counts - (ours_fen or 0) * ours_counts
    return -difference if about == "refund" else difference
