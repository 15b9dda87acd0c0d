"""The nouns of insurance: a bill and its lines, an insured person, what was used in a year, a settlement, a finding.

Money is whole fen. Rates are whole ten-thousandths, so that 0.055 is 550 and nothing is ever rounded but the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from operator import add, sub
from typing import Any, NamedTuple

from kangyun.base.money import Fen

WHOLE = 10_000
"""A rate of 100 %."""

KIND_SYSTEM = "urn:kangyun:insurance:kind"
CLASS_SYSTEM = "urn:kangyun:insurance:class"
PART_SYSTEM = "urn:kangyun:insurance:part"
MEMBER_SYSTEM = "urn:kangyun:insurance:member"
SETTLEMENT_SYSTEM = "urn:kangyun:insurance:settlement"
FINDING_SYSTEM = "urn:kangyun:insurance:finding"
FACT_SYSTEM = "urn:kangyun:insurance:fact"

SCENES = ("outpatient", "chronic", "inpatient")
FILINGS = ("long_term", "referral", "emergency", "temporary", "none")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill.

    kind: A, B or C of the catalogue of the place of care; rate: what the person pays first of a line of B; limit: the most
    that insurance counts for one unit. category: drug, herb, service, consumable or delivery. The rest is for the audit: days of
    supply, dose of a day in `unit`, ATC code, day of service, whether an order lies behind it.
    """

    code: str
    name: str
    quantity: int | Fraction
    unit_price: Fen
    kind: str = "C"
    rate: int = 0
    limit: Fen | None = None
    category: str = "drug"
    days: int = 0
    dose: float = 0.0
    unit: str = ""
    atc: str = ""
    day: str = ""
    ordered: bool = True

    @property
    def amount(self) -> Fen:
        """What the line costs."""
        return _times(self.quantity, self.unit_price)

    @property
    def over(self) -> Fen:
        """What of it is over the limit of the price."""
        return _times(self.quantity, self.unit_price - self.limit) if self.limit is not None and self.unit_price > self.limit else 0


def _times(quantity: int | Fraction, price: Fen) -> Fen:
    """Quantity times price, halves up; a quantity such as 7.5 g of a herb is a Fraction."""
    if type(quantity) is int:
        return quantity * price
    return (2 * quantity.numerator * price + quantity.denominator) // (2 * quantity.denominator)


@dataclass(frozen=True, slots=True)
class Bill:
    """What is to be settled at once: one visit at one place.

    patient, place: ids of a Patient and of the Organization of care. area: division code of the place of care. level: grade
    of the hospital, 1 to 3, 0: as the place is. filing: how a visit outside of the own area was filed. started, ended: days of a stay.
    """

    patient: str
    place: str
    on: date
    lines: tuple[Line, ...]
    scene: str = "outpatient"
    level: int = 0
    area: str = ""
    filing: str = "none"
    diagnoses: tuple[str, ...] = ()
    department: str = ""
    doctor: str = ""
    encounter: str = ""
    prescription: str = ""
    started: str = ""
    ended: str = ""
    online: bool = False

    @property
    def total(self) -> Fen:
        """What all lines cost."""
        return sum(line.amount for line in self.lines)


@dataclass(frozen=True, slots=True)
class Insured:
    """Somebody as the insurer knows him.

    member: the insurer's number. insurer: id of its Organization. kind: employee or resident; person: active, retired, adult
    or child; aid: none or a category of medical aid; supplement: none, civil_servant or enterprise; chronic: diagnoses (ICD-10
    prefixes) whose treatment is settled by the chronic scheme. filing: how a stay elsewhere was filed, with its end.
    patient, resident: whose record keeps the Coverage, and its key.
    """

    member: str
    insurer: str
    area: str
    kind: str
    person: str
    aid: str = "none"
    supplement: str = "none"
    chronic: tuple[str, ...] = ()
    filing: str = "none"
    valid: bool = True
    patient: str = ""
    resident: int = 0
    coverage: str = ""
    sex: str = ""
    born: str = ""


class SoFar(NamedTuple):
    """What somebody has used in an insurance year, and what is left on the personal account; all in fen but `admissions`.

    For each scene: deductible paid, amount that the segments have gone through, paid by the fund. in_range: what the person
    bore within the range (for the serious-illness insurance); aid_base: what medical aid has looked at.
    """

    outpatient_deductible: Fen = 0
    outpatient_base: Fen = 0
    outpatient_fund: Fen = 0
    chronic_deductible: Fen = 0
    chronic_base: Fen = 0
    chronic_fund: Fen = 0
    inpatient_deductible: Fen = 0
    inpatient_base: Fen = 0
    inpatient_fund: Fen = 0
    in_range: Fen = 0
    serious: Fen = 0
    supplement: Fen = 0
    aid_base: Fen = 0
    aid: Fen = 0
    admissions: int = 0
    account: Fen = 0

    @property
    def fund(self) -> Fen:
        """What the basic insurance has paid in the year."""
        return self.outpatient_fund + self.chronic_fund + self.inpatient_fund

    def plus(self, other: SoFar) -> SoFar:
        """Both together."""
        return SoFar._make(map(add, self, other))

    def minus(self, other: SoFar) -> SoFar:
        """What remains without the other."""
        return SoFar._make(map(sub, self, other))


PARTS = ("fund", "serious", "supplement", "aid", "account", "cash")
"""Who pays, in the order in which they pay; together they are the total."""


class Settlement(NamedTuple):
    """The parts of a bill, in fen. total = fund + serious + supplement + aid + account + cash.

    over_limit, first_self, excluded: what is outside of the range: over the price limit, of class B, of class C.
    eligible: within the range; of it `deductible` first, then `base` goes through the segments. basic_self: what the person
    bears within the range. `change`: what is added to the year's accumulators.
    """

    total: Fen
    over_limit: Fen
    first_self: Fen
    excluded: Fen
    eligible: Fen
    deductible: Fen
    base: Fen
    fund: Fen
    basic_self: Fen
    serious: Fen
    supplement: Fen
    aid: Fen
    self_all: Fen
    account: Fen
    cash: Fen
    change: SoFar = SoFar()

    @property
    def figures(self) -> dict[str, Fen]:
        """All figures by name, without what changes in the year."""
        whole = self._asdict()
        del whole["change"]
        return whole


FIGURES = Settlement._fields[:-1]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule of the audit has found.

    rule: its name; number: of the kind; result: violation or suspect; effect: note, self_pay or refuse; lines: numbers of the lines
    concerned, from 1; facts: for the explanation, numbers and codes only.
    """

    rule: str
    number: int
    result: str
    effect: str
    lines: tuple[int, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a bill would come to: the bill as it counts (lines that a rule excludes are of class C), figures, findings.

    insured None: nobody insures the person here, everything is cash. `asked`: the insurer was asked and says the same.
    """

    bill: Bill
    settlement: Settlement
    insured: Insured | None
    findings: tuple[Finding, ...] = ()
    asked: bool = False

    @property
    def cash(self) -> Fen:
        """The one figure that the resident pays."""
        return self.settlement.cash


@dataclass(frozen=True, slots=True)
class Settled:
    """A settlement that is kept; state as in rules/lifecycle_settlement.yaml, claim: id of the Claim."""

    id: str
    state: str
    claim: str
    settlement: Settlement
    on: date
    patient: str
    member: str
    place: str
    insurer: str
    resident: int
    year: int
    scene: str
    note: str = ""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])
