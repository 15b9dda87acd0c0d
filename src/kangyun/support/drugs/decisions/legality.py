"""Legality (合法性): may this prescriber, here and in this way, prescribe these drugs to this patient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.case import Case, Item, limits
from kangyun.support.drugs.decisions.diagnoses import PACKAGE
from kangyun.support.drugs.decisions.findings import finding, named
from kangyun.support.drugs.model import Finding, Prescriber

# Who needs a right of their own: the group of a drug, and how its right is called.
_RIGHTS: dict[str, dict[str, str]] = {
    "narcotic": {"zh": "麻醉药品", "en": "narcotics"},
    "psychotropic1": {"zh": "第一类精神药品", "en": "psychotropic drugs class I"},
    "toxic": {"zh": "医疗用毒性药品", "en": "toxic drugs"},
    "radioactive": {"zh": "放射性药品", "en": "radioactive drugs"},
}
CONTROLS: dict[str, dict[str, str]] = {
    **_RIGHTS, "psychotropic2": {"zh": "第二类精神药品", "en": "psychotropic drugs class II"}, "precursor": {"zh": "易制毒药品", "en": "precursors"},
}
TIERS: dict[str, dict[str, str]] = {
    "unrestricted": {"zh": "非限制使用级", "en": "unrestricted use"}, "restricted": {"zh": "限制使用级", "en": "restricted use"},
    "special": {"zh": "特殊使用级", "en": "special use"},
}
TITLES: dict[str, dict[str, str]] = {
    "resident": {"zh": "住院医师", "en": "resident"}, "attending": {"zh": "主治医师", "en": "attending doctor"},
    "associate": {"zh": "副主任医师", "en": "associate chief doctor"}, "chief": {"zh": "主任医师", "en": "chief doctor"},
}
_OUTPATIENT = {"outpatient", "internet", "emergency"}
_UNKNOWN = {"zh": "", "en": ""}


def legality(case: Case) -> Iterator[Finding]:
    """What the law says against it."""
    if not case.prescriber.registered:
        yield finding("not-registered")
    if "prescribe" not in case.prescriber.rights:
        yield finding("no-right")
    if any(item.drug.herb for item in case.items) and "tcm" not in case.prescriber.rights:
        yield finding("no-herb-right")
    for item in case.items:
        yield from _special(case, item)
        yield from _tier(case, item)
        yield from _internet(case, item)
    yield from _child(case)


def _special(case: Case, item: Item) -> Iterator[Finding]:
    control = item.drug.control
    if control in _RIGHTS and control not in case.prescriber.rights:
        yield finding("no-special-right", item.place, drug=named(item.drug), right=_RIGHTS[control])
    if control in {"narcotic", "psychotropic1"} and case.prescriber.is_patient:
        yield finding("for-oneself", item.place, drug=named(item.drug))


def may_tier(title: str, tier: str, rights: frozenset[str] = frozenset(), said: Mapping[str, Any] | None = None) -> bool:
    """Whether a title, or a right given in person, reaches a tier of antimicrobials."""
    asked = said or rules.load(PACKAGE, "antimicrobials.yaml").map
    order: list[str] = list(asked["tiers"])
    if tier not in order:
        return True
    reached = [order.index(one) for one in (asked["titles"].get(title, ""), *rights) if one in order]
    return max(reached, default=-1) >= order.index(tier)


def _tier(case: Case, item: Item) -> Iterator[Finding]:
    tier, who, asked = item.drug.tier, case.prescriber, rules.load(PACKAGE, "antimicrobials.yaml").map
    if not tier or item.line.route == "top":
        return
    if tier == asked["outpatient_never"] and case.prescription.setting in _OUTPATIENT:
        yield finding("special-outpatient", item.place, drug=named(item.drug))
    elif tier == asked["outpatient_never"] and not case.prescription.consulted:
        yield finding("special-consultation", item.place, drug=named(item.drug))
    if not may_tier(who.title, tier, who.rights, asked):
        if case.prescription.setting == "emergency" and item.line.days <= asked["emergency_days"] and _one_step(who, tier, asked):
            yield finding("tier-emergency", item.place, drug=named(item.drug), limit=asked["emergency_days"])
        else:
            yield finding("tier-above-title", item.place, drug=named(item.drug), tier=TIERS.get(tier, _UNKNOWN), title=TITLES.get(who.title, _UNKNOWN))


def _one_step(who: Prescriber, tier: str, asked: Mapping[str, Any]) -> bool:
    order: list[str] = list(asked["tiers"])
    below = order[order.index(tier) - 1]
    return may_tier(who.title, below, who.rights, asked)


def _internet(case: Case, item: Item) -> Iterator[Finding]:
    if case.prescription.setting == "internet" and item.drug.control in limits()["internet_bans"]:
        yield finding("internet-control", item.place, drug=named(item.drug), control=CONTROLS[item.drug.control])


def _child(case: Case) -> Iterator[Finding]:
    years = limits()["internet_child_years"]
    young = case.months is not None and case.months < years * 12
    if case.prescription.setting == "internet" and young and not (case.patient.guardian and case.patient.specialist):
        yield finding("internet-child", limit=years)


def check_tier(rule: Rule, given: Mapping[str, str]) -> bool:
    """Whether a title reaches a tier."""
    return may_tier(given["title"], given["tier"], said=rule.map)
