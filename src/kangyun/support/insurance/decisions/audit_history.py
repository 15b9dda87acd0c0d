"""What can only be found by looking at earlier bills of the same person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from kangyun.support.insurance.decisions.audit_bill import Hit, diagnosed, meant, picked
from kangyun.support.insurance.decisions.cases import Case
from kangyun.support.insurance.model import Bill, Line


def _within(case: Case, days: int) -> list[Bill]:
    """Earlier bills of the last days, those of the same day among them."""
    return [one for one in case.earlier if 0 <= (case.bill.on - one.on).days <= days]


def first_line_skipped(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """A drug of second line without one of first line in the time before."""
    for entry in given["entries"]:
        lines = picked(case.bill, entry["items"])
        tried = any(meant(line, entry["after"]) for bill in [case.bill, *_within(case, given["days"])] for line in bill.lines)
        if lines and not tried:
            yield Hit(tuple(lines), {"days": str(given["days"])})


def course_exceeded(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """A drug beyond the days that insurance pays for in a period."""
    for entry in given["entries"]:
        lines = picked(case.bill, entry["items"])
        had = sum(line.days for bill in [case.bill, *_within(case, entry["within"])] for line in bill.lines if meant(line, entry["items"]))
        if lines and had > entry["days"]:
            yield Hit(tuple(lines), {"days": str(had), "most": str(entry["days"])})


def admitted_again(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """A stay soon after one for the same disease at the same hospital: one stay was split into two."""
    bill = case.bill
    if bill.scene != "inpatient" or not bill.started:
        return
    for one in case.earlier:
        if one.scene != "inpatient" or not one.ended or one.place != bill.place or not _same_disease(bill, one):
            continue
        gap = (date.fromisoformat(bill.started) - date.fromisoformat(one.ended)).days
        if 0 <= gap <= given["days"]:
            yield Hit(facts={"days": str(gap), "most": str(given["days"])})
            return


def _same_disease(one: Bill, other: Bill) -> bool:
    return bool({code[:3] for code in one.diagnoses[:1]} & {code[:3] for code in other.diagnoses[:1]})


def still_supplied(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """Drugs of which an earlier dispensing, elsewhere or here, leaves more than some days."""
    for number, line in enumerate(case.bill.lines, 1):
        left = max((_left(case, bill, old) for bill in case.earlier for old in bill.lines if _same_drug(line, old)), default=0)
        if line.days and left > given["days"]:
            yield Hit((number,), {"days": str(left), "most": str(given["days"])})


def _same_drug(one: Line, other: Line) -> bool:
    return bool(one.atc) and one.atc == other.atc and other.days > 0


def _left(case: Case, bill: Bill, line: Line) -> int:
    """Days of supply that an earlier dispensing still gives."""
    gone = (case.bill.on - bill.on).days
    return line.days - gone if gone >= 0 else 0


def in_two_places(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """A bill of one institution while the person stays in another."""
    del given
    day = case.bill.on.isoformat()
    for one in case.earlier:
        if one.scene == "inpatient" and one.place != case.bill.place and one.started < day < one.ended:
            yield Hit(facts={"from": one.started, "to": one.ended})
            return


def too_many_visits(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """More outpatient visits in a period than anybody usually has."""
    visits = 1 + sum(one.scene != "inpatient" for one in _within(case, given["within"]))
    if case.bill.scene != "inpatient" and visits > given["most"]:
        yield Hit(facts={"times": str(visits), "most": str(given["most"]), "days": str(given["within"])})


def tested_again(case: Case, given: Mapping[str, Any]) -> Iterator[Hit]:
    """A test that was done lately, without a diagnosis that asks for repeating it."""
    for entry in given["entries"]:
        lines = picked(case.bill, entry["items"])
        done = [bill for bill in _within(case, entry["within"]) for line in bill.lines if meant(line, entry["items"])]
        if lines and done and not diagnosed(case.bill, entry.get("unless", ["-"])):
            yield Hit(tuple(lines), {"days": str(min((case.bill.on - bill.on).days for bill in done)), "most": str(entry["within"])})
