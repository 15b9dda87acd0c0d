"""The fee of a number in the pool: paid while the number is held, which then is booked; where the number is gone the money goes back.

An order's only line names the Appointment, so that whoever finds one finds the other. What has to follow is one durable job that
looks how both stand and may run any number of times.

A booking that is cancelled, by whomever, gets its fee back; one that nobody came for does not. (Our own default.)
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog

from kangyun.base import clock, jobs
from kangyun.base.errors import Problem, refuse
from kangyun.base.settings import Settings
from kangyun.care.internet_hospital.actions.quoting import acting
from kangyun.care.internet_hospital.actions.settling import Parts
from kangyun.commons.access import Handle
from kangyun.commons.population import person_of
from kangyun.support import appointments, payments

log = structlog.get_logger()

SOURCE = "appointments.fee"
JOB = "internet_hospital.number"
_GONE = {404, 409}


def place(appointment: str) -> str:
    """The page where a held number is paid."""
    return f"/consult/number/{appointment}"


def is_open(settings: Settings) -> bool:
    """Whether there is any channel to pay through."""
    return bool(payments.channels(settings))


appointments.paid_at(place, is_open)


async def order_for(handle: Handle, appointment: str) -> payments.Order:
    """The order of a held number of the caller's own. Raises Problem 404 for another's, 409 when it is not held any more or costs nothing."""
    owed = await appointments.owed(handle, appointment)
    if not owed.fen:
        raise refuse(409, "business-rule", "internet_hospital.nothing-to-pay")
    own, minutes = acting(handle), (owed.until - clock.now()) // timedelta(minutes=1)
    if not minutes:
        raise refuse(409, "business-rule", "appointments.not-held")
    async with own.connection() as connection:
        earlier = _about(await payments.orders_of_person(connection, owed.person), appointment)
    if earlier and not earlier[0].lapsed:
        return earlier[0]
    line = payments.Line(appointment, f"{owed.schedule.house} {owed.schedule.title} 挂号费", owed.fen)
    key = f"number/{appointment}/{earlier[0].id if earlier else ''}"
    return await payments.order(own, payments.Wanted(owed.person, owed.patient, owed.institution, SOURCE, [line], key, minutes=minutes))


def _about(orders: Sequence[payments.Order], appointment: str) -> list[payments.Order]:
    return [one for one in orders if one.source == SOURCE and one.lines[0].code == appointment]


@jobs.job(JOB, tries=40, first_pause=1.0)
async def follow(services: Parts, payload: dict[str, Any]) -> None:
    """Book what is paid, give back what was paid for nothing."""
    own, appointment = services.gate.system(JOB), str(payload["appointment"])
    made = await own.read("Appointment", appointment)
    patient = patient_of(made) if made else ""
    person = await person_of(own, patient) if patient else None
    if made is None or person is None:
        log.warning("internet_hospital.number-unknown", id=appointment)
        return
    async with own.connection() as connection:
        paid = [one for one in _about(await payments.orders_of_person(connection, str(person["id"])), appointment) if one.paid_fen > one.refunded_fen]
    for one in paid:
        if not await _stands(own, appointment, str(made["status"])):
            await payments.refund(own, one.id, one.paid_fen - one.refunded_fen, f"number/{one.id}", "预约已取消，退还挂号费")


async def _stands(own: Handle, appointment: str, status: str) -> bool:
    """Whether there is something for the money; what is only held becomes a booking."""
    if status != "pending":
        return status not in {"cancelled", "entered-in-error"}
    try:
        await appointments.confirm(own, appointment)
    except Problem as problem:
        if problem.status not in _GONE:
            raise
        return False
    return True


def patient_of(made: dict[str, Any]) -> str:
    """The id of the Patient whom an Appointment is for; empty when it names none."""
    named = (str(one.get("actor", {}).get("reference", "")) for one in made.get("participant", ()))
    return next((one.removeprefix("Patient/") for one in named if one.startswith("Patient/")), "")
