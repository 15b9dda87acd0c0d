"""Result values to FHIR: numbers that keep their digits, comparators, ranges, ratios, units in UCUM.

HL7 v2.5.1 chapter 7, sections 7.4.2.5 (OBX-5), 7.4.2.6 (OBX-6), 7.4.2.7 (OBX-7); chapter 2A SN.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.commons.exchange.model import Fault

_PACKAGE = "kangyun.commons.exchange"
_UCUM = "http://unitsofmeasure.org"
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")
_COMPARED = re.compile(r"(<=|>=|≤|≥|<|>|＜|＞|=)?\s*([+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?)")
_BETWEEN = re.compile(
    r"([+-]?\d+(?:\.\d+)?)\s*(?:--+|~|～|—|–|-|至|to)\s*([+-]?\d+(?:\.\d+)?)", re.IGNORECASE
)
_COMPARATORS = {"≤": "<=", "≥": ">=", "＜": "<", "＞": ">", "=": ""}


def decimal(text: str) -> Decimal | int:
    """A number with the digits that were sent: 1.50 stays 1.50. Raises Fault."""
    text = text.strip()
    if not _NUMBER.fullmatch(text) or len(text) > 40:
        raise Fault("exchange.bad-number", code="102")
    # FHIR decimals begin with a digit and have one after the point; 5. and .5 and +5 are habits of machines.
    mantissa, e, exponent = text.lstrip("+").partition("e" if "e" in text else "E")
    sign, digits = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, point, rest = digits.partition(".")
    whole = whole.lstrip("0") or "0"
    if not e and not (point and rest):
        return int(sign + whole)
    return Decimal(f"{sign}{whole}{'.' + rest if rest else ''}{'e' + exponent if e else ''}")


def quantity(text: str, unit: str) -> dict[str, Any]:
    """A Quantity from a number that may carry a comparator, as in `<0.01`. Raises Fault."""
    return dict(_quantity(text, unit))


@lru_cache(maxsize=16384)
def _quantity(text: str, unit: str) -> dict[str, Any]:
    match = _COMPARED.fullmatch(text.strip())
    if match is None:
        raise Fault("exchange.bad-number", code="102")
    comparator = _COMPARATORS.get(match[1], match[1])
    return {"value": decimal(match[2]), **({"comparator": comparator} if comparator else {}), **in_unit(unit)}


def in_unit(unit: str) -> dict[str, str]:
    """The unit part of a Quantity: the text as it was sent and, where it is known, the UCUM code."""
    return dict(_in_unit(unit.strip()))


@lru_cache(maxsize=4096)
def _in_unit(unit: str) -> tuple[tuple[str, str], ...]:
    if not unit:
        return ()
    code = ucum(unit)
    return (("unit", unit), ("system", _UCUM), ("code", code)) if code else (("unit", unit),)


def ucum(unit: str) -> str | None:
    """The UCUM code of a unit as laboratories write it, or None."""
    rule = rules.load(_PACKAGE, "units.yaml")
    known: set[str] = set(rule.body["ucum"])
    if unit in known:
        return unit
    spelled = unit.replace(" ", "").replace("μ", "u").replace("µ", "u").replace("^", "*")
    found = rule.map.get(unit) or rule.map.get(spelled) or rule.map.get(spelled.lower())
    return str(found) if found else spelled if spelled in known else None


def structured(comparator: str, first: str, separator: str, second: str, unit: str) -> dict[str, Any]:
    """The value of an SN: a quantity, a range, a ratio, or a text like `2+`. Keys are value[x]. Raises Fault."""
    if first and second and separator == "-":
        return {"valueRange": {"low": quantity(first, unit), "high": quantity(second, unit)}}
    if first and second and separator in {":", "/"}:
        return {"valueRatio": {"numerator": quantity(first, ""), "denominator": quantity(second, "")}}
    if first and not separator and not second:
        sign = "" if comparator in {"=", "<>"} else comparator
        return {"valueQuantity": quantity(sign + first, unit)}
    whole = f"{comparator}{first}{separator}{second}"
    if not whole:
        return {}
    return {"valueString": whole}


def reference_range(text: str, unit: str) -> dict[str, Any]:
    """Observation.referenceRange of one range as it is written; what cannot be read stays text."""
    return dict(_reference_range(text, unit))


@lru_cache(maxsize=4096)
def _reference_range(text: str, unit: str) -> dict[str, Any]:
    text = text.strip().strip("()[]（）").strip()
    found: dict[str, Any] = {}
    between = _BETWEEN.fullmatch(text)
    compared = _COMPARED.fullmatch(text)
    if between:
        found = {"low": quantity(between[1], unit), "high": quantity(between[2], unit)}
    elif compared and compared[1]:
        side = "high" if compared[1] in {"<", "<=", "≤", "＜"} else "low"
        found = {side: quantity(compared[2], unit)}
    return {**found, "text": text}
