"""What a password must be, when it is too old, and which factors a login still lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kangyun.base.rules import Rule, load


@dataclass(frozen=True, slots=True)
class PasswordTerms:
    """Figures of rules/passwords.yaml: `least` and `most` in signs, times in days."""

    least: int
    most: int
    classes: int
    days: int
    remembered: int
    told_days: int


def password_terms() -> PasswordTerms:
    """The rule as it is in force today."""
    return PasswordTerms(**load("kangyun.commons.access", "passwords.yaml").map)


def faults(password: str, login: str) -> list[str]:
    """What is wrong with a new password: short, long, plain (too few classes), repeated (few different signs), name."""
    terms = password_terms()
    told = {
        "short": len(password) < terms.least,
        "long": len(password) > terms.most,
        "plain": _classes(password) < terms.classes,
        "repeated": len(set(password)) < terms.least // 2,
        "name": _holds_name(password, login),
    }
    return [fault for fault, found in told.items() if found]


def _holds_name(password: str, login: str) -> bool:
    folded, name = password.casefold(), login.casefold()
    return bool(name) and (name in folded or name[::-1] in folded)


def _classes(password: str) -> int:
    return len({_class(sign) for sign in password})


def _class(sign: str) -> str:
    if sign.islower():
        return "small"
    if sign.isupper():
        return "capital"
    return "digit" if sign.isdecimal() else "other"


def expired(chosen: datetime, now: datetime) -> bool:
    """Whether a password must be changed before its holder goes on."""
    return now - chosen >= timedelta(days=password_terms().days)


def ends_soon(chosen: datetime, now: datetime) -> int | None:
    """The days until a password must be changed, when they are so few that its holder is told."""
    terms = password_terms()
    left = (chosen + timedelta(days=terms.days) - now).days
    return left if left < terms.told_days else None


def check_example(_rule: Rule, given: Mapping[str, Any]) -> Any:
    """The verdict on a worked example of rules/passwords.yaml."""
    if "age_days" in given:
        now = datetime.fromisoformat("2026-11-22T00:00:00+00:00")
        return expired(now - timedelta(days=given["age_days"]), now)
    return faults(given["password"], given["login"])
