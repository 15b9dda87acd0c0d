"""Whose a Patient is, and by which number he is known, decides who sees the record: who may change that: pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from kangyun.base.rules import Rule, load
from kangyun.commons.access.decisions import policy


@cache
def _terms() -> tuple[tuple[str, ...], frozenset[str]]:
    said = load("kangyun.commons.access", "registering.yaml").map
    return tuple(said["numbers"]), frozenset(said["correctors"])


@cache
def is_bound(role: str) -> bool:
    """Whether what a role writes of Patients is looked at: people do, machines bring what their institution knows."""
    found = policy.role(role)
    return found is not None and found.kind in {"staff", "resident"} and "Patient" in policy.wheres(role, "update")


def fault(role: str, before: Mapping[str, Any], after: Mapping[str, Any], is_own: Callable[[str], bool]) -> str | None:
    """Why a change of a Patient is refused, as the key of a message; `is_own` says of a reference whether it is the caller's house."""
    former, keeper = _keeper(before), _keeper(after)
    if former != keeper and not (is_own(former) and is_own(keeper)):
        return "access.not-your-keeper"
    if _numbers(before) != _numbers(after) and (role not in _terms()[1] or (former != "" and not is_own(former))):
        return "access.not-your-number"
    return None


def _keeper(patient: Mapping[str, Any]) -> str:
    said = patient.get("managingOrganization")
    return str(said.get("reference", said)) if isinstance(said, dict) else ""


def _numbers(patient: Mapping[str, Any]) -> set[tuple[str, str]]:
    said = patient.get("identifier")
    known = [one for one in said if isinstance(one, dict)] if isinstance(said, list) else []
    return {(str(one.get("system")), str(one.get("value"))) for one in known if str(one.get("system", "")).startswith(_terms()[0])}


def check_example(_rule: Rule, given: Mapping[str, Any]) -> str | None:
    """The judge of the examples."""
    if not is_bound(given["role"]):
        return None
    return fault(given["role"], _example(given["before"]), _example(given["after"]), lambda name: name == "Organization/own")


def _example(said: Mapping[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"identifier": [{"system": f"{_terms()[0][0]}3", "value": said["number"]}] if "number" in said else []}
    return made | ({"managingOrganization": {"reference": f"Organization/{said['keeper']}"}} if "keeper" in said else {})
