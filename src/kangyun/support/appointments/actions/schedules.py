"""Schedules: who offers numbers, how a week looks, which days depart from it; and making the sittings and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, time, timedelta
from uuid import uuid4

import orjson
import structlog

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.support.appointments.actions import guarding
from kangyun.support.appointments.actions.sittings import doctor_named, stop
from kangyun.support.appointments.decisions import channels, departments, examinations, finding, kinds, planning
from kangyun.support.appointments.decisions.tables import rule
from kangyun.support.appointments.model import (
    CHINA,
    Departure,
    Part,
    Schedule,
    Sitting,
    Template,
    healthcare_service,
    schedule_resource,
    slot,
)
from kangyun.support.appointments.queries import pool

log = structlog.get_logger()

_MIDNIGHT = time()
_FAR = timedelta(days=732)
_FIELDS = (
    "id", "institution", "kind", "department", "examination", "practitioner", "service", "house", "title", "doctor", "rank", "room", "words",
    "latitude", "longitude", "fee", "outside", "active",
)


async def arrange(handle: Handle, wish: Schedule) -> Schedule:
    """Add a schedule, or change one by its id: its Schedule and HealthcareService in the record, and its place in the pool.

    `wish` names institution, kind, department, title, and where it applies practitioner, examination, room, rank, fee.
    Raises Problem: 404 for an institution that is not the caller's or an unknown practitioner, 422 for what cannot be right.
    """
    work = guarding.own(handle, guarding.MANAGE, "Schedule")
    await guarding.guard(handle, work, wish.institution)
    _check(wish)
    if wish.id:
        await known(handle, wish)
    whole = await _completed(work, wish)
    kind, department = kinds()[whole.kind], departments()[whole.department]
    kept = await work.read("Schedule", whole.id)

    async def beside(session: Transaction) -> list[Write]:
        await session.connection.execute(pool.sql.save_schedule, *(getattr(whole, name) for name in _FIELDS))
        return [
            Write("update", "HealthcareService", healthcare_service(whole, kind, department), whole.service),
            Write("update", "Schedule", schedule_resource(whole, kind, department, kept), whole.id),
        ]

    await work.commit([], beside=beside)
    log.info("appointments.arranged", kind=whole.kind)
    return whole


async def known(handle: Handle, wish: Schedule) -> Schedule:
    """The schedule that a wish would change; raises Problem 404 for one that is not there or another institution's."""
    found = await guarded(handle, guarding.own(handle, guarding.MANAGE, "Schedule"), wish.id)
    if found.institution != wish.institution:
        raise refuse(404, "not-found", "appointments.unknown")
    return found


def _check(wish: Schedule) -> None:
    if wish.kind not in kinds():
        raise refuse(422, "code-invalid", "appointments.wrong-kind", "Schedule.serviceCategory")
    if wish.department not in departments():
        raise refuse(422, "code-invalid", "appointments.wrong-department", "Schedule.specialty")
    if wish.kind == "examination" and wish.examination not in examinations():
        raise refuse(422, "code-invalid", "appointments.wrong-examination", "Schedule.serviceType")
    if not 1 <= len(wish.title.strip()) <= 80:
        raise refuse(422, "value", "appointments.wrong-title", "Schedule.comment")
    if not 0 <= wish.fee <= 10_000_000:
        raise refuse(422, "value", "appointments.wrong-fee")


async def _completed(work: Handle, wish: Schedule) -> Schedule:
    organization = await work.read("Organization", wish.institution)
    if organization is None:
        raise refuse(404, "not-found", "appointments.unknown")
    house, title = str(organization.get("name", "")), wish.title.strip()
    doctor = await doctor_named(work, wish.practitioner) if wish.practitioner else ""
    place = (await work.read("Location", wish.institution) or {}).get("position", {})
    id_ = wish.id or uuid4().hex
    department = departments()[wish.department].titles
    return replace(
        wish, id=id_, house=house, title=title, doctor=doctor, service=wish.service or f"service-{id_}",
        room=wish.room.strip()[:60], rank=wish.rank.strip()[:40],
        words=finding.words(doctor, title, house, department["zh"], department["en"]),
        latitude=float(place["latitude"]) if "latitude" in place else None, longitude=float(place["longitude"]) if "longitude" in place else None)


async def guarded(handle: Handle, work: Handle, id_: str) -> Schedule:
    """A schedule of the caller's institution; raises Problem 404."""
    async with work.connection() as connection:
        found = await pool.schedule(connection, id_)
    if found is None:
        raise refuse(404, "not-found", "appointments.unknown")
    await guarding.guard(handle, work, found.institution)
    return found


async def add_template(handle: Handle, id_: str, template: Template) -> int:
    """Add a part of every week, and make its sittings; its number. Raises Problem 404, 422 naming the field, 409 if it overlaps."""
    work = guarding.own(handle, guarding.MANAGE, "Schedule")
    found = await guarded(handle, work, id_)
    _check_part(template.part)
    if not 1 <= template.weekday <= 7:
        raise refuse(422, "value", "appointments.wrong-weekday")
    if template.until is not None and template.until < template.since:
        raise refuse(422, "value", "appointments.wrong-until")
    for day in (template.since, *([template.until] if template.until else [])):
        _check_day(day)
    async with work.connection() as connection, connection.transaction():
        others = (await pool.templates(connection, [id_]))[id_]
        if any(_overlap(template, one) for one in others):
            raise refuse(409, "conflict", "appointments.overlap")
        part = template.part
        made = await connection.fetchval(
            pool.sql.add_template, id_, template.weekday, part.begins, part.minutes, part.numbers, orjson.dumps(dict(part.quotas)).decode(),
            template.since, template.until)
    await fill(work, found)
    return int(made)


def _check_part(part: Part) -> None:
    field = planning.faults(part, channels())
    if field:
        raise refuse(422, "value", f"appointments.wrong-{field}")


def _overlap(one: Template, other: Template) -> bool:
    if one.weekday != other.weekday or (other.until and other.until < one.since) or (one.until and one.until < other.since):
        return False
    first, second = (one.part, other.part) if one.part.begins <= other.part.begins else (other.part, one.part)
    return _minute(first) + first.minutes * first.numbers > _minute(second)


def _minute(part: Part) -> int:
    return part.begins.hour * 60 + part.begins.minute


def _check_day(day: date) -> None:
    """No schedule is made for days that nobody plans. Raises Problem 422."""
    if abs(day - _today()) > _FAR:
        raise refuse(422, "value", "appointments.wrong-day", "day")


async def end_template(handle: Handle, id_: str, template: int, last: date, reason: str) -> int:
    """Let a part of every week end after a day; sittings made beyond it are stopped. How many people were told.

    Raises Problem 404, and 422 for a day that cannot be or without a reason, before anything is changed.
    """
    work = guarding.own(handle, guarding.MANAGE, "Schedule")
    await guarded(handle, work, id_)
    _check_day(last)
    if not reason.strip():
        raise refuse(422, "required", "appointments.no-reason")
    async with work.connection() as connection:
        before = (await pool.templates(connection, [id_]))[id_]
        of = next((one for one in before if one.id == template), None)
        if of is None or await connection.fetchval(pool.sql.end_template, template, id_, last) is None:
            raise refuse(404, "not-found", "appointments.unknown")
        sittings = await pool.week(connection, [id_], last + timedelta(days=1), last + timedelta(days=366), clock.now())
    ours = [one["sitting"] for one in sittings if one["sitting"].day.isoweekday() == of.weekday and _local(one["sitting"]) == of.part.begins]
    return await _stop_all(handle, ours, reason)


def _local(sitting: Sitting) -> time:
    return sitting.starts.astimezone(CHINA).time()


async def _stop_all(handle: Handle, sittings: Sequence[Sitting], reason: str) -> int:
    return sum([await stop(handle, one.id, reason) for one in sittings if one.state == "open" and one.ends > clock.now()])


async def depart(handle: Handle, id_: str, departure: Departure) -> int:
    """A day that departs from the templates: closed (its sittings are stopped), or with one more. How many people were told.

    Raises Problem 404, and 422 for a day that is over, without a reason to close, or a part that cannot be.
    """
    work = guarding.own(handle, guarding.MANAGE, "Schedule")
    found = await guarded(handle, work, id_)
    if departure.day < _today():
        raise refuse(422, "value", "appointments.wrong-day")
    _check_day(departure.day)
    if departure.kind == "extra":
        _check_part(departure.part or Part(_MIDNIGHT, 0, 0))
    elif not departure.reason.strip():
        raise refuse(422, "required", "appointments.no-reason")
    part = departure.part or Part(_MIDNIGHT, 0, 0)
    async with work.connection() as connection:
        await connection.execute(
            pool.sql.add_departure, id_, departure.day, departure.kind, part.begins, part.minutes, part.numbers,
            orjson.dumps(dict(part.quotas)).decode(), departure.reason.strip()[:200])
        sittings = await pool.week(connection, [id_], departure.day, departure.day, clock.now())
    if departure.kind == "extra":
        await fill(work, found)
        return 0
    return await _stop_all(handle, [one["sitting"] for one in sittings], departure.reason)


def _today() -> date:
    return clock.now().astimezone(CHINA).date()


async def fill(work: Handle, schedule: Schedule) -> int:
    """Make the sittings of a schedule as far ahead as the rule says, with their numbers and Slots; how many were new.

    Making them twice makes them once, whoever does it at the same moment.
    """
    today = _today()
    async with work.connection() as connection:
        templates = (await pool.templates(connection, [schedule.id]))[schedule.id]
        departures = (await pool.departures(connection, [schedule.id], today))[schedule.id]
        known = {row["id"] for row in await connection.fetch(pool.sql.known_sittings, schedule.id, today)}
    planned = planning.sittings(schedule.id, templates, departures, today, rule("horizon").value)
    wanted = [(one, part) for one, part in planned if one.id not in known and one.ends > clock.now()]
    return sum([await _make(work, schedule, one, part) for one, part in wanted])


async def _make(work: Handle, schedule: Schedule, sitting: Sitting, part: Part) -> bool:
    made = planning.numbers(sitting, part)

    async def beside(session: Transaction) -> list[Write]:
        new = await session.connection.fetchval(
            pool.sql.add_sitting, sitting.id, schedule.id, sitting.day, sitting.starts, sitting.ends, "", "", schedule.room)
        if new is None:
            return []
        columns = zip(*[(n.id, n.sitting, n.number, n.starts, n.ends, n.channel, n.state, n.free_at) for n in made], strict=True)
        await session.connection.execute(pool.sql.add_numbers, *(list(one) for one in columns))
        return [Write("update", "Slot", slot(one, schedule.id, "free"), one.id) for one in made]

    return bool(await work.commit([], beside=beside))
