"""Whether a sender that says nothing should have said something: by what was agreed, else by what it usually sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.commons.exchange.decisions.registrations import Registration, registration

_CHINA = timezone(timedelta(hours=8))
_HOUR = timedelta(hours=1)


def rule() -> Rule:
    """The rule of silence."""
    return rules.load("kangyun.commons.exchange", "silence.yaml")


def agreed(found: Registration) -> list[float] | None:
    """Messages in each hour of the week, Monday 0 o'clock first, by a registration; None when no volume was agreed."""
    if not found.per_day:
        return None
    begin, end = (int(part) for part in (found.hours or str(rule().body["hours"])).split("-"))
    days = found.days or str(rule().body["days"])
    rate = found.per_day / (end - begin)
    return [rate if begin <= hour < end and str(day) in days else 0.0 for day in range(1, 8) for hour in range(24)]


def usual(counts: Sequence[int], first: datetime, now: datetime) -> list[float] | None:
    """Messages in each hour of the week by what came since `first`; None when the sender is not known long enough."""
    known = now - max(first, now - timedelta(weeks=rule().value["weeks"]))
    if known < timedelta(days=rule().value["known_days"]):
        return None
    return [count * timedelta(weeks=1) / known for count in counts]


def expected(rates: Sequence[float], last: datetime, now: datetime) -> float:
    """How many messages should have come between two moments; at most four weeks are looked at."""
    moment, total = max(last, now - timedelta(weeks=4)), 0.0
    while moment < now:
        local = moment.astimezone(_CHINA)
        following = min(now, local.replace(minute=0, second=0, microsecond=0) + _HOUR)
        total += rates[local.weekday() * 24 + local.hour] * ((following - moment) / _HOUR)
        moment = following
    return total


def is_silent(rates: Sequence[float], last: datetime, now: datetime) -> bool:
    """Whether the gap since the last message is too long to be chance."""
    limits = rule().value
    return now - last >= timedelta(minutes=limits["minutes"]) and expected(rates, last, now) >= limits["expected"]


def check_example(_rule: Rule, given: Mapping[str, Any]) -> float:
    """The number of messages expected in a gap."""
    rates = agreed(registration("EXAMPLE", given))
    assert rates is not None
    return round(expected(rates, datetime.fromisoformat(given["last"]), datetime.fromisoformat(given["now"])), 3)
