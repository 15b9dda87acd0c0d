"""The policy of an area as it is in force on a day: which deductible, segments, caps and reductions hold for whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeAlias

from kangyun.base import rules
from kangyun.base.errors import refuse
from kangyun.base.money import Fen
from kangyun.base.rules import Rule
from kangyun.support.insurance.model import SCENES, WHOLE, Bill, Insured

PACKAGE = "kangyun.support.insurance"
Segments: TypeAlias = tuple[tuple[Fen | None, int], ...]
"""(upper end or None, rate) from 0 upwards."""


@dataclass(frozen=True, slots=True)
class Pool:
    """What the basic insurance pays in one scene; `yearly_...`: counted over the year, else for each settlement."""

    deductible: Fen
    yearly_deductible: bool
    segments: Segments
    yearly_segments: bool
    cap: Fen | None


@dataclass(frozen=True, slots=True)
class Terms:
    """Everything that holds for one settlement. place: where the scene's three figures stand in SoFar."""

    pool: Pool
    place: int
    year_cap: Fen | None
    serious: Segments
    serious_cap: Fen | None
    supplement_from: Fen
    supplement_rate: int
    supplement_cap: Fen | None
    aid: Segments
    aid_cap: Fen | None
    has_account: bool
    account_first: int
    account_over: int
    account_excluded: int
    admission: int


class Policy:
    """One area's policy on one day; what it says for a group of people is worked out once."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.area = str(rule.map["area"])
        self._known: dict[tuple[Any, ...], Terms] = {}

    def terms(self, bill: Bill, insured: Insured, admissions: int = 0) -> Terms:
        """The terms for a bill. Raises Problem 409 when the policy has none for this kind of insurance and scene."""
        away = bill.area not in {"", self.area}
        filing = (bill.filing if bill.filing != "none" else insured.filing) if away else ""
        again = bill.scene == "inpatient" and admissions > 0
        key = (insured.kind, insured.person, insured.aid, insured.supplement, bill.scene, bill.level, filing, again)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._terms(insured, bill, filing, again=again)
        return found

    def _terms(self, insured: Insured, bill: Bill, filing: str, *, again: bool) -> Terms:
        body = self.rule.body
        row = next((one for one in body["pools"] if one["kind"] == insured.kind and one["scene"] == bill.scene), None)
        if row is None:
            raise refuse(409, "business-rule", "insurance.no-terms")
        reduction = _rate(body["away"]["less"][filing]) if filing else 0
        serious, serious_cap = _serious(body["serious"], insured)
        supplement = body["supplement"].get(insured.supplement, {})
        aid = body["aid"].get(insured.aid)
        account = body["account"]
        return Terms(
            pool=_pool(row, insured, bill.level, reduction, again=again), place=3 * SCENES.index(bill.scene),
            year_cap=_fen(body["year_cap"].get(insured.kind)), serious=serious, serious_cap=serious_cap,
            supplement_from=_fen(supplement.get("from", 0)) or 0, supplement_rate=_rate(supplement.get("rate", 0)),
            supplement_cap=_fen(supplement.get("cap")), aid=_aid(aid), aid_cap=_fen(aid.get("cap")) if aid else 0,
            has_account=insured.kind in account["kinds"], account_first=int("first_self" in account["pays"]),
            account_over=int("over_limit" in account["pays"]), account_excluded=int("excluded" in account["pays"]),
            admission=int(bill.scene == "inpatient"))


def _pool(row: Mapping[str, Any], insured: Insured, level: int, reduction: int, *, again: bool) -> Pool:
    deductible = _fen(_by(row["deductible"], level)) or 0
    if again:
        deductible = deductible * _rate(row.get("again", 1)) // WHOLE
    more = _rate(row.get("more", {}).get(insured.person, 0)) - reduction
    segments = tuple((_fen(one.get("to")), _within(_rate(_by(one["rate"], level)) + more)) for one in row["segments"])
    cap = _fen(_by(row["cap"], insured.person)) if "cap" in row else None
    return Pool(deductible, row["deductible_per"] == "year", segments, row["segments_per"] == "year", cap)


def _within(rate: int) -> int:
    return max(0, min(WHOLE, rate))


def _serious(said: Mapping[str, Any], insured: Insured) -> tuple[Segments, Fen | None]:
    """Nothing below the threshold; the poor have half of it, more of each segment, and no cap."""
    row = said.get(insured.kind)
    if row is None:
        return (), 0
    favoured = insured.aid in said["favoured"]["aid"]
    threshold = _fen(row["from"]) or 0
    if favoured:
        threshold = threshold * _rate(said["favoured"]["threshold"]) // WHOLE
    more = _rate(said["favoured"]["more"]) if favoured else 0
    above = [(_above(threshold, one.get("to")), _within(_rate(one["rate"]) + more)) for one in row["segments"]]
    return ((threshold, 0), *above), None if favoured else _fen(row.get("cap"))


def _above(threshold: Fen, width: Any) -> Fen | None:
    """Segments of the serious-illness insurance are counted from its threshold."""
    fen = _fen(width)
    return None if fen is None else threshold + fen


def _aid(said: Mapping[str, Any] | None) -> Segments:
    return ((_fen(said["from"]), 0), (None, _rate(said["rate"]))) if said else ()


def _by(value: Any, which: Any) -> Any:
    """A figure that is the same for all, or one by level or person."""
    return value.get(which) if isinstance(value, Mapping) else value


def _fen(value: Any) -> Fen | None:
    """Yuan as a rule file writes them; None where there is no limit."""
    if value is None:
        return None
    exact = Decimal(str(value)).scaleb(2)
    if exact != int(exact) or exact < 0:
        raise ValueError(f"{value} yuan is no whole number of fen")
    return int(exact)


def _rate(value: Any) -> int:
    exact = Decimal(str(value)) * WHOLE
    if exact != int(exact) or not 0 <= exact <= WHOLE:
        raise ValueError(f"{value} is no rate of whole ten-thousandths")
    return int(exact)


rate_of = _rate
fen_of = _fen


_policies: dict[int, tuple[Rule, Policy]] = {}


def policy_of_rule(rule: Rule) -> Policy:
    """The policy that a rule file says; worked out once for each."""
    found = _policies.get(id(rule))
    if found is None or found[0] is not rule:
        found = _policies[id(rule)] = (rule, Policy(rule))
    return found[1]


def policy(area: str, on: date) -> Policy:
    """The policy of an area on a day. Raises Problem 409 when no file speaks for the area or the day."""
    name = _files().get(area)
    if name is None:
        raise refuse(409, "business-rule", "insurance.no-policy")
    try:
        return policy_of_rule(rules.load(PACKAGE, name, on=on))
    except rules.RuleError:
        raise refuse(409, "business-rule", "insurance.no-policy") from None


def _files() -> Mapping[str, str]:
    """The file of each area."""
    return _area_files(id(rules.load(PACKAGE, "areas.yaml")))


@lru_cache(maxsize=4)
def _area_files(_rule: int) -> dict[str, str]:
    return {str(row["area"]): str(row["policy"]) for row in rules.load(PACKAGE, "areas.yaml").table}


def home_area() -> str:
    """The area in which this platform stands."""
    return str(rules.load(PACKAGE, "areas.yaml").body["home"])


def year_of(on: date) -> int:
    """The insurance year of a day: the calendar year."""
    return on.year


def chronic_or(insured: Insured, bill: Bill) -> Bill:
    """A visit for a disease that is registered for the chronic scheme is settled by it."""
    if bill.scene != "outpatient" or not any(told.startswith(one) for told in bill.diagnoses for one in insured.chronic):
        return bill
    return replace(bill, scene="chronic")
