"""Results as trends and tables: value, unit, reference range, mark, time and source of every number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kangyun.base.web.charts import Spark, spark
from kangyun.base.web.display import moment, rounded, written_number, written_unit
from kangyun.portals.clinician.decisions.naming import Names, Node, concept, first, source_of

_LOINC = "http://loinc.org"
_MARKS = {
    "H": "high", "HH": "high", "HU": "high", ">": "high", "L": "low", "LL": "low", "LU": "low", "<": "low",
    "A": "abnormal", "AA": "abnormal", "POS": "abnormal",
}
"""HL7 v3 ObservationInterpretation, as far as it says high, low or abnormal."""

CATEGORIES = ("laboratory", "vital-signs", "exam", "imaging", "survey", "social-history")
"""Codes of FHIR observation-category, in the order of the table."""

_LONGEST = 7
_SECONDS_PER_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Result:
    """One measured thing.

    ``number`` is ``None`` for words, ``unit`` is written for people, ``scale`` its UCUM code, by which values are
    comparable; ``mark`` is high, low, abnormal or empty.
    """

    code: str
    name: str
    shown: str
    number: float | None
    unit: str
    scale: str
    low: float | None
    high: float | None
    range: str
    mark: str
    when: str
    source: str
    category: str


@dataclass(frozen=True, slots=True)
class Trend:
    """All results of one code, oldest first, with its small chart."""

    code: str
    name: str
    unit: str
    latest: Result
    results: tuple[Result, ...]
    chart: Spark | None


def results(observations: Iterable[Node], names: Names, language: str, visits: Mapping[str, Node] | None = None) -> list[Result]:
    """Read observations, newest first; each component of one (systolic, diastolic) is a result of its own."""
    found = [result for one in observations if _counts(one) for result in _read(one, names, language, visits or {})]
    return sorted(found, key=lambda result: str(moment(result.when) or ""), reverse=True)


def _counts(observation: Node) -> bool:
    return observation.get("status") not in {"entered-in-error", "cancelled"}


def _read(observation: Node, names: Names, language: str, visits: Mapping[str, Node]) -> Iterator[Result]:
    when = first(observation, "effectiveDateTime", "effectivePeriod", "effectiveInstant", "issued")
    source, category = source_of(observation, names, visits), _category(observation)
    for part in [observation, *observation.get("component", [])]:
        result = _result(part, language, when, source, category)
        if result.shown:
            yield result


def _category(observation: Node) -> str:
    codes = [coding.get("code", "") for one in observation.get("category", []) for coding in one.get("coding", [])]
    return codes[0] if codes else ""


def _result(part: Node, language: str, when: str, source: str, category: str) -> Result:
    shown, number, unit = _value(part, language)
    low, high, text = _range(part)
    return Result(
        code=code_of(part.get("code", {})), name=concept(part.get("code"), language), shown=shown, number=number, unit=unit,
        scale=part.get("valueQuantity", {}).get("code") or unit,
        low=low, high=high, range=text, mark=_mark(part, number, low, high), when=when, source=source, category=category,
    )


def code_of(code: Node) -> str:
    """Write a code as ``system|code``, the LOINC one where there is one, so that hospitals' results fall together."""
    codings = sorted(code.get("coding", []), key=lambda coding: coding.get("system") != _LOINC)
    return f"{codings[0].get('system', '')}|{codings[0].get('code', '')}" if codings else f"|{code.get('text', '')}"


def _value(part: Node, language: str) -> tuple[str, float | None, str]:
    quantity = part.get("valueQuantity")
    if quantity and quantity.get("value") is not None:
        shown = quantity.get("comparator", "") + number_text(quantity["value"])
        return shown, float(quantity["value"]), written_unit(quantity.get("unit") or quantity.get("code") or "")
    if "valueCodeableConcept" in part:
        return concept(part["valueCodeableConcept"], language), None, ""
    if "valueInteger" in part:
        return str(part["valueInteger"]), float(part["valueInteger"]), ""
    plain: Any = next((part[key] for key in ("valueString", "valueDateTime", "valueTime") if key in part), "")
    return str(plain), None, ""


def number_text(value: float | Decimal) -> str:
    """Write a value as received; only those with absurdly many digits are rounded to four significant ones."""
    text = written_number(value)
    return text if len(text) <= _LONGEST else rounded(value)


def _range(part: Node) -> tuple[float | None, float | None, str]:
    low, high, one = _limits(part)
    return low, high, _written_range(one) if low is not None or high is not None else one.get("text", "")


def _limits(part: Node) -> tuple[float | None, float | None, Node]:
    """The limits of the first reference range that says something, and that range."""
    for one in part.get("referenceRange", []):
        low, high = _limit(one.get("low")), _limit(one.get("high"))
        if low is not None or high is not None or one.get("text"):
            return low, high, one
    return None, None, {}


def _limit(quantity: Node | None) -> float | None:
    return None if quantity is None or quantity.get("value") is None else float(quantity["value"])


def _written_range(one: Node) -> str:
    low, high = (number_text(one[key]["value"]) if one.get(key, {}).get("value") is not None else "" for key in ("low", "high"))
    return f"{low}–{high}" if low and high else f"≥ {low}" if low else f"≤ {high}"


def _mark(part: Node, number: float | None, low: float | None, high: float | None) -> str:
    """Believe the laboratory's own interpretation; compare with the range only where it gave none."""
    codes = [coding.get("code", "") for one in part.get("interpretation", []) for coding in one.get("coding", [])]
    if codes:
        return next((_MARKS[code] for code in codes if code in _MARKS), "")
    if number is not None and high is not None and number > high:
        return "high"
    return "low" if number is not None and low is not None and number < low else ""


def is_abnormal(observation: Node) -> bool:
    """Say whether any value of an observation is marked, without naming anything."""
    return any(_mark(part, *_number_and_range(part)) for part in [observation, *observation.get("component", [])])


def _number_and_range(part: Node) -> tuple[float | None, float | None, float | None]:
    value = part.get("valueQuantity", {}).get("value")
    low, high, _ = _limits(part)
    return (None if value is None else float(value)), low, high


def trends(everything: Iterable[Result]) -> list[Trend]:
    """Group numbers of one code and unit into trends: what is abnormal now first, then what once was, then the rest."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in everything:
        if result.number is not None and moment(result.when):
            groups.setdefault((result.code, result.scale), []).append(result)
    made = [_trend(group) for group in groups.values() if len(group) > 1]
    made.sort(key=lambda trend: str(moment(trend.latest.when)), reverse=True)
    return sorted(made, key=lambda trend: (not trend.latest.mark, not any(result.mark for result in trend.results)))


def _trend(newest_first: list[Result]) -> Trend:
    latest = newest_first[0]
    low, high = band_of(newest_first)
    points = [(seconds(result), result.number) for result in newest_first if result.number is not None]
    return Trend(latest.code, latest.name, latest.unit, latest, tuple(reversed(newest_first)), spark(points, low, high))


def band_of(newest_first: Iterable[Result]) -> tuple[float | None, float | None]:
    """Take the newest stated reference range as the band of a chart."""
    return next(((one.low, one.high) for one in newest_first if one.low is not None or one.high is not None), (None, None))


def seconds(result: Result) -> float:
    """Give the time of a result in seconds since 1970, for charts."""
    when = moment(result.when)
    return when.timestamp() if when else 0.0


def latest(everything: Iterable[Result]) -> list[tuple[str, list[Result]]]:
    """Keep the newest result of every code, by category, abnormal ones first."""
    newest: dict[str, Result] = {}
    for result in everything:
        newest.setdefault(result.code, result)
    groups: dict[str, list[Result]] = {}
    for result in sorted(newest.values(), key=lambda result: (not result.mark, result.name)):
        groups.setdefault(result.category if result.category in CATEGORIES else "other", []).append(result)
    return sorted(groups.items(), key=lambda group: (*CATEGORIES, "other").index(group[0]))


def chart_data(trend: list[Result]) -> dict[str, Any]:
    """Prepare one code's results (newest first) for the large chart: times in seconds, values, band."""
    numbers = [one for one in reversed(trend) if one.number is not None and moment(one.when)]
    low, high = band_of(trend)
    return {
        "times": [seconds(one) for one in numbers], "values": [one.number for one in numbers], "low": low, "high": high,
        "unit": numbers[-1].unit if numbers else "", "name": trend[0].name if trend else "",
    }
