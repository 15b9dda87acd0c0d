"""The worked examples of this room's rule files."""

from __future__ import annotations

from typing import Any

from kangyun.base import rules
from kangyun.commons.population.decisions import golden, residents


def check_example(rule: rules.Rule, given: Any) -> Any:
    """The verdict of a rule file's worked example."""
    return {
        "population.id_number": lambda: _id_number(given),
        "population.credit_code": lambda: residents.is_credit_code(given),
        "population.identity": lambda: [value for _, value in residents.telling(given)],
        "population.survivorship": lambda: _survivorship(given),
    }[rule.id]()


def _id_number(given: str) -> str | bool:
    return residents.normal_id_number(given) if residents.is_id_number(given) else False


def _survivorship(given: dict[str, Any]) -> dict[str, Any]:
    if "members" in given:
        return golden.values([(one["source"], one["patient"]) for one in given["members"]])
    return residents.survivor(given["current"], given["news"])
