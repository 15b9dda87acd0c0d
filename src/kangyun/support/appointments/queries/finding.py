"""Finding: schedules by department, doctor, symptom, place, and their sittings with what is free for the caller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.support.appointments.decisions import channel_for, channel_opens, channels, finding, kinds
from kangyun.support.appointments.model import CHINA, Channel, Found, Number, Offer, Schedule
from kangyun.support.appointments.queries import pool


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody looks for; `text` is a doctor, a clinic, an institution or a symptom, in Chinese, English or pinyin."""

    kind: str
    department: str = ""
    text: str = ""
    institution: str = ""
    examination: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """Schedules with their distance in kilometres where it is known; the departments that a symptom led to; whether to call 120."""

    found: list[tuple[Found, float | None]]
    departments: tuple[str, ...]
    urgent: bool


def channel_of(handle: Handle) -> Channel:
    """The channel whose numbers the caller sees: that of the role, else the web's."""
    return channel_for(handle.actor.role) or channels()["web"]


def last_day(channel: Channel) -> date:
    """The last day whose numbers are open to a channel now."""
    now = clock.now()
    today = now.astimezone(CHINA).date()
    far = today + timedelta(days=channel.days)
    return far if channel_opens(channel, far) <= now else far - timedelta(days=1)


async def search(handle: Handle, wish: Search, here: tuple[float, float] | None = None) -> Result:
    """Schedules, the next free first; with a place of latitude and longitude the nearest first. Raises Problem 422 for no such kind."""
    if wish.kind not in kinds():
        raise refuse(422, "code-invalid", "appointments.wrong-kind")
    channel = channel_of(handle)
    led, urgent = finding.subjects(wish.text) if wish.text else ((), False)
    asked: dict[str, Any] = {"kind": wish.kind, "institution": wish.institution, "examination": wish.examination}
    if wish.department:
        asked["departments"] = [wish.department]
    found: list[Found] = []
    if wish.text:
        found = await pool.find(handle, asked | {"words": finding.wanted(wish.text)}, channel.channel, clock.now(), last_day(channel))
    if not wish.text or (led and not found):
        more = asked | ({"departments": list(led)} if led else {})
        found = await pool.find(handle, more, channel.channel, clock.now(), last_day(channel))
    return Result(_near(found, here, led), led, urgent)


def _near(found: list[Found], here: tuple[float, float] | None, led: tuple[str, ...]) -> list[tuple[Found, float | None]]:
    """The nearest first where a place is known; else those of the likeliest department, each in the order of the next free."""
    if here is None:
        rank = {code: place for place, code in enumerate(led)}
        return [(one, None) for one in sorted(found, key=lambda one: rank.get(one.schedule.department, len(rank)) if led else 0)]
    told = [(one, _distance(here, one.schedule)) for one in found]
    return sorted(told, key=lambda pair: (pair[1] is None, pair[1] or 0.0))


def _distance(here: tuple[float, float], there: Schedule) -> float | None:
    if there.latitude is None or there.longitude is None:
        return None
    return finding.kilometres(here, (there.latitude, there.longitude))


async def offers(handle: Handle, id_: str) -> tuple[Schedule, list[Offer]]:
    """A schedule and its sittings as far as the caller's channel may book, those that open later among them. Raises Problem 404."""
    channel, now = channel_of(handle), clock.now()
    async with handle.connection() as connection:
        schedule = await pool.schedule(connection, id_)
        if schedule is None or not schedule.active:
            raise refuse(404, "not-found", "appointments.unknown")
        last = now.astimezone(CHINA).date() + timedelta(days=channel.days + 7)
        found = await pool.offers(connection, schedule, channel.channel, now, last)
    return schedule, [Offer(one.schedule, one.sitting, one.free, one.total, channel_opens(channel, one.sitting.day), one.waiting) for one in found]


async def numbers(handle: Handle, sitting: str) -> list[Number]:
    """The numbers of a sitting in their order."""
    async with handle.connection() as connection:
        return await pool.numbers(connection, sitting)


async def next_free(handle: Handle, kind: str, department: str = "", institution: str = "", practitioner: str = "") -> Found | None:
    """The schedule with the next free number for the caller's channel, of a kind and where asked of a department, institution or doctor."""
    found = (await search(handle, Search(kind, department, institution=institution))).found
    free = [one for one, _ in found if one.next and practitioner in {"", one.schedule.practitioner}]
    return min(free, key=lambda one: one.next or clock.now(), default=None)
