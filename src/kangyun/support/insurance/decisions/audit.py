"""The audit: rules in the schema of the two libraries (知识库、规则库), each a file of rules/audit, judged over a case.

map:
  number      1 to 79, ours where the published one is not known; group: policy, management or medical
  definition  what the rule says; logic: the function that judges; parameters: what the function is given
  result      violation (明确违规) or suspect (可疑); effect: note, self_pay (the lines are the person's) or refuse
  window      what is looked at: visit, day, days_30, year, ...; stages: pre, in, post
  grades, scenes, insurances   to which bills it applies; hospitals, departments, persons, fees: for the insurer's overview
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.insurance.decisions import audit_bill, audit_history
from kangyun.support.insurance.decisions.audit_bill import Hit
from kangyun.support.insurance.decisions.cases import Case
from kangyun.support.insurance.decisions.policies import PACKAGE, fen_of
from kangyun.support.insurance.model import Bill, Finding, Line

Logic = Callable[[Case, Mapping[str, Any]], Iterable[Hit]]

LOGIC: Mapping[str, Logic] = {
    "limited": audit_bill.limited, "conflicting_diagnosis": audit_bill.conflicting_diagnosis, "contraindicated": audit_bill.contraindicated,
    "too_often": audit_bill.too_often, "too_dear": audit_bill.too_dear, "charged_twice": audit_bill.charged_twice,
    "split_up": audit_bill.split_up, "together": audit_bill.together, "unordered": audit_bill.unordered,
    "too_many_days": audit_bill.too_many_days, "too_much": audit_bill.too_much, "same_class": audit_bill.same_class,
    "minor_stay": audit_bill.minor_stay, "empty_bed": audit_bill.empty_bed, "after_death": audit_bill.after_death,
    "first_line_skipped": audit_history.first_line_skipped, "course_exceeded": audit_history.course_exceeded,
    "admitted_again": audit_history.admitted_again, "still_supplied": audit_history.still_supplied,
    "in_two_places": audit_history.in_two_places, "too_many_visits": audit_history.too_many_visits,
    "tested_again": audit_history.tested_again, "incomplete": audit_bill.incomplete,
}


@dataclass(frozen=True, slots=True)
class AuditRule:
    """One rule, read."""

    name: str
    rule: Rule
    judge: Logic

    def concerns(self, case: Case, stage: str) -> bool:
        """Whether it looks at bills like this one at this stage."""
        said = self.rule.map
        return (
            stage in said["stages"] and case.bill.scene in said["scenes"] and case.bill.level in {0, *said["grades"]}
            and case.kind in said["insurances"])


def audit_rules() -> tuple[AuditRule, ...]:
    """All rules that are in force today, by number."""
    return _read(id(rules.load(PACKAGE, "areas.yaml")))


@lru_cache(maxsize=2)
def _read(_day: int) -> tuple[AuditRule, ...]:
    found: list[AuditRule] = []
    for name in rules.names(PACKAGE):
        if name.startswith("audit/"):
            rule = rules.load(PACKAGE, name)
            found.append(AuditRule(name.removeprefix("audit/").removesuffix(".yaml"), rule, LOGIC[rule.map["logic"]]))
    return tuple(sorted(found, key=lambda one: int(one.rule.map["number"])))


def findings(case: Case, stage: str) -> list[Finding]:
    """What the rules of a stage (pre, in, post) find, by number."""
    return [
        Finding(one.name, int(one.rule.map["number"]), one.rule.map["result"], one.rule.map["effect"], hit.lines, hit.facts)
        for one in audit_rules() if one.concerns(case, stage)
        for hit in _joined(one.judge(case, one.rule.map["parameters"]))]


def _joined(hits: Iterable[Hit]) -> list[Hit]:
    """One finding of a rule for a bill, with all its lines; the facts are those of the first."""
    told = list(hits)
    if not told:
        return []
    return [Hit(tuple(sorted({number for hit in told for number in hit.lines})), told[0].facts)]


def check_example(rule: Rule, given: Mapping[str, Any]) -> Any:
    """The lines that a rule finds in an example {bill, person, earlier}; `visit` where it finds the visit as a whole, none for nothing."""
    person = given.get("person", {})
    case = Case(
        _bill(given["bill"]), str(person.get("kind", "employee")), str(person.get("sex", "")), person.get("born"), person.get("died"),
        tuple(_bill(one) for one in given.get("earlier", ())))
    told = _joined(LOGIC[rule.map["logic"]](case, rule.map["parameters"]))
    if not told:
        return "none"
    return list(told[0].lines) or "visit"


def _bill(said: Mapping[str, Any]) -> Bill:
    lines = tuple(_line(one) for one in said.get("lines", ()))
    on = said.get("day", date(2026, 6, 1))
    bill = Bill("patient", str(said.get("place", "here")), on, lines, level=int(said.get("level", 3)), scene=str(said.get("scene", "outpatient")))
    return replace(
        bill, diagnoses=tuple(said.get("diagnoses", ())), started=str(said.get("started", "")), ended=str(said.get("ended", on.isoformat())))


def _line(said: Mapping[str, Any]) -> Line:
    known = {one.name for one in fields(Line)}
    values = {name: value for name, value in said.items() if name in known}
    line = Line(str(said.get("code", said.get("atc", ""))), "", int(said.get("quantity", 1)), fen_of(said.get("price", 10)) or 0)
    return replace(line, **(values | {"code": line.code, "quantity": line.quantity, "day": str(said.get("day", ""))}))
