"""The judgements of insurance: what a policy pays, and what the audit's rules say of a bill. Pure: no clock, no database."""

from __future__ import annotations

from datetime import date
from typing import Any

from kangyun.base.rules import Rule
from kangyun.support.insurance.decisions.audit import check_example as check_audit
from kangyun.support.insurance.decisions.policies import policy
from kangyun.support.insurance.decisions.worked import check_example as check_policy


def check_example(rule: Rule, given: Any) -> Any:
    """The settlement of a worked example of a policy, or the finding of one of an audit rule."""
    return check_policy(rule, given) if ".policies." in rule.id else check_audit(rule, given)


def check_area(_rule: Rule, given: str) -> str:
    """Which policy speaks for an area today."""
    return policy(given, date(2026, 1, 1)).rule.id


def check_level(rule: Rule, given: str) -> int:
    """The level of a kind of institution."""
    return int(rule.map[given])
