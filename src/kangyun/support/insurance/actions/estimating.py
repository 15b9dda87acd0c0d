"""The pre-settlement: what a bill would come to, before anybody pays. Nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import structlog

from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import Handle
from kangyun.support.insurance.actions.parts import working
from kangyun.support.insurance.decisions.audit import findings
from kangyun.support.insurance.decisions.cases import case_of
from kangyun.support.insurance.decisions.claims import excluding
from kangyun.support.insurance.decisions.messages import bill_told, figures, same
from kangyun.support.insurance.decisions.policies import chronic_or, home_area, policy, year_of
from kangyun.support.insurance.decisions.settlement import all_cash, settle
from kangyun.support.insurance.gateways.insurer import Insurer, Refusal, Unanswered
from kangyun.support.insurance.model import Bill, Estimate, Finding, Insured, Settlement
from kangyun.support.insurance.queries import Whose, history, level_of, used, whose

log = structlog.get_logger()


async def estimate(handle: Handle, bill: Bill, insurer: Insurer | None = None, stage: str = "pre", known: Whose | None = None) -> Estimate:
    """What each payer would pay of a bill, and what the audit says of it. The caller judges for whom.

    known: what `whose` has just said of the bill's Patient, which is not asked again then.

    With an `insurer` it is asked as well (2206); where it is away our own figures stand, and where it has others the estimate
    is refused, since nobody may be told a figure that the insurer has denied. Raises Problem 409 for that, for a bill that
    a rule of the audit refuses, and where no policy speaks for the area or the day.
    """
    own = working(handle, "insurance.estimate")
    patients, insured = known or await whose(own, bill.patient)
    return await counted(own, bill, patients, insured, insurer=insurer, stage=stage)


async def counted(
    own: Handle, bill: Bill, patients: Sequence[str], insured: Insured | None, *, insurer: Insurer | None = None, stage: str = "pre"
) -> Estimate:
    """The same where it is known already which Patients the person has, and how the person is insured."""
    bill = await completed(own, bill)
    if insured is None or not insured.valid:
        return Estimate(bill, all_cash(bill), None)
    bill = chronic_or(insured, bill)
    found = await audited(own, bill, insured, patients, stage)
    if any(one.effect == "refuse" for one in found):
        raise _refused(found)
    bill = excluding(bill, (line for one in found if one.effect == "self_pay" for line in one.lines))
    async with own.connection() as connection:
        so_far = await used(connection, insured, year_of(bill.on))
    done = settle(bill, insured, so_far, policy(insured.area, bill.on))
    asked = await _asked(insurer, bill, insured, done) if insurer is not None and insurer.ready else False
    return Estimate(bill, done, insured, tuple(found), asked)


async def completed(own: Handle, bill: Bill) -> Bill:
    """The bill with area and level of the place of care. Raises Problem 422 when the place is unknown."""
    if bill.area and bill.level:
        return bill
    place = await own.read("Organization", bill.place)
    if place is None:
        raise refuse(422, "not-found", "insurance.no-place", "Claim.provider")
    return replace(bill, area=bill.area or home_area(), level=bill.level or level_of(place))


async def audited(
    own: Handle, bill: Bill, insured: Insured, patients: Sequence[str], stage: str, *, without: str = ""
) -> list[Finding]:
    """What the rules of a stage say of a bill, with the person's other bills; `without`: its own Claim, once there is one."""
    patient = await own.read("Patient", bill.patient)
    earlier = await history(own, patients, bill.on, without)
    return findings(case_of(bill, insured, patient or {}, earlier), stage)


def _refused(found: list[Finding]) -> Problem:
    rule = next(one.rule for one in found if one.effect == "refuse")
    return refuse(409, "business-rule", "insurance.audit-refuses", rule=rule)


async def _asked(insurer: Insurer, bill: Bill, insured: Insured, done: Settlement) -> bool:
    """Whether the insurer says the same; not, when it is away. Raises Problem 409 when it says something else."""
    try:
        told: dict[str, Any] = await insurer.ask("presettle", uuid4().hex[:30], bill.place, bill_told(bill, insured, done), insured.area)
        theirs = figures(told["setlinfo"])
    except (Unanswered, KeyError, ValueError):
        return False
    except Refusal as refusal:
        log.info("insurance.presettle-refused", code=refusal.code)
        raise refuse(409, "business-rule", "insurance.refused") from refusal
    if not same(done.figures, theirs):
        log.warning("insurance.presettle-differs")
        raise refuse(409, "conflict", "insurance.insurer-differs")
    return True
