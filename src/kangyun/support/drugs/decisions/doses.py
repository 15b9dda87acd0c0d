"""Doses by age, weight, kidney and liver; how often; by which way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kangyun.support.drugs.decisions.case import Case, Item, limits
from kangyun.support.drugs.decisions.catalogue import is_child
from kangyun.support.drugs.decisions.findings import amount, finding, named, plain
from kangyun.support.drugs.decisions.lines import frequencies, times_a_day
from kangyun.support.drugs.model import Child, Drug, Finding, Reduction

_ADULT = {"zh": "成人", "en": "adults"}
_ELDERLY = {"zh": "老年人", "en": "old people"}
_CHILD = {"zh": "儿童", "en": "children"}
# Quotients of decimals are not exact: 0.1 * 3 is a little more than 0.3.
_PLAY = 1.001


@dataclass(frozen=True, slots=True)
class Most:
    """The most at once and a day for somebody, in the unit of the drug's dose; `whose` in words."""

    single: float
    daily: float
    whose: Mapping[str, str]


def doses(case: Case) -> Iterator[Finding]:
    """What is too much, too often, or for nobody of this age, kidney or liver."""
    for item in (one for one in case.items if not one.drug.herb):
        yield from _age(case, item)
        yield from _amounts(case, item)
        yield from _often(item)
        yield from _organs(case, item)
        if item.line.route and item.line.route not in item.drug.routes and item.line.route != item.drug.dose.route:
            yield finding("route-wrong", item.place, of=item.drug, drug=named(item.drug), route=item.line.route)


def most_for(drug: Drug, months: float | None, weight: float | None) -> Most:
    """The most for somebody of an age in months (None: an adult) and weight in kg."""
    dose = drug.dose
    if months is not None and is_child(months):
        child = dose.child or Child()
        kilograms = weight or 0
        single = min(dose.single, child.single * kilograms) if child.single and kilograms else dose.single
        daily = min(dose.daily, child.daily * kilograms) if child.daily and kilograms else dose.daily
        return Most(single, daily, _CHILD)
    if dose.elderly and months is not None and months >= limits()["elderly_years"] * 12:
        return Most(*dose.elderly, _ELDERLY)
    return Most(dose.single, dose.daily, _ADULT)


def _age(case: Case, item: Item) -> Iterator[Finding]:
    if case.months is None or not is_child(case.months):
        return
    child = item.drug.dose.child
    if child is None:
        yield finding("child-unknown", item.place, of=item.drug, drug=named(item.drug))
    elif case.months < child.since:
        yield finding("too-young", item.place, of=item.drug, drug=named(item.drug), age=_spoken(child.since))
    elif (child.single or child.daily) and case.patient.weight is None:
        yield finding("child-weight", item.place, of=item.drug, drug=named(item.drug))


def _spoken(months: float) -> dict[str, str]:
    years, rest = divmod(months, 12)
    if rest or not years:
        return {"zh": f"{plain(months)} 个月", "en": f"{plain(months)} months"}
    return {"zh": f"{plain(years)} 岁", "en": f"{plain(years)} years"}


def _amounts(case: Case, item: Item) -> Iterator[Finding]:
    most, unit = most_for(item.drug, case.months, case.patient.weight), item.drug.dose.unit
    for kind, given, limit in (("single-over", item.single, most.single), ("daily-over", item.daily, most.daily)):
        if given is None or given <= limit * _PLAY or _weekly(item, kind):
            continue
        if given > limit * limits()["extreme_dose"]:
            yield finding("dose-extreme", item.place, drug=named(item.drug), amount=amount(given, unit), limit=amount(limit, unit), times=limits()["extreme_dose"])
            return
        yield finding(kind, item.place, of=item.drug, drug=named(item.drug), amount=amount(given, unit), limit=amount(limit, unit), whose=most.whose)


def _weekly(item: Item, kind: str) -> bool:
    """What is given less often than every day has no daily amount to speak of: `too-often` looks after it."""
    return kind == "daily-over" and (times_a_day(item.drug.dose.frequency) or 1) < 1


def _often(item: Item) -> Iterator[Finding]:
    usual = times_a_day(item.drug.dose.frequency)
    if usual is not None and usual < 1 and item.often is not None and item.often > usual * limits()["frequency_slack"] and item.line.frequency != "once":
        names = [frequencies()[code] for code in (item.drug.dose.frequency, item.line.frequency)]
        spoken = [{language: str(row[language]) for language in ("zh", "en")} for row in names]
        yield finding("too-often", item.place, of=item.drug, drug=named(item.drug), usual=spoken[0], given=spoken[1])


def _organs(case: Case, item: Item) -> Iterator[Finding]:
    drug, patient = item.drug, case.patient
    if patient.egfr is not None:
        fits = [one for one in drug.renal if one.below is not None and patient.egfr < one.below]
        yield from _reduced("renal", item, fits[:1], round(patient.egfr, 1))
    if patient.liver:
        fits = [one for one in drug.hepatic if one.liver and one.liver <= patient.liver]
        yield from _reduced("hepatic", item, fits[-1:], patient.liver)


def _reduced(organ: str, item: Item, fits: list[Reduction], value: float | str) -> Iterator[Finding]:
    """One finding for the strictest reduction that fits; a dose that is halved already needs none."""
    drug = item.drug
    for one in fits:
        most = drug.dose.daily / 2
        if one.act == "halve" and item.daily is not None and item.daily <= most * _PLAY:
            return
        kind = {"avoid": "avoid", "halve": "reduce"}.get(one.act, "care")
        yield finding(f"{organ}-{kind}", item.place, of=drug, drug=named(drug), value=value, limit=amount(most, drug.dose.unit) if kind == "reduce" else one.below or 0)
