"""The way of a passed prescription: the resident chooses who dispenses it and how it comes, pays, and a pharmacy locks it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.keys import vault
from kangyun.commons import population
from kangyun.commons.access import Handle, Transaction, Write
from kangyun.support.drugs.actions.prescriptions import ended_tasks, told
from kangyun.support.drugs.actions.steps import (
    Move,
    Work,
    advance,
    anybody,
    keep,
    line_writes,
    lines,
    not_expired,
    pharmacy_only,
    platform,
    unchanged,
)
from kangyun.support.drugs.decisions import circulation
from kangyun.support.drugs.model import Prescription
from kangyun.support.drugs.model.circulation import REVIEW_SYSTEM, Choice, Held
from kangyun.support.drugs.model.orders import prescription_of
from kangyun.support.drugs.queries.known import drugs_of
from kangyun.support.drugs.queries.places import is_kind
from kangyun.support.drugs.queries.prescriptions import amounts, content_of, held, sql
from kangyun.support.drugs.queries.prescriptions import unknown as no_prescription
from kangyun.support.drugs.queries.stock import shelf_of

CHOOSE = "resident.use"
DISPENSE = "drugs.dispense"
ADDRESS = "drugs-address"
WAYS = ("hospital", "retail", "courier")
_LONGEST = {"name": 40, "address": 200, "phone": 20}


async def choose(handle: Handle, number: str, choice: Choice) -> Held:
    """Choose who dispenses a passed prescription, and for a courier where the parcel goes; until a pharmacy locks it, again and again.

    Raises Problem: 404 when it is not the caller's, 409 when it cannot be chosen now, 422 for a way that is closed to what is
    prescribed, for a pharmacy that is none, and for an address that lacks something.
    """
    own, found = platform(handle, CHOOSE), await of_ones_own(handle, number)
    await _check_way(own, found, await content_of(own, found), choice)
    sealed = _sealed(number, choice)

    async def work(session: Transaction, now: Held) -> tuple[Held, Sequence[Write]]:
        not_expired(now)
        after = replace(now, way=choice.way, pharmacy=choice.pharmacy, courier=choice.courier, address=sealed)
        return after, [*await _addressed(session, after), await _errand(session, after)]

    return await advance(own, handle.actor, number, Move("choose", "resident", anybody, work))


async def of_ones_own(handle: Handle, number: str) -> Held:
    """A prescription of the resident who asks, or of the ward. Raises Problem 404."""
    async with handle.connection() as connection:
        found = await held(connection, number)
    if found.state == "draft" or not await handle.is_own(found.patient) or await handle.read("Patient", found.patient) is None:
        raise no_prescription()
    return found


async def _check_way(own: Handle, found: Held, said: Prescription, choice: Choice) -> None:
    if choice.way not in WAYS:
        raise refuse(422, "value", "drugs.wrong-way", "Parameters.parameter")
    drugs = await drugs_of(own, [line.code for line in said.lines])
    named = choice.way != "courier" or await _is_named(own, found.patient)
    closed = circulation.way_closed(choice.way, (one.control for one in drugs.values()), (line.route for line in said.lines), real_name=named)
    if closed:
        raise refuse(422, "business-rule", f"drugs.way-closed.{closed}", "Parameters.parameter")
    if choice.way == "hospital" and choice.pharmacy != found.institution:
        raise refuse(422, "value", "drugs.wrong-pharmacy", "Parameters.parameter")
    if choice.pharmacy != found.institution and not await is_kind(own, choice.pharmacy, "pharmacy"):
        raise refuse(422, "value", "drugs.wrong-pharmacy", "Parameters.parameter")
    if choice.way == "courier":
        await _check_parcel(own, choice)


async def _check_parcel(own: Handle, choice: Choice) -> None:
    if not await is_kind(own, choice.courier, "delivery"):
        raise refuse(422, "value", "drugs.wrong-courier", "Parameters.parameter")
    for field, longest in _LONGEST.items():
        if not 1 < len(str(getattr(choice, field)).strip()) <= longest:
            raise refuse(422, "required", f"drugs.wrong-{field}", "Parameters.parameter")


async def _is_named(own: Handle, patient: str) -> bool:
    """Whether the name of a resident is proved: an identity document stands in the register."""
    ids = await population.identities(own, patient)
    kept = [await own.read("Patient", one) for one in ids]
    return any(entry.get("value") for one in kept if one for entry in one.get("identifier", ()) if entry.get("system") == population.ID_NUMBER_SYSTEM)


def _sealed(number: str, choice: Choice) -> str:
    if choice.way != "courier":
        return ""
    told = json.dumps({field: str(getattr(choice, field)).strip() for field in _LONGEST}, ensure_ascii=False)
    return vault.seal(ADDRESS, told, number)


def address_of(found: Held) -> dict[str, str]:
    """Who takes the parcel, where, and which telephone: name, address, phone; empty when nothing is sent."""
    return json.loads(vault.opened(ADDRESS, found.address, found.number)) if found.address else {}


async def _addressed(session: Transaction, found: Held) -> list[Write]:
    """The lines, addressed to the pharmacy, which sees them from now on."""
    writes: list[Write] = []
    for one in await lines(session, found):
        supply = {**one["dispenseRequest"], "performer": {"reference": f"Organization/{found.pharmacy}"}}
        writes += line_writes([one], dispenseRequest=supply)
    return writes


async def _errand(session: Transaction, found: Held) -> Write:
    """The Task of the pharmacy: it sees the allergies as long as it is open."""
    stored = await session.fetch("Task", found.errand)
    task: dict[str, Any] = {
        "resourceType": "Task", "id": found.errand, "status": "requested", "intent": "order",
        "code": {"coding": [{"system": REVIEW_SYSTEM, "code": "dispense"}]},
        "groupIdentifier": {"system": "urn:kangyun:prescription", "value": found.number},
        "focus": {"reference": f"MedicationRequest/{found.line_ids[0]}"}, "for": {"reference": f"Patient/{found.patient}"},
        "authoredOn": clock.instant(clock.now()), "owner": {"reference": f"Organization/{found.pharmacy}"},
        "requester": {"reference": f"Organization/{found.institution}"},
        "restriction": {"period": {"end": clock.instant(found.valid_until)}},
    }
    return Write("update", "Task", task, found.errand, if_match=stored.version if stored else 0)


async def decline(handle: Handle, number: str) -> Held:
    """A resident gives up a passed prescription that no pharmacy has begun to dispense."""
    own = platform(handle, CHOOSE)
    await of_ones_own(handle, number)

    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        return found, [*line_writes(await lines(session, found), status="cancelled"), *await ended_tasks(session, found)]

    return await advance(own, handle.actor, number, Move("cancel", "resident", anybody, work))


async def paid(own: Handle, number: str) -> Held:
    """Note that a prescription was paid; before that nothing is dispensed. Paid twice is paid once. `own` is the platform's handle."""
    return await _payment(own, number, "pay")


async def refunded(own: Handle, number: str) -> Held:
    """Note that a payment was given back. Raises Problem 409 when the medicine has left the pharmacy already."""
    return await _payment(own, number, "refund")


async def _payment(own: Handle, number: str, event: str) -> Held:
    done: list[Held] = []

    async def beside(session: Transaction) -> Sequence[Write]:
        found = await held(session.connection, number, lock=True)
        if event == "refund" and found.state in {"dispensed", "partly", "sent", "delivered", "settled", "returning"}:
            raise refuse(409, "conflict", "drugs.given-out")
        if event == "pay" and found.state in {"draft", "signed", "claimed", "confirming", "returned", "refused"}:
            raise refuse(409, "conflict", f"drugs.not-now.{found.state}")
        if (found.paid is None) == (event == "refund"):
            done.append(found)
            return []
        after = replace(found, paid=clock.now() if event == "pay" else None, version=found.version + 1)
        done.append(await keep(session.connection, after, event, own.actor))
        return []

    await own.commit([], beside=beside)
    return done[-1]


async def settled(own: Handle, number: str) -> Held:
    """Note that money and insurance of a delivered prescription are done with. A second time changes nothing."""
    async with own.connection() as connection:
        found = await held(connection, number)
    return found if found.state in {"settled", "archived"} else await advance(own, own.actor, number, Move("settle", "system", anybody, unchanged))


async def lock(handle: Handle, number: str, key: str = "") -> Held:
    """A pharmacy takes a prescription in hand; while it holds the lock nobody else can, and the resident cannot choose anew.

    `key` of the request: the same one again gives the same answer. Raises Problem: 404 when the resident chose another one,
    409 when it has expired, was dispensed, or nothing of it is on the shelf.
    """
    own, actor = platform(handle, DISPENSE), handle.actor
    done = await _locked_before(own, handle, number, key)
    return done or await advance(own, actor, number, Move("lock", "pharmacy", pharmacy_only(actor), _locking(key)))


async def _locked_before(own: Handle, handle: Handle, number: str, key: str) -> Held | None:
    async with own.connection() as connection:
        found = await held(connection, number)
    pharmacy_only(handle.actor)(found)
    return found if key and found.state == "locked" and found.lock_key == key else None


def _locking(key: str) -> Work:
    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        not_expired(found)
        wanted = await amounts(session.connection, found.number)
        there = await shelf_of(session.connection, found.pharmacy, [one.handed for one in wanted])
        if not any(there.get(one.handed, 0) > 0 and one.left > 0 for one in wanted):
            raise refuse(409, "conflict", "drugs.no-stock")
        stored = await session.fetch("Task", found.errand)
        assert stored is not None
        task = {**stored.resource, "status": "in-progress"}
        after = replace(found, lock_until=clock.now() + timedelta(minutes=circulation.minutes("lock")), lock_key=key)
        return after, [Write("update", "Task", task, found.errand, if_match=stored.version)]

    return work


async def unlock(handle: Handle, number: str) -> Held:
    """A pharmacy gives back what it cannot dispense; the resident may choose another one."""
    own, actor = platform(handle, DISPENSE), handle.actor
    return await advance(own, actor, number, Move("unlock", "pharmacy", pharmacy_only(actor), unlocking))


async def unlocking(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
    """The work of an unlock, by the pharmacy or when its time is over: what it offered instead is forgotten."""
    await session.connection.execute(sql.forget_offers, found.resident, found.number)
    stored = await session.fetch("Task", found.errand)
    writes = [Write("update", "Task", {**stored.resource, "status": "requested"}, found.errand, if_match=stored.version)] if stored else []
    return replace(found, lock_until=None, lock_key=""), writes


async def offer(handle: Handle, number: str, line: int, code: str) -> Held:
    """A pharmacy offers another drug of the same generic for a line (counted from 0); it needs the patient's consent.

    Raises Problem 422 naming what differs.
    """
    own, actor = platform(handle, DISPENSE), handle.actor
    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        wanted = {one.line: one for one in await amounts(session.connection, number)}
        if line not in wanted or wanted[line].left <= 0:
            raise refuse(422, "value", "drugs.no-line", "Parameters.parameter")
        drugs = await drugs_of(own, [wanted[line].code, code])
        if code not in drugs or code == wanted[line].code:
            raise refuse(422, "value", "drugs.wrong-drug", "Parameters.parameter", line=str(line + 1))
        differs = circulation.not_the_same(drugs[wanted[line].code], drugs[code])
        if differs:
            raise refuse(422, "business-rule", f"drugs.not-the-same.{differs}", "Parameters.parameter")
        await session.connection.execute(sql.offer, found.resident, number, line, code)
        return found, [await told(session, found, "offer")]

    return await advance(own, actor, number, Move("offer", "pharmacy", pharmacy_only(actor), work))


async def agree(handle: Handle, number: str) -> Held:
    """The resident consents to what the pharmacy has offered instead."""
    own = platform(handle, CHOOSE)
    await of_ones_own(handle, number)

    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        await session.connection.execute(sql.agree, found.resident, number, clock.now())
        return found, ()

    return await advance(own, handle.actor, number, Move("agree", "resident", anybody, work))


async def content_for(own: Handle, found: Held) -> Prescription:
    """What is prescribed, read by the platform for a door that has judged who asks."""
    return prescription_of([one for id_ in found.line_ids if (one := await own.read("MedicationRequest", id_))])
