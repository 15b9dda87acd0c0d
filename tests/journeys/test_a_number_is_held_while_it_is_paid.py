"""A resident takes a number and pays for it on the phone: it is booked once it is paid, and the fee of what is given back comes back."""

from __future__ import annotations

import asyncio
from datetime import time, timedelta

import asyncpg
import pytest

from kangyun.app.services import open_services
from kangyun.base import clock
from kangyun.base.settings import Settings
from kangyun.base.web.display import CHINA
from kangyun.support.appointments import Part, Schedule, Template, add_template, arrange
from tests.faults.storm import dsn
from tests.journeys.playing import verdict
from tests.journeys.world import World
from yunzhou import paying
from yunzhou.actors import Actor, parameter

pytestmark = pytest.mark.timeout(180)

_FEE = 1500
_MONEY = {"cash", "orders", "money_back", "twice", "books", "owed"}
_PHONE = {"resourceType": "Parameters", "parameter": [{"name": "channel", "valueCode": "wechat"}, {"name": "scene", "valueCode": "phone"}]}


async def sitting(world: World, numbers: int) -> str:
    """A sitting of the day after tomorrow, whose numbers cost something."""
    services = await open_services(Settings(data=world.server.data))
    try:
        work, day = services.gate.system("test"), clock.now().astimezone(CHINA).date() + timedelta(days=2)
        of = await arrange(work, Schedule("", world.places["hospital_doctor"], "outpatient", "03.04", "", "心血管内科门诊", fee=_FEE))
        await add_template(work, of.id, Template(day.isoweekday(), Part(time(8), 10, numbers), day, day))
        return f"{of.id}.{day:%y%m%d}0800"
    finally:
        await services.close()


async def held(patient: Actor, of: str) -> str:
    """The Appointment of a number that is held."""
    made = await patient.do("Appointment/$hold", sitting=of)
    assert made["status"] == "pending"
    return str(made["id"])


async def order_of(world: World, invoice: str) -> tuple[int, int]:
    """What was paid for an order and what of it was given back, in fen."""
    connection = await asyncpg.connect(dsn(world.server))
    try:
        row = await connection.fetchrow("SELECT paid_fen, refunded_fen FROM payments_order WHERE id = $1", invoice)
        assert row is not None
        return row["paid_fen"], row["refunded_fen"]
    finally:
        await connection.close()


async def until_status(patient: Actor, appointment: str, status: str) -> None:
    """Wait until an Appointment has a status."""
    async with asyncio.timeout(30):
        while (await patient.read("Appointment", appointment))["status"] != status:  # noqa: ASYNC110 - the resident looks again, there is nothing to wait on
            await asyncio.sleep(0.2)


async def until_given_back(world: World, invoice: str) -> None:
    """Wait until all that was paid has gone back."""
    async with asyncio.timeout(30):
        while await order_of(world, invoice) != (_FEE, _FEE):  # noqa: ASYNC110 - another process gives it back
            await asyncio.sleep(0.2)


async def agrees(world: World) -> None:
    """The books know nothing else."""
    assert [one for one in (await verdict(world)).faults if one.check in _MONEY] == []


async def test_what_is_paid_is_booked_and_what_is_given_back_is_paid_back(world: World) -> None:
    patient, of = await world.resident(world.people[2]), await sitting(world, 2)
    appointment = await held(patient, of)
    invoice = await patient.do(f"Appointment/{appointment}/$checkout")
    assert invoice["totalNet"]["value"] == _FEE / 100
    again = await patient.do(f"Appointment/{appointment}/$checkout")
    assert again["id"] == invoice["id"], "one number is paid once"
    await paying.pay(patient, world.bank, invoice["id"])
    await until_status(patient, appointment, "booked")
    assert await order_of(world, invoice["id"]) == (_FEE, 0)
    await patient.do(f"Appointment/{appointment}/$cancel")
    await until_given_back(world, invoice["id"])
    await agrees(world)


async def test_who_pays_for_a_number_that_was_given_back_meanwhile_gets_the_money_back(world: World) -> None:
    patient, of = await world.resident(world.people[3]), await sitting(world, 1)
    appointment = await held(patient, of)
    invoice = await patient.do(f"Appointment/{appointment}/$checkout")
    link = str(parameter(await patient.do(f"Invoice/{invoice['id']}/$pay", _PHONE), "link"))
    await patient.do(f"Appointment/{appointment}/$cancel")
    await paying.press(world.bank, link)
    await until_given_back(world, invoice["id"])
    assert (await patient.read("Appointment", appointment))["status"] == "cancelled"
    await agrees(world)
