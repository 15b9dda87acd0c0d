"""A resident: who it is, and how the country numbers it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from random import Random

from yunzhou.names import Name

WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
CHECKS = "10X98765432"
WIDOWED = frozenset({"grandmother", "grandfather", "elder"})


@dataclass(frozen=True, slots=True)
class Person:
    """A resident. `member` numbers the people of a household from 1; `mother` is her member number, 0 if she lives elsewhere.

    `joined` is the day on which somebody moved in by marriage, `wed` the wedding day, `renames` later names with their days, `key` the name
    of the person in the truth file: the number of the household and the member.
    """

    household: int
    member: int
    role: str
    name: Name
    sex: str
    birth: date
    id_number: str
    ethnicity: tuple[str, str]
    profession: str
    mother: int = 0
    partner: int = 0
    death: date | None = None
    joined: date | None = None
    wed: date | None = None
    renames: tuple[tuple[date, Name], ...] = ()
    key: str = ""

    def marriage(self, on: date) -> str:
        """Say whether married, single or widowed on a day."""
        if self.partner and (self.wed is None or self.wed <= on):
            return "married"
        return "widowed" if self.role in WIDOWED else "single"

    def named(self, on: date) -> Name:
        """Return the name of that day."""
        if not self.renames:
            return self.name
        return next((name for since, name in reversed(self.renames) if since <= on), self.name)

    def alive(self, on: date) -> bool:
        """Tell whether somebody lives in the household on a day."""
        return self.birth <= on and (self.death is None or on < self.death) and (self.joined is None or self.joined <= on)

    def record_number(self, letter: str) -> str:
        """Return the record number at the institution of that letter."""
        return f"{letter}{self.key}"

    def age(self, on: date) -> float:
        """Return the age in years, with fractions."""
        return (on - self.birth).days / 365.25


def check_digit(body: str) -> str:
    """Return the check character of a 17-digit body (GB 11643, ISO 7064 MOD 11-2)."""
    return CHECKS[sum(int(digit) * weight for digit, weight in zip(body, WEIGHTS, strict=True)) % 11]


def id_number(county: str, birth: date, sex: str, rng: Random) -> str:
    """Draw an ID number; the last digit of the sequence is odd for men (GB 11643)."""
    sequence = int(rng.random() * 500) * 2 + (sex == "male")
    body = f"{county}{birth.year}{birth.month:02d}{birth.day:02d}{sequence:03d}"
    return body + check_digit(body)


def is_valid(number: str) -> bool:
    """Tell whether an 18-character ID number has the right check character."""
    return len(number) == 18 and number[:17].isdigit() and check_digit(number[:17]) == number[17]


def wrong_check(number: str) -> str:
    """Return the number with a check character that is wrong."""
    return number[:17] + CHECKS[(CHECKS.index(number[17]) + 3) % 11]
