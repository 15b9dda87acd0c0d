"""Who may act for whom: children until they are adults, adults as long as a proof says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from kangyun.base.rules import Rule, load


@dataclass(frozen=True, slots=True)
class Terms:
    """Figures of rules/guardianship.yaml: ages in years, times in days."""

    alone_from: int
    adult_from: int
    longest_days: int
    waiting_days: int


def guardian_terms() -> Terms:
    """The rule as it is in force today."""
    return Terms(**_rule().map)


def _rule() -> Rule:
    return load("kangyun.commons.access", "guardianship.yaml")


def documents(kind: str | None = None) -> dict[str, Mapping[str, Any]]:
    """The proofs that are taken, by code, each with zh, en and for whom; of one kind (child, adult) or of both."""
    return {str(row["code"]): row for row in _rule().table if kind is None or kind in row["for"]}


def birthday(born: date, years: int) -> date:
    """The day on which somebody is so many years old; born on 29 February: 1 March (Civil Code, reckoning by days)."""
    try:
        return born.replace(year=born.year + years)
    except ValueError:
        return date(born.year + years, 3, 1)


def may_alone(born: date | None, today: date) -> bool:
    """Whether somebody may have a login of one's own without a guardian; an unknown birthday says no child."""
    return born is None or birthday(born, guardian_terms().alone_from) <= today


def kind_of(born: date | None, today: date) -> str:
    """child, or adult whom somebody helps."""
    return "child" if born is not None and today < birthday(born, guardian_terms().adult_from) else "adult"


def last_day(born: date | None, today: date, until: date | None = None) -> date:
    """The day on which acting for somebody ends: a child's 18th birthday, an adult's authorisation, or `until` if sooner."""
    terms = guardian_terms()
    if born is not None and kind_of(born, today) == "child":
        latest = birthday(born, terms.adult_from)
    else:
        latest = today + timedelta(days=terms.longest_days)
    return min(latest, until) if until else latest


def is_known_proof(document: str, kind: str) -> bool:
    """Whether a document proves guardianship of that kind."""
    return document in documents(kind)


def born_of(person: Mapping[str, Any]) -> date | None:
    """The birthday of a Person or Patient; of one that names only year or month, the last day that it can be."""
    text = str(person.get("birthDate") or "")
    try:
        if len(text) == 10:
            return date.fromisoformat(text)
        first = date.fromisoformat(f"{text}-01" if len(text) == 7 else f"{text}-12-01")
    except ValueError:
        return None
    return (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def check_example(_rule: Rule, given: Mapping[str, Any]) -> Any:
    """The verdict on a worked example of rules/guardianship.yaml."""
    if "document" in given:
        return is_known_proof(given["document"], given["kind"])
    born, today = date.fromisoformat(given["born"]), date.fromisoformat(given["today"])
    until = date.fromisoformat(given["until"]) if "until" in given else None
    return {
        "kind": kind_of(born, today), "alone": may_alone(born, today), "ends": last_day(born, today, until).isoformat(),
    }
