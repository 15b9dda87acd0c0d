"""Judgements of the checkout: what a way of delivery costs, what one figure is made of, and whether the insurer paid what was shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from typing import Any

import orjson

from kangyun.base import lifecycles, rules
from kangyun.base.lifecycles import Lifecycle
from kangyun.base.money import Fen
from kangyun.base.rules import Rule
from kangyun.support import insurance, payments
from kangyun.support.insurance import Bill, Settlement

_PACKAGE = "kangyun.care.internet_hospital"
PARTS = ("fund", "serious", "supplement", "aid", "account", "cash")
"""Who pays, in the order in which they pay."""
DELIVERY = "delivery"
"""The code of the line that is the way to the door."""


@dataclass(frozen=True, slots=True)
class Quote:
    """One figure and its parts in fen, for the bill that the insurer is told; what nobody insures is all cash."""

    bill: Bill
    parts: Mapping[str, Fen] = field(default_factory=dict[str, Fen])
    insured: bool = False

    @property
    def total(self) -> Fen:
        """What all lines cost."""
        return self.bill.total

    @property
    def cash(self) -> Fen:
        """The one figure: what is paid now."""
        return self.parts["cash"]

    @property
    def seal(self) -> str:
        """What a form carries, so that nobody confirms another figure than was shown."""
        return sha256(self.text.encode()).hexdigest()[:24]

    @property
    def text(self) -> str:
        """As it is kept."""
        told = {"bill": asdict(self.bill), "parts": dict(self.parts), "insured": self.insured}
        return orjson.dumps(told, option=orjson.OPT_SORT_KEYS, default=str).decode()

    @classmethod
    def of(cls, text: str) -> Quote:
        """Of what was kept."""
        told = orjson.loads(text)
        return cls(_bill(told["bill"]), told["parts"], told["insured"])

    def is_whole(self) -> bool:
        """Whether the parts are the total, and none is below nothing."""
        return min(self.parts.values()) >= 0 and sum(self.parts.values()) == self.total

    def order_lines(self) -> list[payments.Line]:
        """The lines of the order: everything at its price, less what others pay."""
        sold = [
            payments.Line(one.code, one.name, one.unit_price, _decimal(one.quantity), _KINDS.get(one.category, "other"))
            for one in self.bill.lines if one.unit_price
        ]
        paid = [
            payments.Line(f"insurance-{name}", _PAYERS[name], -self.parts[name], kind="deduction") for name in PARTS[:-1] if self.parts.get(name)
        ]
        return [*sold, *paid]


_KINDS = {"drug": "drug", "herb": "drug", "delivery": "delivery", "service": "consultation"}
_PAYERS = {"fund": "医保统筹支付", "serious": "大病保险支付", "supplement": "补充保险支付", "aid": "医疗救助支付", "account": "个人账户支付"}


def _decimal(quantity: int | Fraction) -> Decimal:
    return Decimal(quantity) if isinstance(quantity, int) else Decimal(quantity.numerator) / Decimal(quantity.denominator)


def _bill(told: dict[str, Any]) -> Bill:
    lines: list[dict[str, Any]] = [{**one, "quantity": _quantity(one["quantity"])} for one in told["lines"]]
    whole: dict[str, Any] = {
        **told, "lines": tuple(insurance.Line(**one) for one in lines), "on": date.fromisoformat(told["on"]), "diagnoses": tuple(told["diagnoses"])}
    return Bill(**whole)


def _quantity(told: int | str) -> int | Fraction:
    return told if isinstance(told, int) else Fraction(told)


def quoted(bill: Bill, settlement: Settlement, *, insured: bool) -> Quote:
    """The quote of what an insurer would pay."""
    figures = settlement.figures
    return Quote(bill, {name: figures[name] for name in PARTS}, insured)


def agrees(quote: Quote, settlement: Settlement) -> bool:
    """Whether a settlement is, part by part, what was confirmed."""
    figures = settlement.figures
    return all(figures[name] == quote.parts[name] for name in PARTS)


def terms() -> Mapping[str, Any]:
    """The rule: how long a figure holds and what ways cost."""
    return rules.load(_PACKAGE, "checkout.yaml").map


def lifecycle() -> Lifecycle:
    """What can happen to a checkout."""
    return lifecycles.load(_PACKAGE, "lifecycle_checkout.yaml")


def minutes_to_pay() -> int:
    """How long a confirmed figure waits for its payment."""
    return int(terms()["minutes_to_pay"])


def delivery_fee(way: str, goods: Fen) -> Fen:
    """The fee of a way (collect, courier, cold) for medicine of so many fen. Raises KeyError for an unknown way."""
    return _fee(terms()["delivery"][way], goods)


def delivery_line(way: str, goods: Fen) -> list[insurance.Line]:
    """The line of a way to the door, which no insurance pays; none where it costs nothing."""
    fee = delivery_fee(way, goods)
    return [insurance.Line(DELIVERY, "药品配送费", 1, fee, category="delivery")] if fee else []


def _fee(row: Mapping[str, int], goods: Fen) -> Fen:
    return 0 if "free_from" in row and goods >= row["free_from"] else row["fen"]


def check_example(rule: Rule, given: Mapping[str, Any]) -> Fen:
    """The fee of an example."""
    return _fee(rule.map["delivery"][given["way"]], int(given["goods"]))
