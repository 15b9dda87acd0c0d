"""What may be treated on line: the facts of one wish against rules/admission.yaml and rules/revisit.yaml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from kangyun.base.rules import Rule, load
from kangyun.care.internet_hospital.decisions.codes import within
from kangyun.care.internet_hospital.model.places import Clinic

_ROOM = "kangyun.care.internet_hospital"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known when somebody asks. age in completed years, None: unknown.

    proof: record (a diagnosis in the record fits), paper (uploaded, to be judged) or ''. red_flags: questions of the triage
    whose answer is a danger sign. recent: ICD-10 codes of diagnoses of late. guardian: somebody who acts for the child is
    with it. specialist: the clinic is one of the subject for children. in_hospital: a doctor of a hospital is with the patient.
    """

    kind: str
    age: int | None
    consent: bool
    proof: str = ""
    red_flags: tuple[str, ...] = ()
    recent: tuple[str, ...] = ()
    guardian: bool = False
    specialist: bool = False
    in_hospital: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One verdict: need (can be mended), ask (the doctor judges) or offline; the clause that says so."""

    code: str
    verdict: str
    clause: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A diagnosis of the record. kind: of the institution that made it; reference: of the Condition."""

    code: str
    name: str
    on: date
    kind: str
    institution: str
    reference: str


def findings(facts: Facts, on: date | None = None) -> list[Finding]:
    """All verdicts on a wish by the law as in force on a day, today by default, in the order of the rule; [] is admitted."""
    rule = load(_ROOM, "admission.yaml", on=on)
    return [Finding(row["code"], row["verdict"], row["clause"]) for row in rule.table if facts.kind in row["kinds"] and _holds(row, facts)]


def _holds(row: Mapping[str, Any], facts: Facts) -> bool:
    young = facts.age is not None and facts.age < row.get("below", 0)
    told: dict[str, bool] = {
        "no-consent": not facts.consent,
        "red-flag": bool(facts.red_flags),
        "first-visit": not facts.proof and not facts.in_hospital,
        "judge-proof": facts.proof == "paper",
        "unsuitable": any(within(code, row.get("codes", ())) for code in facts.recent),
        "no-guardian": young and not facts.guardian,
        "no-specialist": young and not facts.specialist,
    }
    return told[row["code"]]


def recent_days() -> int:
    """How far back a diagnosis counts that is not for the internet."""
    return next(int(row["days"]) for row in load(_ROOM, "admission.yaml").table if "days" in row)


def proves(found: Diagnosis, ranges: Iterable[str], today: date, rule: Rule | None = None) -> bool:
    """Whether a diagnosis of the record proves a re-visit in a clinic of these ranges; no ranges: any diagnosis."""
    rule = rule or load(_ROOM, "revisit.yaml")
    fits = within(found.code, ranges) if (ranges := tuple(ranges)) else True
    return fits and 0 <= (today - found.on).days <= rule.value and found.kind in rule.body["institutions"]


def best_proof(diagnoses: Iterable[Diagnosis], clinic: Clinic, today: date) -> Diagnosis | None:
    """The latest diagnosis that proves a re-visit in the clinic."""
    fitting = [one for one in diagnoses if proves(one, clinic.diagnoses, today)]
    return max(fitting, key=lambda one: one.on, default=None)


def age_on(born: str, today: date) -> int | None:
    """Completed years of somebody born on a FHIR date; None when the day is not known."""
    try:
        day = date.fromisoformat(born)
    except ValueError:
        return None
    return today.year - day.year - ((today.month, today.day) < (day.month, day.day))


def is_specialist(clinic: Clinic) -> bool:
    """Whether the clinic's subject is that of specialists for children."""
    return clinic.subject == str(load(_ROOM, "subjects.yaml").body["children"])


def subjects(language: str) -> dict[str, str]:
    """Names of the subjects of practice by code."""
    return {str(code): str(names[language]) for code, names in load(_ROOM, "subjects.yaml").map.items()}


def child_age() -> int:
    """The age in years below which a child comes with a guardian to a specialist."""
    return next(int(row["below"]) for row in load(_ROOM, "admission.yaml").table if "below" in row)
