"""What follows a payment, step by step: the insurer, the pharmacy, and every way back. One durable job walks the steps.

    paid       the insurer is told                       -> settling    no longer the figure -> back
    settling   the insurer has confirmed                 -> settled     refused or different -> back
    settled    the pharmacy may dispense                 -> dispatched  no longer possible   -> back
    reversing  prescription taken back, insurer reverses -> refunding
    refunding  the cash goes back the way it came        -> refunded

Each call outside carries the checkout's id as its key, so a step that was cut off is simply done again; only then the row
moves on. A step that meets an outage raises, and the job comes again later.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog

from kangyun.base import clock, jobs
from kangyun.base.database import Database
from kangyun.base.errors import Problem
from kangyun.base.settings import Settings
from kangyun.care.internet_hospital.actions import asking
from kangyun.care.internet_hospital.actions.checkout import (
    JOB,
    MEDICINE,
    MOVING,
    VISIT,
    again,
    cancel,
    ensure_order,
    lapse,
    move,
    overdue,
    paid,
)
from kangyun.care.internet_hospital.decisions import checkout as judging
from kangyun.care.internet_hospital.decisions import medicine
from kangyun.care.internet_hospital.decisions.checkout import agrees
from kangyun.care.internet_hospital.queries import checkout as reading
from kangyun.care.internet_hospital.queries import consultations
from kangyun.care.internet_hospital.queries.checkout import Checkout
from kangyun.commons.access import Gate, Handle
from kangyun.support import drugs, insurance, payments

log = structlog.get_logger()

# What can never go well later: the way back begins.
_FOR_GOOD = {404, 409, 422}
_TOO_LATE = 409
_NAME = "internet_hospital.checkout"
FOLLOW = "internet_hospital.checkout_follow"
_REASON = {VISIT: "internet_hospital.visit-ended", MEDICINE: "internet_hospital.medicine-ended"}


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


Step = Callable[[Parts, Handle, Checkout], Awaitable[Checkout]]


@jobs.job(JOB, tries=40, first_pause=1.0)
async def advance(services: Parts, payload: dict[str, Any]) -> None:
    """Take a checkout as far as it goes by itself. Raises Problem 503 while somebody outside does not answer."""
    async with services.database.connection() as connection:
        one = await reading.of_key(connection, int(payload["resident"]), str(payload["checkout"]))
    await walk(services, one)


async def walk(services: Parts, one: Checkout) -> Checkout:
    """The same, from where it stands."""
    own = services.gate.system(_NAME)
    while (step := _STEPS.get(one.state)) is not None:
        after = await step(services, own, one)
        if after.state == one.state:
            break
        one = after
    return one


async def _submit(_services: Parts, own: Handle, one: Checkout) -> Checkout:
    """The insurer is told of what was confirmed, if somebody insures the resident and the prescription still stands."""
    if one.kind == VISIT or not one.quote.insured:
        return await move(own, one, "settle")
    try:
        medicine.check(await drugs.standing(own, one.about), clock.now())
        settled = await insurance.settle(own, one.quote.bill, key=one.id, cash=one.cash)
    except Problem as problem:
        return await _back(own, one, problem)
    return await move(own, one, "submit", settlement=settled.id)


async def _confirm(_services: Parts, own: Handle, one: Checkout) -> Checkout:
    """What the insurer says by now; as long as it says nothing, nothing happens."""
    settled = await _settlement(own, one)
    if settled is None or settled.state == "pending":
        return one
    if settled.state == "refused":
        return await move(own, one, "cancel", reason="internet_hospital.insurer-refused")
    if settled.state != "confirmed" or not agrees(one.quote, settled.settlement):
        return await move(own, one, "cancel", reason="internet_hospital.insurer-differs")
    return await move(own, one, "settle")


async def _settlement(own: Handle, one: Checkout) -> insurance.Settled | None:
    if one.settlement:
        return await insurance.settlement(own, one.settlement)
    return await insurance.settlement_of(own, one.patient, one.id)


async def _dispatch(_services: Parts, own: Handle, one: Checkout) -> Checkout:
    """The doctor may see the resident, or the pharmacy may dispense."""
    try:
        if one.kind == VISIT:
            await asking.paid(own, one.about)
        else:
            medicine.check(await drugs.standing(own, one.about), clock.now())
            await drugs.paid(own, one.about)
    except Problem as problem:
        return await _back(own, one, problem)
    return await move(own, one, "dispatch")


async def _back(own: Handle, one: Checkout, problem: Problem) -> Checkout:
    """Begin the way back for a refusal that stays; an outage is raised again."""
    if problem.status not in _FOR_GOOD:
        raise problem
    log.info("internet_hospital.checkout-refused", status=problem.status)
    return await move(own, one, "cancel", reason=problem.issues[0].key)


async def _reverse(_services: Parts, own: Handle, one: Checkout) -> Checkout:
    """Nothing is dispensed any more, and the insurer takes its part back."""
    if one.kind != VISIT:
        try:
            await drugs.refunded(own, one.about)
        except Problem as problem:
            if problem.status != _TOO_LATE:
                raise
            return await move(own, one, "keep")
        settled = await _settlement(own, one) if one.quote.insured else None
        if settled is not None:
            await insurance.reverse(own, settled.id, reason="checkout")
    return await move(own, one, "reverse")


async def _refund(_services: Parts, own: Handle, one: Checkout) -> Checkout:
    """The cash goes back the way it came."""
    if one.order_id is not None and one.cash:
        await payments.refund(own, one.order_id, one.cash, key=one.id, reason=one.reason or "")
    elif one.order_id is not None:
        await payments.void(own, one.order_id)
    return await move(own, one, "refund")


_STEPS: dict[str, Step] = {"paid": _submit, "settling": _confirm, "settled": _dispatch, "reversing": _reverse, "refunding": _refund}


@jobs.job(FOLLOW, tries=40, first_pause=1.0)
async def follow(services: Parts, payload: dict[str, Any]) -> None:
    """What becomes of a checkout when its consultation or its prescription has come to an end."""
    async with services.database.connection() as connection:
        one = await reading.standing(connection, str(payload["kind"]), str(payload["about"]))
    if one is None:
        return
    own = services.gate.system(_NAME)
    end = await (_end_of_visit if one.kind == VISIT else _end_of_medicine)(own, one)
    if end == "deliver" and one.state in MOVING | {"settling"}:
        # The end was faster than the job that tells of the beginning.
        one = await walk(services, one)
    if end and end in judging.lifecycle().may(one.state, "system"):
        ended = await (cancel(services, own, one, "system", _REASON[one.kind]) if end == "cancel" else move(own, one, end))
        await walk(services, ended)
    if end == "deliver" and one.kind == MEDICINE:
        await drugs.settled(own, one.about)


async def _end_of_visit(own: Handle, one: Checkout) -> str:
    of = await consultations.consultation_of(own, one.about)
    return {"finished": "deliver", "cancelled": "cancel"}.get(of.state, "")


async def _end_of_medicine(own: Handle, one: Checkout) -> str:
    return medicine.end_of(await drugs.standing(own, one.about))


@jobs.every("internet_hospital.checkout_sweep", seconds=30)
async def sweep(services: Parts, payload: dict[str, Any]) -> None:
    """Go on with what was left behind: a crash between two transactions, an order that nobody has paid."""
    del payload
    async with services.database.connection() as connection:
        found = await overdue(connection)
    for one in found:
        try:
            await _pick_up(services, one)
        except Problem as problem:
            log.warning("internet_hospital.checkout-waits", status=problem.status)


async def _pick_up(services: Parts, one: Checkout) -> None:
    own = services.gate.system(_NAME)
    if one.state != "unpaid":
        await walk(services, one)
        return
    one = await ensure_order(own, one)
    order = await payments.ask(services, own, one.order_id or "")
    if order.state == "paid":
        await walk(services, await paid(own, one))
    elif order.lapsed:
        await lapse(own, await again(own, one))
