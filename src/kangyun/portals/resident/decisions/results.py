"""A resident's results as people read them: the number, whether it is high or low, the range, and how it went. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from kangyun.base.web.charts import Spark, spark
from kangyun.base.web.display import moment, written_number, written_unit

Node = dict[str, Any]

_LOINC = "http://loinc.org"
_MARKS = {"H": "high", "HH": "high", "HU": "high", "L": "low", "LL": "low", "LU": "low"}
_GONE = {"entered-in-error", "cancelled"}
_MOST = 40


@dataclass(frozen=True, slots=True)
class Reading:
    """One number: `mark` high, low or empty; `range` as people write it; low and high its ends."""

    code: str
    name: str
    number: float
    shown: str
    unit: str
    mark: str
    range: str
    low: float | None
    high: float | None
    when: str


@dataclass(frozen=True, slots=True)
class Course:
    """All numbers of one kind, the newest first, with the small picture of how they went."""

    latest: Reading
    readings: tuple[Reading, ...]
    chart: Spark | None


def courses(observations: Iterable[Node], language: str) -> list[Course]:
    """The kinds of results, those outside of their range first, then by the newest."""
    groups: dict[tuple[str, str], list[Reading]] = {}
    for one in observations:
        if one.get("status") not in _GONE:
            for reading in _readings(one, language):
                groups.setdefault((reading.code, reading.unit), []).append(reading)
    made = [_course(sorted(group, key=lambda one: str(moment(one.when) or ""), reverse=True)) for group in groups.values()]
    made.sort(key=lambda one: str(moment(one.latest.when) or ""), reverse=True)
    return sorted(made, key=lambda one: not one.latest.mark)[:_MOST]


def _course(newest_first: list[Reading]) -> Course:
    latest = newest_first[0]
    points = [(at.timestamp(), one.number) for one in newest_first if (at := moment(one.when))]
    chart = spark(points, latest.low, latest.high) if len(points) > 1 else None
    return Course(latest, tuple(newest_first), chart)


def _readings(observation: Node, language: str) -> Iterator[Reading]:
    when = str(observation.get("effectiveDateTime") or observation.get("effectivePeriod", {}).get("start") or observation.get("issued") or "")
    for part in [observation, *observation.get("component", ())]:
        value = part.get("valueQuantity", {})
        if value.get("value") is not None:
            low, high = _range(part)
            number = float(value["value"])
            yield Reading(
                _code(part.get("code", {})), _name(part.get("code", {}), language), number, written_number(value["value"]),
                written_unit(str(value.get("unit") or value.get("code") or "")), _mark(part, number, low, high), _written(low, high), low, high, when)


def _code(code: Node) -> str:
    codings = sorted(code.get("coding", ()), key=lambda one: one.get("system") != _LOINC)
    return f"{codings[0].get('system', '')}|{codings[0].get('code', '')}" if codings else str(code.get("text", ""))


def _name(code: Node, language: str) -> str:
    displays = [str(one["display"]) for one in code.get("coding", ()) if one.get("display")]
    named = [*([str(code["text"])] if code.get("text") else []), *displays]
    suits = [one for one in named if any("\u4e00" <= sign <= "\u9fff" for sign in one) == (language == "zh")]
    return next(iter([*suits, *named]), "")


def _range(part: Node) -> tuple[float | None, float | None]:
    for one in part.get("referenceRange", ()):
        low, high = (one.get(name, {}).get("value") for name in ("low", "high"))
        if low is not None or high is not None:
            return (None if low is None else float(low)), (None if high is None else float(high))
    return None, None


def _written(low: float | None, high: float | None) -> str:
    texts = ["" if one is None else f"{one:g}" for one in (low, high)]
    return "–".join(texts) if all(texts) else f"≥ {texts[0]}" if texts[0] else f"≤ {texts[1]}" if texts[1] else ""


def _mark(part: Node, number: float, low: float | None, high: float | None) -> str:
    """The laboratory's own word first; the range only where it gave none."""
    codes = [str(coding.get("code")) for one in part.get("interpretation", ()) for coding in one.get("coding", ())]
    if codes:
        return next((_MARKS[code] for code in codes if code in _MARKS), "")
    return "high" if high is not None and number > high else "low" if low is not None and number < low else ""
