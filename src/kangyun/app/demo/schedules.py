"""The numbers of the demonstration: every doctor of a special-disease clinic sees people at the hospital in the mornings, too."""

from __future__ import annotations

from datetime import time
from typing import Any

from kangyun.app.demo.hospital import Open, rows
from kangyun.app.demo.staff import Kept
from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.base.web.display import CHINA
from kangyun.commons.access import Actor
from kangyun.support import appointments
from kangyun.support.appointments import Part, Schedule, Template

_BEGINS, _MINUTES, _NUMBERS, _FEE = time(8, 0), 10, 12, 1500
_WORKDAYS = range(1, 6)


async def settle(services: Services, kept: Kept, institution: str, opened: Open) -> None:
    """Open the mornings of the clinics' doctors; once for each data folder."""
    if "schedules" in kept.told:
        return
    handle = services.gate.open(Actor("demo/operations", "operations", institution=institution, account="demo"))
    today = clock.now().astimezone(CHINA).date()
    for number, (row, doctor) in enumerate(zip(rows(), opened.doctors, strict=False), 1):
        made = await appointments.arrange(handle, _schedule(institution, row, doctor.practitioner, f"门诊{number}诊室"))
        for weekday in _WORKDAYS:
            await appointments.add_template(handle, made.id, Template(weekday, Part(_BEGINS, _MINUTES, _NUMBERS), today))
    kept.told["schedules"] = {"since": today.isoformat()}
    kept.write()


def _schedule(institution: str, row: dict[str, Any], practitioner: str, room: str) -> Schedule:
    return Schedule(
        "", institution, "outpatient", str(row["subject"]), "", str(row["name"]), practitioner=practitioner, doctor=str(row["doctor"]), room=room, fee=_FEE)
