"""A pharmacy dispenses: each prescription once, whoever asks twice, at the same moment, or after a crash.

The prescription's row is locked, what left the shelf is written under the key of the request, stock, row, record and parcel change in
one transaction: after a kill either all of it is there or nothing, and the same request again gets the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.web.display import CHINA
from kangyun.commons.access import Content, Handle, Transaction, Write, sign
from kangyun.support.drugs.actions.circulation import DISPENSE
from kangyun.support.drugs.actions.delivery import packed
from kangyun.support.drugs.actions.delivery_codes import check_code
from kangyun.support.drugs.actions.prescriptions import ended_tasks, told
from kangyun.support.drugs.actions.steps import (
    Move,
    advance,
    applied,
    line_writes,
    lines,
    not_expired,
    pharmacy_only,
    platform,
)
from kangyun.support.drugs.decisions import circulation
from kangyun.support.drugs.model import CATALOGUE_SYSTEM, Drug
from kangyun.support.drugs.model.circulation import Amount, Held, dispense_id
from kangyun.support.drugs.queries.known import drugs_of
from kangyun.support.drugs.queries.prescribers import today
from kangyun.support.drugs.queries.prescriptions import amounts, held, sql
from kangyun.support.drugs.queries.stock import sql as stock_sql


@dataclass(frozen=True, slots=True)
class Giving:
    """What is dispensed: `key` of the request; `lines`: how much of which line (counted from 0), None: all that is left."""

    key: str
    lines: Mapping[int, Decimal] | None = None


async def dispense(handle: Handle, number: str, giving: Giving) -> Held:
    """Dispense what is left of a locked prescription, or a part of it.

    Raises Problem: 404 when it is not this pharmacy's, 409 when it was dispensed, has expired, is not locked, is not paid, when the
    shelf is short (the line is named; nothing was taken) or a substitute waits for consent; 422 for amounts that cannot be.
    """
    own, actor = platform(handle, DISPENSE), handle.actor
    if not giving.key.strip():
        raise refuse(422, "required", "drugs.no-key", "Parameters.parameter")
    drugs = await _drugs(own, number)
    done: list[Held] = []

    async def beside(session: Transaction) -> Sequence[Write]:
        found = await held(session.connection, number, lock=True)
        pharmacy_only(actor)(found)
        if await _given_before(session, number, giving.key):
            done.append(found)
            return []
        wanted = await amounts(session.connection, number)
        parts = _parts(wanted, giving)
        event = "dispense" if all(parts.get(one.line, Decimal(0)) >= one.left for one in wanted) else "dispense_part"

        async def work(session: Transaction, now: Held) -> tuple[Held, Sequence[Write]]:
            return await _given(session, handle, now, _Basket(wanted, parts, drugs, giving.key))

        after, writes = await applied(session, found, Move(event, "pharmacy", _may_be_given, work), actor)
        done.append(after)
        return writes

    await own.commit([], beside=beside)
    return done[-1]


@dataclass(frozen=True, slots=True)
class _Basket:
    """What one request is to hand over."""

    wanted: Sequence[Amount]
    parts: Mapping[int, Decimal]
    drugs: Mapping[str, Drug]
    key: str

    @property
    def handed(self) -> list[Amount]:
        """The lines of which something is handed over."""
        return [one for one in self.wanted if one.line in self.parts]


async def _drugs(own: Handle, number: str) -> Mapping[str, Drug]:
    async with own.connection() as connection:
        found = await amounts(connection, number)
    return await drugs_of(own, [code for one in found for code in (one.code, one.other) if code])


async def _given_before(session: Transaction, number: str, key: str) -> bool:
    return any(row["key"] == key for row in await session.connection.fetch(sql.dispensed, number))


def _may_be_given(found: Held) -> None:
    if found.state in {"locked", "partly"}:
        if found.state == "locked":
            not_expired(found)
        if found.paid is None:
            raise refuse(409, "conflict", "drugs.not-paid")


def _parts(wanted: Sequence[Amount], giving: Giving) -> dict[int, Decimal]:
    """How much of each line is given; raises Problem 422 for more than is left, 409 while a substitute waits for consent."""
    asked = giving.lines if giving.lines is not None else {one.line: one.left for one in wanted if one.left > 0}
    left = {one.line: one for one in wanted}
    for line, amount in asked.items():
        if line not in left or not 0 < amount <= left[line].left:
            raise refuse(422, "value", "drugs.wrong-amount", "Parameters.parameter", line=str(line + 1))
        if left[line].other and left[line].agreed is None:
            raise refuse(409, "conflict", "drugs.not-agreed", line=str(line + 1))
    if not asked and any(one.left > 0 for one in wanted):
        raise refuse(422, "required", "drugs.wrong-amount", "Parameters.parameter", line="1")
    return dict(asked)


async def _given(session: Transaction, handle: Handle, found: Held, basket: _Basket) -> tuple[Held, Sequence[Write]]:
    dispenses = [_dispense(found, handle, one, basket) for one in basket.handed]
    writes = [Write("update", "MedicationDispense", one, one["id"], if_match=0) for one in dispenses]
    if handle.actor.practitioner:
        writes.append(await sign(session.connection, handle.actor, [Content(one) for one in dispenses], "verifier"))
    if found.state != "dispensed":
        await _taken(session, found, basket)
        return found, writes
    after = replace(found, lock_until=None)
    writes += line_writes(await lines(session, found), status="completed")
    writes += await ended_tasks(session, found, "completed")
    if found.way == "courier":
        writes += await packed(session, after)
    else:
        writes.append(await told(session, found, "ready"))
    return replace(after, keep_until=_kept(found, await _taken(session, found, basket))), writes


async def _taken(session: Transaction, found: Held, basket: _Basket) -> date | None:
    """Take everything from the shelf; until when the last of it is good.

    The last thing that is done, for all who give out of one shelf wait for each other from here to the end of the
    transaction; and in the order of codes, so that two pharmacists never wait for each other in a circle.
    """
    now, day = clock.now(), today()
    good: list[date] = []
    for one in sorted(basket.handed, key=lambda one: (one.handed, one.line)):
        row = await session.connection.fetchrow(
            stock_sql.take, found.resident, found.number, one.line, basket.key, one.handed, basket.parts[one.line], found.pharmacy, now, day)
        if row is None:
            raise refuse(409, "conflict", "drugs.out-of-stock", line=str(one.line + 1))
        good += [row["expires"]] if row["expires"] else []
    return max(good, default=None)


def _kept(found: Held, expires: date | None) -> date:
    day = clock.now().astimezone(CHINA).date()
    return circulation.keep_until(found.sheet, day, setting=found.setting, online=found.way != "hospital", expires=expires)


def _dispense(found: Held, handle: Handle, one: Amount, basket: _Basket) -> dict[str, Any]:
    actor, line, drug = handle.actor, one.line, basket.drugs[one.handed]
    performers = [{"actor": {"reference": f"Organization/{found.pharmacy}"}}]
    if actor.practitioner:
        performers.insert(0, {"actor": {"reference": f"Practitioner/{actor.practitioner}"}})
    changed = drug.code != one.code
    return {
        "resourceType": "MedicationDispense", "id": dispense_id(found.number, line, basket.key), "status": "completed",
        "medicationCodeableConcept": {"coding": [{"system": CATALOGUE_SYSTEM, "code": drug.code}], "text": drug.zh},
        "subject": {"reference": f"Patient/{found.patient}"}, "performer": performers,
        "authorizingPrescription": [{"reference": f"MedicationRequest/{found.line_ids[line]}"}],
        "quantity": {"value": _plain(basket.parts[line]), "unit": drug.unit}, "whenPrepared": clock.instant(clock.now()),
        "substitution": {"wasSubstituted": changed, **({"reason": [{"text": "同通用名，患者同意"}]} if changed else {})},
    }


def _plain(quantity: Decimal) -> int | float:
    return int(quantity) if quantity == quantity.to_integral_value() else float(quantity)


async def close(handle: Handle, number: str) -> Held:
    """Give up the rest of a prescription that was dispensed in part."""
    own, actor = platform(handle, DISPENSE), handle.actor

    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        rows = await session.connection.fetch(sql.dispensed, found.number)
        expires = max((row["expires"] for row in rows if row["expires"]), default=None)
        kept = circulation.keep_until(found.sheet, today(), setting=found.setting, online=found.way != "hospital", expires=expires)
        after = replace(found, lock_until=None, keep_until=kept)
        writes = [*line_writes(await lines(session, found), status="completed"), *await ended_tasks(session, found, "completed")]
        return after, [*writes, *(await packed(session, after) if found.way == "courier" else [await told(session, found, "ready")])]

    return await advance(own, actor, number, Move("close", "pharmacy", pharmacy_only(actor), work))


async def hand_over(handle: Handle, number: str, code: str) -> Held:
    """Hand a dispensed prescription over at the counter to whoever says the recipient's code."""
    own, actor = platform(handle, DISPENSE), handle.actor
    await check_code(own, number, code, pharmacy_only(actor))

    async def work(session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
        if found.way == "courier":
            raise refuse(409, "conflict", "drugs.by-courier")
        return found, [await told(session, found, "delivered")]

    return await advance(own, actor, number, Move("hand_over", "pharmacy", pharmacy_only(actor), work))
