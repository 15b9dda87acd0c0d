"""A second settlement, as one would do it by hand with the text of the policy: in yuan, payer by payer, along the money.

It shares no code with the room: it reads the rule file itself, counts in fractions of a yuan, and finds what segments pay by
walking over the stretch between two sums instead of taking the difference of two shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

Money = Fraction
ZERO = Fraction(0)
NO_END = Fraction(10**12)


def yuan(value: Any) -> Money:
    return Fraction(str(value))


def to_fen(amount: Money) -> Money:
    """Halves up, on the fen."""
    return Fraction((amount * 100 + Fraction(1, 2)).__floor__(), 100)


def walk(stretches: Sequence[tuple[Money, Money]], start: Money, length: Money) -> tuple[Money, Money]:
    """What stretches (end, rate) pay from `start` over `length`: exactly, up to the start and up to the end."""
    at_start = at_end = ZERO
    floor = ZERO
    for end, rate in stretches:
        at_start += max(ZERO, min(end, start) - floor) * rate
        at_end += max(ZERO, min(end, start + length) - floor) * rate
        floor = end
    return at_start, at_end


def paid(stretches: Sequence[tuple[Money, Money]], start: Money, length: Money) -> Money:
    before, after = walk(stretches, start, length)
    return to_fen(after) - to_fen(before)


def pick(value: Any, which: Any) -> Any:
    return value.get(which, 0) if isinstance(value, Mapping) else value


def by_hand(body: Mapping[str, Any], insured: Mapping[str, Any], visit: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], so_far: Mapping[str, Any]) -> dict[str, Money]:
    """Every figure in yuan. lines: kind, price, quantity, limit (or None), rate, all as numbers of yuan or rates."""
    used = {name: yuan(value) for name, value in so_far.items()}
    scene, level = visit.get("scene", "outpatient"), visit.get("level", 1)
    total = over = first = excluded = ZERO
    for one in lines:
        amount = to_fen(yuan(one["price"]) * yuan(one["quantity"]))
        total += amount
        if one["kind"] == "C":
            excluded += amount
            continue
        above = ZERO
        if one.get("limit") is not None:
            above = to_fen(max(ZERO, yuan(one["price"]) - yuan(one["limit"])) * yuan(one["quantity"]))
        over += above
        if one["kind"] == "B":
            first += to_fen((amount - above) * yuan(one["rate"]))
    eligible = total - over - first - excluded
    [row] = [one for one in body["pools"] if (one["kind"], one["scene"]) == (insured["kind"], scene)]
    fee = yuan(pick(row["deductible"], level))
    if scene == "inpatient" and used.get("admissions", ZERO) > 0:
        fee *= yuan(row.get("again", 1))
    if row["deductible_per"] == "year":
        fee = max(ZERO, fee - used.get(f"{scene}_deductible", ZERO))
    deductible = min(eligible, fee)
    base = eligible - deductible
    away = visit.get("area", body["map"]["area"]) != body["map"]["area"]
    filing = visit.get("filing", "none") if visit.get("filing", "none") != "none" else insured.get("filing", "none")
    less = yuan(body["away"]["less"][filing]) if away else ZERO
    more = yuan(row.get("more", {}).get(insured["person"], 0))
    stretches = [
        (yuan(one["to"]) if "to" in one else NO_END, min(Fraction(1), max(ZERO, yuan(pick(one["rate"], level)) + more - less)))
        for one in row["segments"]]
    fund = paid(stretches, used.get(f"{scene}_base", ZERO) if row["segments_per"] == "year" else ZERO, base)
    if "cap" in row:
        fund = min(fund, max(ZERO, yuan(pick(row["cap"], insured["person"])) - used.get(f"{scene}_fund", ZERO)))
    if insured["kind"] in body["year_cap"]:
        spent = sum((used.get(f"{name}_fund", ZERO) for name in ("outpatient", "chronic", "inpatient")), ZERO)
        fund = min(fund, max(ZERO, yuan(body["year_cap"][insured["kind"]]) - spent))
    basic_self = eligible - fund
    serious = _serious(body["serious"], insured, used, basic_self)
    left = basic_self - serious
    extra = body["supplement"].get(insured.get("supplement", "none"))
    supplement = ZERO
    if extra:
        supplement = to_fen(max(ZERO, left - yuan(extra["from"])) * yuan(extra["rate"]))
        if "cap" in extra:
            supplement = min(supplement, max(ZERO, yuan(extra["cap"]) - used.get("supplement", ZERO)))
    left -= supplement
    help_ = body["aid"].get(insured.get("aid", "none"))
    aid = ZERO
    if help_:
        aid = paid([(yuan(help_["from"]), ZERO), (NO_END, yuan(help_["rate"]))], used.get("aid_base", ZERO), left)
        if "cap" in help_:
            aid = min(aid, max(ZERO, yuan(help_["cap"]) - used.get("aid", ZERO)))
    self_all = total - fund - serious - supplement - aid
    account = ZERO
    if insured["kind"] in body["account"]["kinds"]:
        may = left - aid + sum((part for name, part in (("first_self", first), ("over_limit", over), ("excluded", excluded)) if name in body["account"]["pays"]), ZERO)
        account = min(used.get("account", ZERO), may)
    return {
        "total": total, "over_limit": over, "first_self": first, "excluded": excluded, "eligible": eligible, "deductible": deductible,
        "base": base, "fund": fund, "basic_self": basic_self, "serious": serious, "supplement": supplement, "aid": aid,
        "self_all": self_all, "account": account, "cash": self_all - account}


def _serious(said: Mapping[str, Any], insured: Mapping[str, Any], used: Mapping[str, Money], borne: Money) -> Money:
    row = said.get(insured["kind"])
    if row is None:
        return ZERO
    favoured = insured.get("aid", "none") in said["favoured"]["aid"]
    threshold = yuan(row["from"]) * (yuan(said["favoured"]["threshold"]) if favoured else 1)
    more = yuan(said["favoured"]["more"]) if favoured else ZERO
    stretches = [(threshold, ZERO)]
    stretches += [(threshold + yuan(one["to"]) if "to" in one else NO_END, min(Fraction(1), yuan(one["rate"]) + more)) for one in row["segments"]]
    serious = paid(stretches, used.get("in_range", ZERO), borne)
    if "cap" in row and not favoured:
        serious = min(serious, max(ZERO, yuan(row["cap"]) - used.get("serious", ZERO)))
    return serious
