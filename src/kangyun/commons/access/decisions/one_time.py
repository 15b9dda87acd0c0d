"""One-time codes by text message: how many, how long, and when another one may be asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from kangyun.base.rules import load


@dataclass(frozen=True, slots=True)
class CodeTerms:
    """Figures of rules/login.yaml about one-time codes."""

    digits: int
    minutes: int
    tries: int
    pause_seconds: int
    phone_per_day: int
    address_per_hour: int


def code_terms() -> CodeTerms:
    """The rule as it is in force today."""
    return CodeTerms(**load("kangyun.commons.access", "login.yaml").map["code"])


def must_wait(sent: Sequence[datetime], now: datetime) -> int:
    """Seconds until a phone may be sent another code; `sent` are the moments of the last day. 0: at once."""
    terms = code_terms()
    today = sorted(one for one in sent if one > now - timedelta(days=1))
    free = [today[-1] + timedelta(seconds=terms.pause_seconds)] if today else []
    if len(today) >= terms.phone_per_day:
        free.append(today[-terms.phone_per_day] + timedelta(days=1))
    return max((int((one - now).total_seconds()) + 1 for one in free if one > now), default=0)


def written(number: int) -> str:
    """A random number below 10 to the power of `digits` as a code."""
    return f"{number:0{code_terms().digits}d}"
