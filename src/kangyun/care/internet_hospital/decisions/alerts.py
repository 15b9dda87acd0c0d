"""What the supervisor watches: the facts of one consultation against rules/alerts.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from kangyun.base.rules import Rule, load

_ROOM = "kangyun.care.internet_hospital"
_REGISTRATION = {"no-licence", "not-registered", "registration-over", "other-institution", "too-short", "hospital-closed"}
_SUBJECTS = {"out-of-scope", "out-of-licence", "no-specialist"}


@dataclass(frozen=True, slots=True)
class Session:
    """One consultation as the supervisor judges it.

    doctor_faults: words of decisions.doctors.faults on the day it began. drugs: names; controls: control classes of the
    catalogue. prescribed_after: seconds from the beginning to the first prescription, negative before it; None: nothing was
    prescribed. live_beside: other live talks of the same doctor at the same time. days: the longest supply. hours_late: from
    its end until its data were here.
    """

    kind: str = "text"
    outcome: str = "done"
    proof: bool = True
    present: bool = True
    doctor_faults: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    age: int | None = None
    guardian: bool = False
    prescribed_after: float | None = None
    dispensed: bool = False
    reviewed: bool = True
    live_beside: int = 0
    days: float = 0
    fen: int = 0
    hours_late: float = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule that a consultation broke; level red or amber."""

    code: str
    level: str
    titles: Mapping[str, str]
    clause: str


def rules(on: Any = None) -> list[Alert]:
    """All rules, in their order."""
    rows = load(_ROOM, "alerts.yaml", on=on).table
    return [Alert(row["code"], row["level"], {"zh": row["zh"], "en": row["en"]}, row["clause"]) for row in rows]


def judge(session: Session) -> list[Alert]:
    """The rules that a consultation broke, in their order."""
    return _judge(load(_ROOM, "alerts.yaml"), session)


def _judge(rule: Rule, session: Session) -> list[Alert]:
    rows = {str(row["code"]): row for row in rule.table}
    found = _broken(rows, session)
    return [Alert(code, row["level"], {"zh": row["zh"], "en": row["en"]}, row["clause"]) for code, row in rows.items() if found.get(code)]


def _broken(rows: Mapping[str, Mapping[str, Any]], one: Session) -> dict[str, bool]:
    treated = one.kind != "advice"
    after = one.prescribed_after if one.drugs else None
    return {
        "no-proof": treated and one.outcome == "done" and not one.proof,
        "not-registered": bool(_REGISTRATION & set(one.doctor_faults)),
        "out-of-subject": bool(_SUBJECTS & set(one.doctor_faults)),
        "forbidden-drug": bool(one.controls) or any(word in name for name in one.drugs for word in rows["forbidden-drug"]["words"]),
        "child-without-guardian": treated and one.age is not None and one.age < rows["child-without-guardian"]["limit"] and not one.guardian,
        "before-triage": after is not None and after < 0,
        "no-pharmacist": one.dispensed and not one.reviewed,
        "too-fast": after is not None and 0 <= after < rows["too-fast"]["limit"],
        "parallel": one.live_beside + 1 > rows["parallel"]["limit"],
        "over-limit": one.days > rows["over-limit"]["limit"] or one.fen > rows["over-limit"]["most_fen"],
        "late": one.hours_late > rows["late"]["limit"],
        "no-presence": not one.present,
    }


@dataclass(frozen=True, slots=True)
class Span:
    """When a live talk of a doctor was under way."""

    id: str
    doctor: str
    starts: datetime
    ends: datetime


def beside(spans: Sequence[Span]) -> dict[str, int]:
    """How many other live talks of the same doctor each talk overlaps, by id; those that overlap none are left out."""
    found: dict[str, int] = {}
    ordered = sorted(spans, key=lambda one: (one.doctor, one.starts))
    for number, one in enumerate(ordered):
        for other in ordered[number + 1 :]:
            if other.doctor != one.doctor or other.starts >= one.ends:
                break
            found[one.id] = found.get(one.id, 0) + 1
            found[other.id] = found.get(other.id, 0) + 1
    return found


def late(ended: datetime | None, here: datetime | None) -> float:
    """Hours from the end of a consultation until its data were here; 0 where one is not known."""
    return max((here - ended) / timedelta(hours=1), 0.0) if ended and here else 0.0


def example(rule: Rule, given: Mapping[str, Any]) -> list[str]:
    """The rules that an example breaks."""
    told: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    return [one.code for one in _judge(rule, replace(Session(), **told))]


def fields(name: str) -> list[str]:
    """The fields of a data set in order; [] for one that is none."""
    found = load(_ROOM, "datasets.yaml").map.get(name)
    return list(found["fields"]) if found else []


def datasets() -> dict[str, Mapping[str, str]]:
    """The names of the data sets, in zh and en."""
    return {str(name): {"zh": told["zh"], "en": told["en"]} for name, told in load(_ROOM, "datasets.yaml").map.items()}


def row(name: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a data set: exactly its fields, in their order."""
    return {field: told.get(field) for field in fields(name)}



def titles(language: str) -> dict[str, str]:
    """What pages call the fields of data sets."""
    return {str(field): str(names[language]) for field, names in load(_ROOM, "datasets.yaml").body["titles"].items()}
