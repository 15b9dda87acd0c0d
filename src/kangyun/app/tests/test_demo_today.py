"""The clinic of the demonstration: whatever the hour, somebody can be received and somebody called."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from kangyun.app.demo import hospital, logins, people, schedules, today
from kangyun.app.demo.staff import Kept
from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.base.web.display import CHINA
from kangyun.commons.access import Handle
from kangyun.support.appointments.actions import receiving
from kangyun.support.appointments.model import Booking
from kangyun.support.appointments.queries import bookings


async def states(handle: Handle, sitting: str) -> list[Booking]:
    async with handle.connection() as connection:
        return await bookings.of_sitting(connection, sitting)


@pytest.mark.parametrize("hour", [3, 9, 12, 17, 22])
async def test_there_is_a_sitting_to_come_to_at_any_hour(services: Services, hour: int) -> None:
    made = await logins.prepare(services)
    kept, place = Kept.of(services.settings.data), made.places["hospital_doctor"]
    opened = await hospital.settle(services, kept, place, most=1)
    await schedules.settle(services, kept, place, opened)
    # A day of its own for each hour, so that nobody has come yet.
    now = datetime.now(CHINA).replace(hour=hour, minute=7) + timedelta(days=hour % 20)
    clock.set_source(lambda: now)
    known = await people.settle(services, made)
    sitting = await today.settle(services, place, opened.doctors[0].practitioner, known)
    assert sitting is not None
    assert sitting.day == now.date()
    handle = services.gate.system("tests")
    assert sorted(one.state for one in await states(handle, sitting.id)) == ["booked", "booked", "checked-in", "checked-in"]
    called = await receiving.call_next(handle, sitting.id)
    assert called is not None
    expected = next(one for one in await states(handle, sitting.id) if one.state == "booked")
    assert (await receiving.receive(handle, expected.appointment)).state == "checked-in"
    # Started again, it makes nothing twice.
    assert await today.settle(services, place, opened.doctors[0].practitioner, known) == sitting
    assert len(await states(handle, sitting.id)) == 4
