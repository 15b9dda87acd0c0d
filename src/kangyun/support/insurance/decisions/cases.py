"""What a rule of the audit looks at: a bill, whose it is, and the bills of the year before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from kangyun.support.insurance.decisions.claims import bill_of
from kangyun.support.insurance.model import Bill, Insured


@dataclass(frozen=True, slots=True)
class Case:
    """A bill to judge. sex: male, female or nothing; born, died: days or nothing; earlier: bills before it, newest first."""

    bill: Bill
    kind: str
    sex: str = ""
    born: date | None = None
    died: date | None = None
    earlier: tuple[Bill, ...] = ()

    @property
    def age(self) -> int | None:
        """Whole years on the day of the bill."""
        if self.born is None:
            return None
        on = self.bill.on
        return on.year - self.born.year - ((on.month, on.day) < (self.born.month, self.born.day))


def case_of(bill: Bill, insured: Insured, patient: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> Case:
    """The case of a bill; `earlier`: Claims of the person."""
    bills = tuple(bill_of(one, bill.on) for one in earlier)
    return Case(bill, insured.kind, str(patient.get("gender", "")), _day(patient.get("birthDate")), _died(patient), bills)


def _died(patient: Mapping[str, Any]) -> date | None:
    return _day(patient.get("deceasedDateTime"))


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(str(text)[:10]) if text else None
    except ValueError:
        return None
