"""Parcels: a courier sees to whom and where, never what for or what is inside; the recipient's code proves that they came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.support.drugs.actions.circulation import DISPENSE, address_of
from kangyun.support.drugs.actions.delivery_codes import check_code
from kangyun.support.drugs.actions.prescriptions import told
from kangyun.support.drugs.actions.steps import Move, anybody, applied, platform, unchanged
from kangyun.support.drugs.decisions import circulation
from kangyun.support.drugs.model.circulation import PARCEL_SYSTEM, REVIEW_SYSTEM, Held, Parcel
from kangyun.support.drugs.queries.counter import Door, parcel_at
from kangyun.support.drugs.queries.parcels import one_locked, parcel_of, sql, temperatures
from kangyun.support.drugs.queries.prescriptions import held
from kangyun.support.drugs.queries.prescriptions import sql as prescription_sql
from kangyun.support.drugs.queries.stock import sql as stock_sql

DELIVER = "drugs.deliver"
_COLDEST, _HOTTEST = Decimal(-90), Decimal(60)
_MEDICATION = {"system": "http://terminology.hl7.org/CodeSystem/supply-item-type", "code": "medication"}
_STATUS = {"packed": "in-progress", "picked-up": "in-progress", "delivered": "completed", "failed": "abandoned", "returned": "abandoned"}


async def packed(session: Transaction, found: Held) -> list[Write]:
    """The writes of a parcel that waits for its courier; inside of the transaction that dispenses."""
    now, id_ = clock.now(), f"{found.number}-parcel"
    parcel = Parcel(found.resident, id_, found.number, found.patient, found.pharmacy, found.courier, "", "packed", found.cold, now, now)
    await session.connection.execute(
        sql.put, parcel.resident, id_, parcel.number, parcel.patient, parcel.pharmacy, parcel.courier, "", "packed", parcel.storage, now)
    task: dict[str, Any] = {
        "resourceType": "Task", "id": f"{id_}-errand", "status": "requested", "intent": "order",
        "code": {"coding": [{"system": REVIEW_SYSTEM, "code": "deliver"}]}, "focus": {"reference": f"SupplyDelivery/{id_}"},
        "owner": {"reference": f"Organization/{found.courier}"}, "requester": {"reference": f"Organization/{found.pharmacy}"},
        "authoredOn": clock.instant(now),
    }
    return [
        Write("update", "SupplyDelivery", _supply(parcel), id_, if_match=0), Write("update", "Task", task, f"{id_}-errand", if_match=0),
        await told(session, found, "packed"),
    ]


def _supply(parcel: Parcel) -> dict[str, Any]:
    """The parcel as FHIR: one thing, without what is inside."""
    kind = [{"system": PARCEL_SYSTEM, "code": parcel.storage or "room"}]
    who = parcel.carrier or parcel.courier
    return {
        "resourceType": "SupplyDelivery", "id": parcel.id, "status": _STATUS[parcel.state],
        "identifier": [{"system": PARCEL_SYSTEM, "value": parcel.id}], "patient": {"reference": f"Patient/{parcel.patient}"},
        "type": {"coding": [_MEDICATION]}, "suppliedItem": {"quantity": {"value": 1}, "itemCodeableConcept": {"coding": kind, "text": "包裹"}},
        "supplier": {"reference": f"Organization/{parcel.courier}" if not parcel.carrier else f"Practitioner/{who}"},
    }


async def _change(handle: Handle, permission: str, parcel_id: str, event: str, work: Callable[[Transaction, Parcel, Held], Any]) -> Parcel:
    """Let something happen to a parcel and its prescription together; the prescription's row is locked first, as everywhere."""
    own = platform(handle, permission, "SupplyDelivery")
    before = await _ones_own(handle, own, permission, parcel_id)
    done: list[Parcel] = []

    async def beside(session: Transaction) -> Sequence[Write]:
        found = await held(session.connection, before.number, lock=True)
        parcel = await one_locked(session.connection, parcel_id)
        after, more = await work(session, parcel, found)
        writes = [*more]
        if event:
            who = "courier" if permission == DELIVER else "pharmacy"
            _, others = await applied(session, found, Move(event, who, anybody, unchanged), handle.actor)
            writes += others
        if after != parcel:
            after = replace(after, changed=clock.now())
            await session.connection.execute(sql.save, after.resident, after.id, after.state, after.carrier, after.changed)
            stored = await session.fetch("SupplyDelivery", parcel_id)
            assert stored is not None
            writes.append(Write("update", "SupplyDelivery", _supply(after), parcel_id, if_match=stored.version))
        done.append(after)
        return writes

    await own.commit([], beside=beside)
    return done[-1]


async def _ones_own(handle: Handle, own: Handle, permission: str, parcel_id: str) -> Parcel:
    """A parcel of the courier's or the pharmacy's. Raises Problem 404."""
    found = await parcel_of(own, parcel_id)
    mine = found and (found.courier if permission == DELIVER else found.pharmacy)
    if found is None or not handle.actor.institution or mine != handle.actor.institution:
        raise refuse(404, "not-found", "drugs.no-parcel")
    return found


async def pick_up(handle: Handle, parcel_id: str) -> Parcel:
    """A courier takes a parcel at the pharmacy; the same courier again changes nothing. Raises Problem 409 when another one has it."""
    found = await _ones_own(handle, platform(handle, DELIVER, "SupplyDelivery"), DELIVER, parcel_id)
    me = handle.actor.practitioner or ""
    if found.state == "picked-up" and found.carrier == me:
        return found

    async def work(session: Transaction, parcel: Parcel, now: Held) -> tuple[Parcel, Sequence[Write]]:
        if parcel.state != "packed":
            raise refuse(409, "conflict", f"drugs.parcel-{parcel.state}")
        stored = await session.fetch("Task", f"{parcel_id}-errand")
        assert stored is not None
        task = Write("update", "Task", {**stored.resource, "status": "in-progress"}, f"{parcel_id}-errand", if_match=stored.version)
        return replace(parcel, state="picked-up", carrier=me), [task, await told(session, now, "sent")]

    return await _change(handle, DELIVER, parcel_id, "send", work)


async def log_temperature(handle: Handle, parcel_id: str, celsius: Decimal, at: datetime | None = None) -> Parcel:
    """Write down the temperature of a parcel on its way. Raises Problem 422 for what no thermometer shows, or from the future."""
    moment = at or clock.now()
    if not _COLDEST <= celsius <= _HOTTEST or moment > clock.now():
        raise refuse(422, "value", "drugs.wrong-temperature", "Parameters.parameter")

    async def work(session: Transaction, parcel: Parcel, _now: Held) -> tuple[Parcel, Sequence[Write]]:
        if parcel.state not in {"packed", "picked-up"}:
            raise refuse(409, "conflict", f"drugs.parcel-{parcel.state}")
        await session.connection.execute(sql.put_temperature, parcel.resident, parcel_id, moment, celsius)
        return parcel, ()

    return await _change(handle, DELIVER, parcel_id, "", work)


async def deliver(handle: Handle, parcel_id: str, code: str) -> Parcel:
    """Hand a parcel over to whoever says the recipient's code; the same again changes nothing.

    Raises Problem: 403 for a wrong code, 409 after too many, or when the log of a cold parcel is missing or out of its limits.
    """
    own = platform(handle, DELIVER, "SupplyDelivery")
    found = await _ones_own(handle, own, DELIVER, parcel_id)
    if found.state == "delivered":
        return found
    if found.state != "picked-up":
        raise refuse(409, "conflict", f"drugs.parcel-{found.state}")
    await _check_cold(own, found)
    await check_code(own, found.number, code, anybody)

    async def work(session: Transaction, parcel: Parcel, now: Held) -> tuple[Parcel, Sequence[Write]]:
        return replace(parcel, state="delivered"), [await _errand_over(session, parcel_id, "completed"), await told(session, now, "delivered")]

    return await _change(handle, DELIVER, parcel_id, "deliver", work)


async def _check_cold(own: Handle, found: Parcel) -> None:
    async with own.connection() as connection:
        state = circulation.cold_chain(found.storage or "room", [celsius for _, celsius in await temperatures(connection, found.id)])
    if state != "good":
        raise refuse(409, "business-rule", f"drugs.cold-{state}")


async def _errand_over(session: Transaction, parcel_id: str, status: str) -> Write:
    stored = await session.fetch("Task", f"{parcel_id}-errand")
    assert stored is not None
    return Write("update", "Task", {**stored.resource, "status": status}, f"{parcel_id}-errand", if_match=stored.version)


async def fail(handle: Handle, parcel_id: str) -> Parcel:
    """A parcel that cannot be handed over (nobody there, refused, cold chain broken) goes back to the pharmacy."""
    async def work(session: Transaction, parcel: Parcel, now: Held) -> tuple[Parcel, Sequence[Write]]:
        if parcel.state != "picked-up":
            raise refuse(409, "conflict", f"drugs.parcel-{parcel.state}")
        return replace(parcel, state="failed"), [await _errand_over(session, parcel_id, "failed"), await told(session, now, "failed")]

    return await _change(handle, DELIVER, parcel_id, "fail", work)


async def take_back(handle: Handle, parcel_id: str, *, restock: bool = False) -> Parcel:
    """The pharmacy has a returned parcel again; `restock` only when it was checked and its cold chain held."""
    async def work(session: Transaction, parcel: Parcel, found: Held) -> tuple[Parcel, Sequence[Write]]:
        if parcel.state != "failed":
            raise refuse(409, "conflict", f"drugs.parcel-{parcel.state}")
        log = [celsius for _, celsius in await temperatures(session.connection, parcel_id)]
        if restock and circulation.cold_chain(parcel.storage or "room", log) != "good":
            raise refuse(409, "business-rule", "drugs.cold-broken")
        if restock:
            for row in await session.connection.fetch(prescription_sql.dispensed, found.number):
                await session.connection.execute(stock_sql.give_back, row["pharmacy"], row["code"], row["amount"], clock.now())
        return replace(parcel, state="returned"), ()

    return await _change(handle, DISPENSE, parcel_id, "take_back", work)


async def address(handle: Handle, parcel_id: str) -> dict[str, str]:
    """To whom a parcel goes, where, and which telephone, for its courier while it is under way. Raises Problem 404 or 409."""
    own = platform(handle, DELIVER, "SupplyDelivery")
    found = await _ones_own(handle, own, DELIVER, parcel_id)
    if found.state not in {"packed", "picked-up"}:
        raise refuse(409, "conflict", f"drugs.parcel-{found.state}")
    async with own.connection() as connection:
        return address_of(await held(connection, found.number))


async def at_door(handle: Handle, parcel_id: str) -> Door:
    """What the page at the door shows: the address too, as long as the parcel is under way. Raises Problem 404."""
    seen = await parcel_at(handle, parcel_id)
    under_way = seen.parcel.state in {"packed", "picked-up"}
    return replace(seen, address=await address(handle, parcel_id)) if under_way else seen
