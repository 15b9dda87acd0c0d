"""The worked examples of the rules under rules/cda."""

from __future__ import annotations

from typing import Any

from kangyun.base.rules import Rule
from kangyun.commons.exchange.decisions.cda import clinical, codes
from kangyun.commons.exchange.decisions.cda.building import missing_rows
from kangyun.commons.exchange.decisions.cda.sheet import about


def check_example(rule: Rule, given: Any) -> Any:
    """What a rule of rules/cda says about the given."""
    kind = rule.id.rsplit(".", 1)[-1]
    if kind == "systems":
        return codes.system_of(given)
    if kind == "nothing":
        return clinical.says_nothing(given)
    if kind == "sections":
        return rule.map[given]["zh"]
    if kind in {"elements", "elements_more"}:
        return _element(given)
    if ".documents." in rule.id:
        return [one.code for one in missing_rows(rule, given)]
    if kind == "emr":
        found = about(given)
        return {"title": found.title["zh"], "visit": found.visit} if found else None
    return rule.map.get(given)


def _element(code: str) -> dict[str, Any]:
    found = codes.entry(code)
    return {"zh": found["zh"], "type": found["type"], "target": found.get("to") or found.get("make") or "Observation"}
