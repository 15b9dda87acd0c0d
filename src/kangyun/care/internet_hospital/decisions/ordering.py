"""What a doctor may order on line: the examinations that can be booked in the pool of numbers, and coming again."""

from __future__ import annotations

from collections.abc import Mapping

from kangyun.base.rules import load

SYSTEM = "urn:kangyun:appointments:examination"
FOLLOW_UP = "follow-up"
_COMING_AGAIN = {"zh": "复诊", "en": "Follow-up"}


def names() -> dict[str, Mapping[str, str]]:
    """The names of all orders by code, in zh and en; those of examinations are the pool's."""
    rule = load("kangyun.support.appointments", "examinations.yaml")
    found: dict[str, Mapping[str, str]] = {str(row["code"]): row["title"] for row in rule.table}
    return {**found, FOLLOW_UP: _COMING_AGAIN}
