"""Money is an integer number of fen: no fraction is ever lost, and every sum is exact.

People read and write yuan with two digits; FHIR has exact decimals with the currency CNY.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, TypeAlias

Fen: TypeAlias = int
"""A hundredth of a yuan."""

CURRENCY = "CNY"

_WRITTEN = re.compile(r"(-?)[¥￥]?(\d{1,3}(?:[,，]\d{3})+|\d{1,15})(?:\.(\d{1,2}))?(?:元)?", re.ASCII)
_CENT = Decimal("0.01")


def shown(fen: Fen) -> str:
    """The amount as people read it: ¥12.34, -¥0.05, ¥1,234.50."""
    return f"{'-' if fen < 0 else ''}¥{abs(fen) // 100:,}.{abs(fen) % 100:02}"


def plain(fen: Fen) -> str:
    """The amount in yuan as programs write it: 12.34, -0.05, 1234.50."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02}"


def parse(text: str) -> Fen:
    """The fen of an amount in yuan such as 12.34, ¥1,234.5 or 12元. Raises ValueError for anything else, finer parts among it."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise ValueError("no amount in yuan")
    sign, whole, part = found.groups()
    fen = int(whole.replace(",", "").replace("，", "")) * 100 + int(f"{part or '':0<2}")
    return -fen if sign else fen


def yuan(fen: Fen) -> Decimal:
    """The exact decimal with two digits."""
    return Decimal(fen).scaleb(-2)


def rounded(fen: Decimal | Fraction | int) -> Fen:
    """A computed number of fen made whole, halves away from zero: 4888.5 is 4889."""
    exact = Fraction(fen)
    whole, rest = divmod(abs(exact), 1)
    fen = int(whole) + (rest >= Fraction(1, 2))
    return -fen if exact < 0 else fen


def to_fhir(fen: Fen) -> dict[str, Any]:
    """The FHIR Money."""
    return {"value": yuan(fen), "currency": CURRENCY}


def from_fhir(money: Mapping[str, Any]) -> Fen:
    """The fen of a FHIR Money. Raises ValueError for another currency, or for an amount that is finer than a fen."""
    if money.get("currency", CURRENCY) != CURRENCY:
        raise ValueError("another currency")
    try:
        amount = Decimal(str(money["value"]))
        exact = amount.quantize(_CENT, rounding=ROUND_HALF_UP)
    except (KeyError, InvalidOperation):
        raise ValueError("no amount") from None
    if exact != amount:
        raise ValueError("finer than a fen")
    return int(exact.scaleb(2))
