"""The judgements of payments: facts and rules in, verdicts out; no clock, no database."""

from __future__ import annotations

from typing import Any

from kangyun.base.rules import Rule
from kangyun.support.payments.decisions import orders, resolving


def check_example(rule: Rule, given: Any) -> Any:
    """The verdict on a worked example of one of this room's rules."""
    if rule.id == "payments.terms":
        return orders.look_after(int(given["looks"]))
    return resolving.offered(str(given["kind"]), known=bool(given["known"]))
