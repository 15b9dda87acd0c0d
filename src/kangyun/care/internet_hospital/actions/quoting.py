"""What a consultation or a prescription comes to for its resident: one figure, asked for before anybody pays."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.base.errors import Problem, refuse
from kangyun.base.money import Fen
from kangyun.base.settings import Settings
from kangyun.base.web.display import CHINA
from kangyun.care.internet_hospital.actions.checkout import MEDICINE, VISIT, Wish, lapse, open_
from kangyun.care.internet_hospital.decisions import medicine as judging
from kangyun.care.internet_hospital.decisions.checkout import PARTS, Quote, delivery_line, quoted
from kangyun.care.internet_hospital.queries import checkout as reading
from kangyun.care.internet_hospital.queries import consultations
from kangyun.care.internet_hospital.queries.checkout import Checkout
from kangyun.commons.access import Gate, Handle
from kangyun.support import drugs, insurance, payments
from kangyun.support.insurance import Bill, Insurer

PAY = "payments.pay"
_WORK = "internet_hospital.checkout"
_WHOLE = 10_000


class Parts(Protocol):
    """The opened parts of one process."""

    @property
    def settings(self) -> Settings:
        """The settings."""
        ...

    @property
    def database(self) -> Database:
        """The database."""
        ...

    @property
    def gate(self) -> Gate:
        """The gate."""
        ...

    @property
    def insurer(self) -> Insurer:
        """The way to the insurer."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """What a resident is shown: the wish with its quote, and the checkout that stands or was last, if there is one.

    wrong: why it cannot be paid (again) after an earlier checkout went back.
    """

    wish: Wish
    checkout: Checkout | None = None
    wrong: Problem | None = None


def acting(handle: Handle) -> Handle:
    """The platform's part of what a resident does. Raises Problem 403 for whoever pays nothing."""
    return handle.acting(PAY, _WORK, writes="Invoice")


async def visit(handle: Handle, id_: str) -> Shown:
    """The fee of a consultation of the caller's own. Raises Problem 404, 409 where nothing is to be paid (any more)."""
    of = await consultations.consultation_of(handle, id_)
    await _must_be_own(handle, of.patient)
    kept = await _kept(handle, VISIT, id_)
    if kept is None and of.state != "planned":
        raise refuse(409, "conflict", "internet_hospital.nothing-to-pay")
    line = insurance.Line("consultation", of.node.get("serviceType", {}).get("text", "互联网复诊诊察费"), 1, of.price, category="service")
    parts: dict[str, Fen] = dict.fromkeys(PARTS, 0) | {"cash": of.price}
    bill = Bill(of.patient, of.institution, clock.now().astimezone(CHINA).date(), (line,), encounter=id_, online=True)
    return Shown(Wish(VISIT, id_, of.patient, handle.actor.person or "", of.institution, Quote(bill, parts)), kept)


async def medicine(services: Parts, handle: Handle, number: str) -> Shown:
    """What a prescription of the caller's own comes to, with the way that was chosen, as insurance counts it today.

    Raises Problem 404, 409 before the review has passed or a way was chosen, after it has expired, or where the insurer or
    a rule of its audit refuses.
    """
    found = await drugs.of_ones_own(handle, number)
    await _must_be_own(handle, found.patient)
    kept = await _kept(handle, MEDICINE, number)
    if kept is not None and kept.state not in {"cancelled", "refunded"}:
        return Shown(_wish(handle, found, kept.quote), kept)
    try:
        judging.check(found, clock.now())
    except Problem as problem:
        if kept is None:
            raise
        return Shown(_wish(handle, found, kept.quote), kept, problem)
    return Shown(_wish(handle, found, await _medicine_quote(services, handle, found, again=kept is not None)), kept)


def _wish(handle: Handle, found: drugs.Held, quote: Quote) -> Wish:
    return Wish(MEDICINE, found.number, found.patient, handle.actor.person or "", found.pharmacy or found.institution, quote)


async def _medicine_quote(services: Parts, handle: Handle, found: drugs.Held, *, again: bool) -> Quote:
    own = acting(handle)
    known = await insurance.whose(own, found.patient)
    if (known[1] is None or again) and services.insurer.ready:
        # After the insurer had other figures than we, what it says of the year counts.
        await insurance.ask_eligibility(own, services.insurer, found.patient, found.pharmacy)
        known = await insurance.whose(own, found.patient)
    said = await drugs.content_for(own, found)
    lines = await drugs.with_prices(own, found, said)
    catalogue = (await drugs.catalogue(own)).drugs
    goods = [_line(one, said.lines[one.line].days, catalogue[one.code].atc if one.code in catalogue else "") for one in lines]
    way = judging.way_of(found)
    bill = Bill(
        found.patient, found.pharmacy or found.institution, clock.now().astimezone(CHINA).date(),
        (*goods, *delivery_line(way, sum(one.amount for one in goods))), level=0, diagnoses=tuple(one.code for one in said.diagnoses),
        doctor=found.practitioner, encounter=found.encounter, prescription=found.number, online=found.setting == "internet")
    counted = await insurance.estimate(own, bill, known=known)
    return quoted(counted.bill, counted.settlement, insured=counted.insured is not None)


def _line(one: drugs.Priced, days: float, atc: str) -> insurance.Line:
    quantity = Fraction(one.quantity)
    return insurance.Line(
        one.code, one.name, int(quantity) if quantity.denominator == 1 else quantity, one.unit_price, one.insurance, round(one.first_pay * _WHOLE),
        one.limit or None, days=round(days), atc=atc)


async def _must_be_own(handle: Handle, patient: str) -> None:
    """Raise Problem 404 unless the Patient is the caller, or the caller's ward."""
    if not await handle.is_own(patient):
        raise refuse(404, "not-found", "internet_hospital.no-checkout")


async def _kept(handle: Handle, kind: str, about: str) -> Checkout | None:
    """The checkout that stands or was last; one whose order has ended unpaid ends here, before the reaction to that comes by."""
    async with handle.connection() as connection:
        one = await reading.last_about(connection, kind, about)
        if one is None or one.state != "unpaid" or one.order_id is None:
            return one
        order = await payments.order_of(connection, one.order_id)
    return await lapse(acting(handle), one) if order is not None and order.lapsed else one


async def confirm(handle: Handle, shown: Shown, seal: str) -> Checkout:
    """Confirm the figure that was shown; its order can be paid then. Again gives the same order.

    seal: of the quote that was shown. Raises Problem 409 when it comes to something else by now.
    """
    if shown.wrong is not None:
        raise shown.wrong
    if shown.wish.quote.seal != seal:
        raise refuse(409, "conflict", "internet_hospital.other-figure")
    return await open_(acting(handle), shown.wish)


async def prices_now(handle: Handle, order: payments.Order) -> dict[str, Fen]:
    """Today's prices of the lines of an order of medicine, for support/payments, which asks before it is paid."""
    async with handle.connection() as connection:
        one = await reading.of_order(connection, order.id)
    if one is None:
        return {line.code: line.unit_fen for line in order.lines}
    told = {line.code: line.unit_fen for line in order.lines if line.kind != "drug"}
    return told | {line.code: line.unit_price for line in await drugs.lines_with_prices(handle, one.about)}


payments.quoted(f"internet_hospital.{MEDICINE}", prices_now)
