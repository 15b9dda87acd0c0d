"""Worked examples of policies, as people write them: yuan, rates, only what is not zero."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from kangyun.base import rules
from kangyun.base.money import plain
from kangyun.base.rules import Rule
from kangyun.support.insurance.decisions.policies import chronic_or, fen_of, policy_of_rule, rate_of
from kangyun.support.insurance.decisions.settlement import settle
from kangyun.support.insurance.model import Bill, Insured, Line, SoFar

_DAY = date(2026, 6, 1)


def check_example(rule: Rule, given: Mapping[str, Any]) -> dict[str, str]:
    """The figures that are not zero, in yuan, of {insured, visit, lines, so_far, day}; so_far in yuan."""
    visit = dict(given["visit"])
    on = given.get("day", _DAY)
    policy = policy_of_rule(rules.read(rule.file, on=on))
    insured = _made(Insured("1", "insurer", policy.area, "", ""), given["insured"])
    bill = Bill("patient", "place", on, tuple(line(one) for one in given["lines"]), level=1, area=str(visit.pop("area", policy.area)))
    so_far = SoFar(**{name: value if name == "admissions" else fen_of(value) or 0 for name, value in given.get("so_far", {}).items()})
    done = settle(chronic_or(insured, _made(bill, visit)), insured, so_far, policy)
    return {name: plain(fen) for name, fen in done.figures.items() if fen}


def _made(one: Any, said: Mapping[str, Any]) -> Any:
    known = {field.name for field in fields(one)}
    return replace(one, **{name: tuple(value) if isinstance(value, list) else value for name, value in said.items() if name in known})


def line(said: Sequence[Any] | Mapping[str, Any]) -> Line:
    """A line: [A, 32.52], [B, 31.77, 0.10], or {kind, price, quantity, limit, rate}."""
    if isinstance(said, Mapping):
        quantity = Fraction(str(said.get("quantity", 1)))
        whole = int(quantity) if quantity.denominator == 1 else quantity
        price = fen_of(said["price"]) or 0
        return Line(str(said.get("code", "x")), "", whole, price, str(said["kind"]), rate_of(said.get("rate", 0)), fen_of(said.get("limit")))
    kind, amount, *rate = said
    return Line("x", "", 1, int(Decimal(str(amount)).scaleb(2)), str(kind), rate_of(rate[0]) if rate else 0)
