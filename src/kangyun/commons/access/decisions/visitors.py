"""Who looked at one's record, as a resident reads it: a line for each visitor and reason of a day, however often they looked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, timezone

from kangyun.commons.access.decisions.policy import groups
from kangyun.commons.access.model import Event

_CHINA = timezone(timedelta(hours=8))
# What belongs to a person; terminology and institutions say nothing about anybody.
_IMPERSONAL = {"terms", "catalogue", "directory", "trail", "counts"}


@dataclass(frozen=True, slots=True)
class Glass:
    """A break-glass: whose account it opened something to, from when until when."""

    account: str
    starts: datetime
    ends: datetime


@dataclass(slots=True)
class Visit:
    """One visitor on one day for one reason. id: of the newest event. first, last: moments. who: oneself, guardian, resident, app, staff."""

    id: str
    who: str
    event: Event
    emergency: bool
    first: datetime
    last: datetime
    times: int = 0
    kinds: list[str] = field(default_factory=list[str])
    actions: list[str] = field(default_factory=list[str])


def visits(seen: Iterable[tuple[str, Event]], own: str | None, glasses: Sequence[Glass]) -> list[tuple[date, list[Visit]]]:
    """Days, newest first, each with its visitors; `seen` are ids and events, newest first, `own` is the resident's account."""
    days: dict[date, dict[tuple[object, ...], Visit]] = {}
    for id_, event in seen:
        glass = _is_emergency(event, glasses)
        key = (event.name, event.role, event.institution, event.purpose, event.outcome, glass)
        day = days.setdefault(event.at.astimezone(_CHINA).date(), {})
        visit = day.get(key)
        if visit is None:
            visit = day[key] = Visit(id_, _who(event, own), event, glass, event.at, event.at)
        visit.first, visit.times = min(visit.first, event.at), visit.times + 1
        visit.kinds += [kind for kind in kinds(event.types) if kind not in visit.kinds]
        visit.actions += [action for action in event.action.split() if action not in visit.actions]
    return [(day, list(found.values())) for day, found in days.items()]


def kinds(types: Sequence[str]) -> list[str]:
    """Names of the groups of rules/type_groups.yaml that resource types belong to, those about people only."""
    return [name for name, members in groups().items() if name not in _IMPERSONAL and any(type_ in members for type_ in types)]


def _who(event: Event, own: str | None) -> str:
    if own and event.account == own and event.role in {"resident", "guardian"}:
        return "oneself"
    if event.role == "guardian":
        return "guardian"
    if event.role == "resident":
        # Somebody who asked to act for one, and does not yet.
        return "resident"
    return "app" if event.name.startswith("client/") else "staff"


def _is_emergency(event: Event, glasses: Sequence[Glass]) -> bool:
    account = event.account or event.name
    return event.purpose == "emergency" or any(
        glass.account == account and glass.starts <= event.at < glass.ends for glass in glasses)
