"""How much of a controlled drug one prescription may hold, and on which sheet it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.case import Case, Item
from kangyun.support.drugs.decisions.diagnoses import PACKAGE, among
from kangyun.support.drugs.decisions.findings import amount, finding, named
from kangyun.support.drugs.decisions.legality import CONTROLS
from kangyun.support.drugs.decisions.lines import at_once, lasts
from kangyun.support.drugs.model import Finding, Line

_DAYS = {"zh": "天", "en": "days"}
_DOSES = {"zh": "个常用量", "en": "usual doses"}
# Doses are compared with a little play, since quotients of decimals are not exact.
_PLAY = 1.001


def controlled(case: Case) -> Iterator[Finding]:
    """What the law says of the amounts of controlled drugs."""
    said = rules.load(PACKAGE, "controlled.yaml")
    for item in (one for one in case.items if one.drug.control):
        sheet = said.body["sheets"].get(item.drug.control)
        if sheet and case.prescription.sheet != sheet:
            yield finding("sheet-wrong", item.place, drug=named(item.drug), sheet=CONTROLS[item.drug.control])
        yield from _most(case, item, said)
        if item.drug.control == "toxic":
            yield from _toxic(case, item, said.body["toxic_days"])


def _whose(case: Case) -> str:
    if case.prescription.setting == "inpatient":
        return "inpatient"
    return "pain" if case.prescription.pain else "ordinary"


def row_for(said: Rule, control: str, atc: str, *, release: str, patient: str, codes: tuple[str, ...]) -> Mapping[str, Any] | None:
    """The first row that fits a drug and a patient (inpatient, pain, ordinary); None when nothing is limited."""
    for row in said.table:
        fits = any(atc.startswith(code) for code in row.get("codes", ())) if "codes" in row else control in row["control"]
        own = row["patient"] in {"any", patient} and row["release"] in {"any", release}
        if fits and own and ("diagnoses" not in row or among(codes, tuple(row["diagnoses"]))):
            return row
    return None


def _most(case: Case, item: Item, said: Rule) -> Iterator[Finding]:
    drug = item.drug
    row = row_for(said, drug.control, drug.atc, release=drug.release, patient=_whose(case), codes=case.codes)
    if row is None:
        return
    if row.get("grade", 0) > case.prescriber.grade:
        yield finding("grade-too-low", item.place, drug=named(drug))
    if row.get("inside") and case.prescription.setting == "internet":
        yield finding("outside-institution", item.place, drug=named(drug))
    if "doses" in row:
        yield from _doses(item, float(row["doses"]))
    else:
        yield from _days(case, item, float(row["days"]), reason=bool(row.get("reason")))


def _days(case: Case, item: Item, most: float, *, reason: bool) -> Iterator[Finding]:
    days = max(item.line.days, _supplied_days(item))
    if days <= most * _PLAY:
        return
    if not reason:
        yield finding("controlled-over", item.place, drug=named(item.drug), control=CONTROLS[item.drug.control],
                      limit=_spoken(most, _DAYS), amount=_spoken(days, _DAYS))
    elif not case.prescription.reason:
        yield finding("psychotropic-reason", item.place, drug=named(item.drug), limit=most)


def _supplied_days(item: Item) -> float:
    """For how long the packages last: an injection of one day in a package of one is a day, not more."""
    return lasts(item.line, item.drug) or 0 if item.drug.release == "injection" else item.line.days


def _doses(item: Item, most: float) -> Iterator[Finding]:
    """Single-dose limits count usual doses: quantity by strength, or what is taken over all days."""
    single, often = item.single, item.often
    if single is None or often is None:
        return
    written = single * (1 if item.line.frequency == "once" else max(often * item.line.days, 1))
    supplied = _supplied(item.line, item)
    doses = max(written, supplied) / max(item.drug.dose.usual, single)
    if doses > most * _PLAY:
        yield finding("controlled-over", item.place, drug=named(item.drug), control=CONTROLS[item.drug.control],
                      limit=_spoken(most, _DOSES), amount=_spoken(doses, _DOSES))


def _supplied(line: Line, item: Item) -> float:
    one = Line(line.code, 1, item.drug.unit, line.frequency, line.route, line.days)
    each = at_once(one, item.drug)
    return line.quantity * each if each and item.drug.release == "injection" else 0


def _spoken(value: float, unit: Mapping[str, str]) -> dict[str, str]:
    return {language: amount(value, word) for language, word in unit.items()}


def _toxic(case: Case, item: Item, days: float) -> Iterator[Finding]:
    del case
    whole = None if item.daily is None else item.daily * item.line.days
    if not item.drug.herb and whole is not None and whole > item.drug.dose.daily * days * _PLAY:
        yield finding("toxic-over", item.place, drug=named(item.drug), limit=days)


def check_example(rule: Rule, given: Mapping[str, str]) -> dict[str, Any]:
    """What a controlled drug is limited to."""
    row = row_for(rule, given["control"], given.get("atc", "N02AA01"), release=given["release"], patient=given["patient"], codes=("F90",))
    return {name: row[name] for name in ("doses", "days") if row and name in row}
