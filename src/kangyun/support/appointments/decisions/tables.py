"""The tables of rules/, as nouns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.appointments.model import CHINA, Channel, Department, Kind

_ROOM = "kangyun.support.appointments"

Noun = TypeVar("Noun")

# What was made of a rule, for as long as the same rule is in force: each booking asks several times.
_made: dict[str, tuple[Rule, Mapping[str, Any]]] = {}


def rule(name: str) -> Rule:
    """A rule of this room as it is in force today."""
    return rules.load(_ROOM, f"{name}.yaml")


def _kept(name: str, key: str, make: Callable[[Mapping[str, Any]], Noun]) -> Mapping[str, Noun]:
    found = rule(name)
    kept = _made.get(name)
    if kept is None or kept[0] is not found:
        kept = _made[name] = (found, {str(row[key]): make(row) for row in found.table})
    return kept[1]


def kinds() -> Mapping[str, Kind]:
    """The kinds of numbers by their code."""
    return _kept("kinds", "kind", lambda row: Kind(row["kind"], row["title"], row["minutes"], row["order"], row["step"], row["icon"]))


def channels() -> Mapping[str, Channel]:
    """The channels by their code."""
    return _kept("channels", "channel", _channel)


def _channel(row: Mapping[str, Any]) -> Channel:
    return Channel(
        row["channel"], row["title"], tuple(row["roles"]), row["days"], time.fromisoformat(row["opens"]), row["release_hours"], row["real_name"])


def departments() -> Mapping[str, Department]:
    """The subjects of care by their code."""
    return _kept("departments", "code", lambda row: Department(row["code"], row["title"], row.get("sex", ""), row.get("under")))


def examinations() -> Mapping[str, Mapping[str, Any]]:
    """The examinations by their code: title, department, prepare."""
    return _kept("examinations", "code", lambda row: row)


def channel_for(role: str) -> Channel | None:
    """The channel by which somebody of a role books; None: such a role books nothing."""
    return next((one for one in channels().values() if role in one.roles), None)


def channel_opens(channel: Channel, day: date) -> datetime:
    """When the numbers of a day open to a channel."""
    return datetime.combine(day - timedelta(days=channel.days), channel.opens, CHINA)
