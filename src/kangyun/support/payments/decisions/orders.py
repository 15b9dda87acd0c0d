"""What an order must be, what it comes to, and whether its prices still hold."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from kangyun.base import money, rules
from kangyun.base.money import Fen
from kangyun.support.payments.model import PACKAGE, Line, Order, Wanted

KINDS = ("consultation", "drug", "delivery", "examination", "other", "deduction")
# Without letters and digits that people mistake for each other when they read a number out.
_SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SOURCE = re.compile(r"[a-z][a-z_]*(\.[a-z][a-z_-]*)+")


@dataclass(frozen=True, slots=True)
class Terms:
    """Times and limits, as in rules/terms.yaml."""

    minutes: int
    longest_minutes: int
    first_look: int
    longest_look: int
    lines: int
    fen: Fen
    refund_days: int


def terms() -> Terms:
    """The rule in force."""
    return Terms(**rules.load(PACKAGE, "terms.yaml").map)


def look_after(looks: int) -> int:
    """Seconds until a channel is asked again that was asked so many times."""
    limits = terms()
    return min(limits.longest_look, limits.first_look * 2 ** min(looks, 20))


def new_number(day: date) -> str:
    """A number for an order: the day, so that people find it, and 60 random bits, so that nobody guesses one."""
    return f"K{day:%y%m%d}" + "".join(secrets.choice(_SIGNS) for _ in range(12))


def amount(line: Line) -> Fen:
    """What a line comes to, in whole fen."""
    return money.rounded(line.unit_fen * line.quantity)


def total(lines: Sequence[Line]) -> Fen:
    """What an order comes to."""
    return sum(amount(line) for line in lines)


def fault(wanted: Wanted) -> tuple[str, str] | None:
    """The key of the error and the field at fault, or None: lines, line, line-price, total, source, key, minutes."""
    limits, sum_ = terms(), total(wanted.lines)
    if not 0 < len(wanted.lines) <= limits.lines:
        return "payments.wrong-lines", "lineItem"
    for place, line in enumerate(wanted.lines):
        wrong = _line_fault(line)
        if wrong:
            return wrong, f"lineItem[{place}]"
    checks = {
        "total": 0 <= sum_ <= limits.fen,
        "source": _SOURCE.fullmatch(wanted.source) is not None and len(wanted.source) <= 80,
        "key": 0 < len(wanted.key) <= 200,
        "minutes": wanted.minutes is None or 0 < wanted.minutes <= limits.longest_minutes,
        "party": bool(wanted.payer and wanted.patient and wanted.institution),
    }
    return next(((f"payments.wrong-{name}", name) for name, good in checks.items() if not good), None)


def _line_fault(line: Line) -> str:
    if line.kind not in KINDS or not 0 < len(line.text) <= 200 or not 0 < len(line.code) <= 80:
        return "payments.wrong-line"
    signed = line.unit_fen <= 0 if line.kind == "deduction" else line.unit_fen >= 0
    return "" if signed and 0 < line.quantity <= 10_000 else "payments.wrong-line-price"


def changed_prices(lines: Sequence[Line], today: Mapping[str, Fen]) -> list[Line]:
    """The lines whose price is another one today, or that are not sold any more."""
    return [line for line in lines if line.kind != "deduction" and today.get(line.code) != line.unit_fen]


def refundable(order: Order) -> Fen:
    """What can still be given back."""
    return order.paid_fen - order.refunded_fen


def line_of(row: Mapping[str, Any]) -> Line:
    """A line as it is kept."""
    return Line(row["code"], row["text"], int(row["unit_fen"]), Decimal(row["quantity"]), row["kind"])


def row_of(line: Line) -> dict[str, Any]:
    """A line to keep."""
    return {"code": line.code, "text": line.text, "unit_fen": line.unit_fen, "quantity": str(line.quantity.normalize()), "kind": line.kind}
