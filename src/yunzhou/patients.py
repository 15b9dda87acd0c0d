"""Patients of the internet hospital: made-up grown-ups of the city, each with an ID number and a telephone that nobody else has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from yunzhou import chance, names
from yunzhou.people import check_digit

_COUNTY = "990101"
_YOUNGEST = 36 * 365 + 9
# Birthdays are walked through in steps that meet each of these days once before any comes again.
_DAYS, _STEP = 18_993, 7_919


@dataclass(frozen=True, slots=True)
class Patient:
    """Who can be registered and can log in: name, ID number of region 99, telephone."""

    name: str
    number: str
    phone: str


def patients(seed: int, count: int, today: date) -> Iterator[Patient]:
    """So many patients; the same seed gives the same ones on the same day."""
    rng = chance.stream(seed, "patients")
    for place in range(count):
        birth = today - timedelta(days=_YOUNGEST + place * _STEP % _DAYS)
        sex = "male" if rng.random() < 0.5 else "female"
        body = f"{_COUNTY}{birth:%Y%m%d}{place // _DAYS * 2 + (sex == 'male'):03d}"
        yield Patient(names.draw(rng, sex, birth.year).text, body + check_digit(body), f"1390{place:07d}")
