"""Numbers that a hospital's own system keeps: its Schedules and Slots are read into the pool as they are written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from kangyun.commons.access import Handle
from kangyun.support.appointments.actions.sittings import name_of
from kangyun.support.appointments.decisions import departments, examinations, finding, kinds
from kangyun.support.appointments.model import CHINA, Schedule
from kangyun.support.appointments.queries import pool

_STATES = {"free": "free"}
_FIELDS = (
    "id", "institution", "kind", "department", "examination", "practitioner", "service", "house", "title", "doctor", "rank", "room", "words",
    "latitude", "longitude", "fee", "outside", "active",
)


async def mirror_schedule(work: Handle, id_: str) -> None:
    """Take a Schedule that was not arranged here into the pool; one without institution, kind or department stays outside."""
    found = await work.read("Schedule", id_)
    async with work.connection() as connection:
        kept = await pool.schedule(connection, id_)
        if found is None or (kept is not None and not kept.outside):
            return
        made = await _schedule(work, found)
        if made is not None:
            await connection.execute(pool.sql.save_schedule, *(getattr(made, name) for name in _FIELDS))


async def _schedule(work: Handle, found: Mapping[str, Any]) -> Schedule | None:
    actors = {name: id_ for one in found.get("actor", ()) for name, _, id_ in [str(one.get("reference", "")).partition("/")] if id_}
    service = await work.read("HealthcareService", actors["HealthcareService"]) if "HealthcareService" in actors else None
    location = await work.read("Location", actors["Location"]) if "Location" in actors else None
    kept_by = (service or {}).get("providedBy") or (location or {}).get("managingOrganization") or {}
    institution = str(kept_by.get("reference", "")).removeprefix("Organization/")
    organization = await work.read("Organization", institution) if institution else None
    kind = _code(found.get("serviceCategory"), kinds()) or "outpatient"
    department = _code([*found.get("specialty", ()), *(service or {}).get("specialty", ())], departments())
    if organization is None or not department:
        return None
    doctor = await work.read("Practitioner", actors["Practitioner"]) if "Practitioner" in actors else None
    named, house = name_of(doctor) if doctor else "", str(organization.get("name", ""))
    title = str((service or {}).get("name") or departments()[department].titles["zh"])
    return Schedule(
        str(found["id"]), institution, kind, department, house, title, _code(found.get("serviceType"), examinations()),
        actors.get("Practitioner", ""), actors.get("HealthcareService", ""), named, outside=True, active=bool(found.get("active", True)),
        words=finding.words(named, title, house, departments()[department].titles["zh"]))


def _code(concepts: Any, known: Mapping[str, Any]) -> str:
    """The first code of some concepts that a table of ours knows, in whatever system it is told."""
    codings = [coding for one in concepts or () for coding in one.get("coding", ())]
    return next((str(one.get("code")) for one in codings if one.get("code") in known), "")


async def mirror_slot(work: Handle, id_: str) -> None:
    """Take a Slot of a mirrored Schedule into the pool, or what its system says of it now; a number that is taken here stays."""
    found = await work.read("Slot", id_)
    if found is None:
        return
    of = str(found.get("schedule", {}).get("reference", "")).removeprefix("Schedule/")
    async with work.connection() as connection:
        known = await pool.schedule(connection, of)
    if known is None:
        await mirror_schedule(work, of)
    async with work.connection() as connection, connection.transaction():
        schedule = await pool.schedule(connection, of)
        if schedule is None or not schedule.outside:
            return
        starts, ends = (datetime.fromisoformat(str(found[name])) for name in ("start", "end"))
        day = starts.astimezone(CHINA)
        sitting = f"{schedule.id}.{day:%y%m%d}{'0000' if day.hour < 12 else '1200'}"
        await connection.execute(pool.sql.widen_sitting, sitting, schedule.id, day.date(), starts, ends, schedule.room)
        state = _STATES.get(str(found.get("status")), "closed")
        number = await connection.fetchval(pool.sql.next_number, sitting)
        await connection.execute(
            pool.sql.add_numbers, [id_], [sitting], [number], [starts], [ends], [""], [state], [starts - timedelta(days=366)])
        await connection.execute(pool.sql.set_outside, id_, state)
