"""What a pharmacy's counter and a courier at the door see: enough to hand over, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from kangyun.base import web
from kangyun.base.errors import refuse
from kangyun.commons.access import Handle
from kangyun.support.drugs.decisions import choosing
from kangyun.support.drugs.decisions.circulation import lifecycle, limits, not_the_same
from kangyun.support.drugs.decisions.lines import frequencies
from kangyun.support.drugs.model import Drug, Line, Prescription
from kangyun.support.drugs.model.circulation import Amount, Held, Parcel
from kangyun.support.drugs.model.orders import prescription_of
from kangyun.support.drugs.queries import people
from kangyun.support.drugs.queries.facts import facts_of
from kangyun.support.drugs.queries.known import catalogue
from kangyun.support.drugs.queries.parcels import parcel_of, temperatures
from kangyun.support.drugs.queries.prescribers import today
from kangyun.support.drugs.queries.prescriptions import amounts, held, unknown
from kangyun.support.drugs.queries.stock import shelf_of, whole_shelf

_DISPENSE = "drugs.dispense"
_DELIVER = "drugs.deliver"
_MOST_OTHERS = 8
_MEANT = 200


@dataclass(frozen=True, slots=True)
class CounterLine:
    """A line at the counter. `left`, `there` in `unit`; `others`: (code, name) of what may be given instead; `offered`: its name."""

    place: int
    name: str
    spec: str
    sig: str
    unit: str
    left: Decimal
    there: Decimal
    others: Sequence[tuple[str, str]]
    offered: str
    agreed: bool


@dataclass(frozen=True, slots=True)
class Counter:
    """A prescription at the counter: for whom, what is left, which allergies forbid it, what may be done."""

    held: Held
    name: str
    lines: Sequence[CounterLine]
    allergies: Sequence[str]
    may: Sequence[str]


@dataclass(frozen=True, slots=True)
class ShelfLine:
    """A drug on the shelf."""

    code: str
    name: str
    amount: Decimal
    unit: str
    batch: str
    expires: date | None


@dataclass(frozen=True, slots=True)
class Door:
    """A parcel at the door. `address` is empty once it is over; `within`: degrees Celsius where the way is logged."""

    parcel: Parcel
    address: Mapping[str, str]
    pharmacy: str
    within: tuple[float, float] | None
    log: Sequence[tuple[datetime, Decimal]]


async def at_counter(handle: Handle, number: str) -> Counter:
    """A prescription of the caller's pharmacy. Raises Problem 404 for any other."""
    own = handle.acting(_DISPENSE, _DISPENSE, writes="MedicationDispense")
    async with own.connection() as connection:
        found = await held(connection, number)
        if not handle.actor.institution or found.pharmacy != handle.actor.institution:
            raise unknown()
        wanted = await amounts(connection, number)
        there = await shelf_of(connection, found.pharmacy, [one.handed for one in wanted])
    said = prescription_of([one for id_ in found.line_ids if (one := await own.read("MedicationRequest", id_))])
    known = (await catalogue(own)).drugs
    async with own.connection() as connection:
        stocked = await shelf_of(connection, found.pharmacy, _same(known, [known[one.code] for one in wanted]))
    facts = await facts_of(own, found.patient, today())
    who = await people.resident(own, found.patient)
    return Counter(
        found, who.name, [_line(one, said, known, (there, stocked)) for one in wanted], [one.text for one in facts.allergies],
        lifecycle().may(found.state, "pharmacy"))


def _same(known: Mapping[str, Drug], prescribed: Iterable[Drug]) -> list[str]:
    """The codes of what may be given instead of any of some drugs."""
    atcs = {one.atc: one for one in prescribed if one.atc}
    return [one.code for one in known.values() if one.atc in atcs and one.code != atcs[one.atc].code and not not_the_same(atcs[one.atc], one)]


def _line(one: Amount, said: Prescription, known: Mapping[str, Drug], shelves: tuple[Mapping[str, Decimal], Mapping[str, Decimal]]) -> CounterLine:
    drug, (there, stocked) = known[one.code], shelves
    others = [(code, known[code].packed) for code, amount in stocked.items() if amount > 0 and code != one.code and not not_the_same(drug, known[code])]
    offered = known[one.other].packed if one.other in known else ""
    return CounterLine(
        one.line, drug.zh, drug.spec, _sig(said.lines[one.line], said), drug.unit, one.left, there.get(one.handed, Decimal(0)), others[:_MOST_OTHERS], offered,
        one.agreed is not None)


def _sig(line: Line, said: Prescription) -> str:
    if said.kind == "herbal":
        return web.translate("zh", "drugs.line.each", n=f"{line.dose:.10g}", unit=line.dose_unit)
    often = frequencies().get(line.frequency, {}).get("zh", line.frequency)
    return web.translate(
        "zh", "drugs.line.sig", dose=f"{line.dose:.10g}", unit=line.dose_unit, often=str(often), route=web.translate("zh", f"drugs.route.{line.route}"), days=f"{line.days:.10g}")


async def shelf_at(handle: Handle, typed: str = "") -> list[ShelfLine]:
    """The shelf of the caller's pharmacy; where something was typed, only what it may mean: a name, its pinyin or initials, a code."""
    known = (await catalogue(handle)).drugs
    async with handle.connection() as connection:
        rows = await whole_shelf(connection, handle.actor.institution or "")
    meant = {one.code for kind in ("western", "herbal") for one in choosing.found(known.values(), typed, kind, _MEANT)}
    return [
        ShelfLine(one.code, known[one.code].packed, one.amount, known[one.code].unit, one.batch, one.expires)
        for one in rows if one.code in known and (not typed or one.code in meant or one.code.startswith(typed.lower()))]


async def places_of(handle: Handle, ids: Iterable[str]) -> dict[str, str]:
    """Names of institutions; the directory is open to everybody who works here."""
    return await people.called(handle, "Organization", ids)


async def parcel_at(handle: Handle, parcel_id: str) -> Door:
    """What the page at the door shows of a parcel of the caller's company, but for the address. Raises Problem 404."""
    own = handle.acting(_DELIVER, _DELIVER, writes="SupplyDelivery")
    found = await parcel_of(own, parcel_id)
    if found is None or not handle.actor.institution or found.courier != handle.actor.institution:
        raise refuse(404, "not-found", "drugs.no-parcel")
    async with own.connection() as connection:
        log = await temperatures(connection, parcel_id)
    pharmacy = (await people.called(own, "Organization", [found.pharmacy])).get(found.pharmacy, "")
    return Door(found, {}, pharmacy, limits(found.storage), log)
