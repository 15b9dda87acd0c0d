"""Prescription comment (处方点评): how many are drawn, what class a verdict is, and what a month of verdicts comes to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.diagnoses import PACKAGE
from kangyun.support.drugs.model import Finding

FIT = "fit"
CLASSES = ("form", "unsuitable", "exceptional")


def codes() -> dict[str, Mapping[str, Any]]:
    """The problems by code, as in rules/comment.yaml."""
    return {str(row["code"]): row for row in rules.load(PACKAGE, "comment.yaml").table}


def class_of(problems: Iterable[str]) -> str:
    """`fit`, `form`, `unsuitable` or `exceptional`: the gravest class of the problems; KeyError for a code that is none."""
    found = {str(codes()[code]["class"]) for code in problems}
    return next((one for one in reversed(CLASSES) if one in found), FIT)


def size_of(prescriptions: int, kind: str = "outpatient") -> int:
    """How many of a month's prescriptions are drawn: a part, at least so many, never more than there are."""
    asked = rules.load(PACKAGE, "comment.yaml").body["sample"][kind]
    return min(prescriptions, max(math.ceil(prescriptions * asked["part"]), int(asked["least"])))


def suggested(findings: Sequence[Finding]) -> list[str]:
    """The problems that a review would name; what was only advised is left to the one who comments."""
    return sorted({one.comment for one in findings if one.comment and (one.level != "advise" or "confirmed" in one.facts)}, key=_place)


def _place(code: str) -> tuple[int, int]:
    group, _, number = code.partition("-")
    return int(group), int(number)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One commented prescription: its problems, by whom it was prescribed."""

    practitioner: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What verdicts come to: how many of each class and problem; `rational` and `done` as parts of one, None of nothing."""

    drawn: int
    commented: int
    classes: Mapping[str, int]
    problems: Sequence[tuple[str, int]]
    doctors: Sequence[tuple[str, int, int]]

    @property
    def rational(self) -> float | None:
        """Reasonable prescriptions among those that were commented on."""
        return self.classes.get(FIT, 0) / self.commented if self.commented else None

    @property
    def done(self) -> float | None:
        """Commented among drawn."""
        return self.commented / self.drawn if self.drawn else None


def report(drawn: int, verdicts: Sequence[Verdict]) -> Report:
    """The figures of a sample. `doctors`: id, commented, not reasonable; most faults first."""
    classes = Counter(class_of(one.problems) for one in verdicts)
    problems = Counter(code for one in verdicts for code in one.problems)
    each = Counter(one.practitioner for one in verdicts)
    wrong = Counter(one.practitioner for one in verdicts if one.problems)
    doctors = sorted(((who, count, wrong[who]) for who, count in each.items()), key=lambda row: (-row[2], -row[1], row[0]))
    return Report(drawn, len(verdicts), dict(classes), problems.most_common(), doctors)


def check_example(rule: Rule, given: Sequence[str]) -> str:
    """The class of a list of problems."""
    del rule
    return class_of(given)
