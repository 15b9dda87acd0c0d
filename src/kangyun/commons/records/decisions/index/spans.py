"""Collectors of date, number and quantity parameters: every value is a range."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from kangyun.commons.records.decisions.index.dates import INFINITY, Range, range_of
from kangyun.commons.records.decisions.index.entries import Collected
from kangyun.commons.records.decisions.index.slots import Slot
from kangyun.commons.records.decisions.index.tree import Collector
from kangyun.commons.records.model import hash64

Json: TypeAlias = dict[str, Any]
Units: TypeAlias = tuple[int | None, int | None, int | None]
# lo, hi, unit, unit_text, unit_full
Measured: TypeAlias = tuple[float, float, int | None, int | None, int | None]

CURRENCIES = "urn:iso:std:iso:4217"
_NO_UNIT: Units = (None, None, None)
_BELOW, _ABOVE = {"<", "<="}, {">", ">="}


def collector(slot: Slot) -> Collector:
    """The collector of one date, number or quantity element."""
    param, ranges = slot.seed, reader(slot.kind, slot.type)

    def collect(value: Any, out: Collected) -> None:
        out.spans += [(param, *measured) for measured in ranges(value)]

    return collect


def reader(kind: str, fhir_type: str) -> Callable[[Any], list[Measured]]:
    """What turns a value of a FHIR type into its ranges; none when the value says nothing."""
    return _READERS.get(fhir_type, _date if kind == "date" else _number)


def _number(value: Any) -> list[Measured]:
    number = float(value)
    return [(number, number, *_NO_UNIT)]


def _date(value: str) -> list[Measured]:
    found = range_of(value)
    return [(*found, *_NO_UNIT)] if found else []


def _period(period: Json) -> list[Measured]:
    found = period_range(period)
    return [(*found, *_NO_UNIT)] if found else []


def period_range(period: Json) -> Range | None:
    """From the beginning of start to the end of end; open on the side that is not said."""
    start, end = range_of(period.get("start", "")), range_of(period.get("end", ""))
    if start is None and end is None:
        return None
    return (start[0] if start else -INFINITY, end[1] if end else INFINITY)


def _timing(timing: Json) -> list[Measured]:
    """The outer limits only, as R4 says of schedules."""
    ranges = [found for event in timing.get("event", ()) if event and (found := range_of(event))]
    bounds = period_range(timing.get("repeat", {}).get("boundsPeriod", {}))
    if bounds:
        ranges.append(bounds)
    if not ranges:
        return []
    return [(min(low for low, _ in ranges), max(high for _, high in ranges), *_NO_UNIT)]


def _quantity(quantity: Json) -> list[Measured]:
    value = quantity.get("value")
    if value is None:
        return []
    number, comparator = float(value), quantity.get("comparator")
    low = -INFINITY if comparator in _BELOW else number
    high = INFINITY if comparator in _ABOVE else number
    return [(low, high, *units(quantity))]


def units(quantity: Json) -> Units:
    """Numbers of the unit's code, of its text when that differs, and of system|code."""
    code, text, system = quantity.get("code"), quantity.get("unit"), quantity.get("system")
    if not code:
        return (hash64(text) if text else None), None, None
    other = hash64(text) if text and text != code else None
    return hash64(code), other, hash64(f"{system}|{code}") if system else None


def _money(money: Json) -> list[Measured]:
    currency = money.get("currency")
    return _quantity({"value": money.get("value"), "code": currency, "system": CURRENCIES if currency else None})


def _range(value: Json) -> list[Measured]:
    low, high = value.get("low", {}), value.get("high", {})
    if "value" not in low and "value" not in high:
        return []
    return [(
        float(low.get("value", -INFINITY)), float(high.get("value", INFINITY)), *units(low if "value" in low else high)
    )]


def _sampled(data: Json) -> list[Measured]:
    """From the least to the greatest sample."""
    origin = data.get("origin", {})
    samples = list(_samples(data.get("data", "")))
    if not samples or "value" not in origin:
        return []
    factor, zero = float(data.get("factor", 1)), float(origin["value"])
    ends = sorted((zero + min(samples) * factor, zero + max(samples) * factor))
    return [(ends[0], ends[1], *units(origin))]


def _samples(data: str) -> Iterator[float]:
    for text in data.split():
        if text not in {"E", "L", "U"}:
            try:
                yield float(text)
            except ValueError:
                continue


_READERS: dict[str, Callable[[Any], list[Measured]]] = {
    "Period": _period, "Timing": _timing, "Money": _money, "Range": _range, "SampledData": _sampled,
    "Quantity": _quantity, "SimpleQuantity": _quantity, "Age": _quantity, "Duration": _quantity, "Count": _quantity,
    "Distance": _quantity,
}  # fmt: skip
