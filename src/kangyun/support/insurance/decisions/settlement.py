"""The settlement: one pure function of a bill, an insured person, what was used in the year, and a dated policy.

    total     = fund + serious + supplement + aid + account + cash, every part at least 0
    over      = what is over the price limit of each line
    first     = of class B, (amount - over) * rate for each line
    eligible  = of A and B, what is left
    base      = eligible - deductible
    fund      = the segments' shares of base, at most what is left of the cap
    serious   = shares of what the person has borne within the range in the year, above a threshold
    then the supplement, medical aid, the personal account, and cash

Rounding: a line's first payment, and each payer's share as the difference of two yearly sums, are rounded to the fen, halves up.
Since sums are rounded and not differences, many small bills of a year come to the same as one large one.
Source: 医疗保障基金结算的构成 as in the national settlement list; 国办发〔2021〕42号 (medical aid); 国发〔2012〕2605号 (serious illness).
"""

from __future__ import annotations

from collections.abc import Sequence

from kangyun.base.money import Fen
from kangyun.support.insurance.decisions.policies import Policy, Pool, Segments, Terms
from kangyun.support.insurance.model import WHOLE, Bill, Insured, Line, Settlement, SoFar

_HALF = WHOLE // 2


def settle(bill: Bill, insured: Insured, so_far: SoFar, policy: Policy) -> Settlement:
    """What each payer pays of a bill. About ten microseconds."""
    return settled(bill.lines, policy.terms(bill, insured, so_far.admissions), so_far)


def settled(lines: Sequence[Line], terms: Terms, so_far: SoFar) -> Settlement:
    """The same with the terms already found."""
    total, over, first, excluded = split(lines)
    eligible = total - over - first - excluded
    pool, used = terms.pool, so_far[terms.place : terms.place + 3]
    deductible = min(eligible, max(0, pool.deductible - used[0] if pool.yearly_deductible else pool.deductible))
    base = eligible - deductible
    fund = min(_fund(pool, base, used[1]), _left(pool.cap, used[2]), _left(terms.year_cap, so_far.fund))
    basic_self = eligible - fund
    serious = min(_grown(terms.serious, so_far.in_range, basic_self), _left(terms.serious_cap, so_far.serious))
    left = basic_self - serious
    supplement = min(_above(left, terms.supplement_from, terms.supplement_rate), _left(terms.supplement_cap, so_far.supplement))
    left -= supplement
    aid = min(_grown(terms.aid, so_far.aid_base, left), _left(terms.aid_cap, so_far.aid))
    self_all = total - fund - serious - supplement - aid
    pays = left - aid + terms.account_first * first + terms.account_over * over + terms.account_excluded * excluded
    account = min(so_far.account, pays) if terms.has_account else 0
    change = [0, 0, 0] * 3 + [basic_self, serious, supplement, left, aid, terms.admission, -account]
    change[terms.place : terms.place + 3] = deductible, base, fund
    return Settlement(
        total, over, first, excluded, eligible, deductible, base, fund, basic_self, serious, supplement, aid, self_all, account,
        self_all - account, SoFar._make(change))


def split(lines: Sequence[Line]) -> tuple[Fen, Fen, Fen, Fen]:
    """Total, over the limit, first payment of class B, and class C (all of which the person pays)."""
    total = over = first = excluded = 0
    for line in lines:
        amount = line.amount
        total += amount
        if line.kind == "C":
            excluded += amount
            continue
        above = line.over if line.limit is not None else 0
        over += above
        if line.kind == "B":
            first += ((amount - above) * line.rate + _HALF) // WHOLE
    return total, over, first, excluded


def all_cash(bill: Bill) -> Settlement:
    """The bill of somebody whom nobody insures."""
    total = bill.total
    return Settlement(total, 0, 0, total, 0, 0, 0, 0, 0, 0, 0, 0, total, 0, total)


def _fund(pool: Pool, base: Fen, before: Fen) -> Fen:
    return _grown(pool.segments, before if pool.yearly_segments else 0, base)


def _grown(segments: Segments, before: Fen, more: Fen) -> Fen:
    """By how much the share of a sum grows when `more` comes to what was there `before`."""
    return _share(segments, before + more) - _share(segments, before) if before else _share(segments, more)


def _share(segments: Segments, amount: Fen) -> Fen:
    """What is paid of an amount that goes through segments (upper end or None, rate)."""
    shares = floor = 0
    for ceiling, rate in segments:
        if ceiling is None or amount <= ceiling:
            return (shares + (amount - floor) * rate + _HALF) // WHOLE
        shares += (ceiling - floor) * rate
        floor = ceiling
    return (shares + _HALF) // WHOLE


def _above(amount: Fen, threshold: Fen, rate: int) -> Fen:
    return ((amount - threshold) * rate + _HALF) // WHOLE if amount > threshold else 0


def _left(cap: Fen | None, used: Fen) -> Fen:
    """What is left under a cap; more than anybody can pay where there is none."""
    return 1 << 60 if cap is None else max(0, cap - used)
