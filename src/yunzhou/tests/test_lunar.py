"""The lunar calendar."""

from __future__ import annotations

from datetime import date

import pytest

from yunzhou import lunar
from yunzhou.lunar import LunarDate


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("1949-10-01", LunarDate(1949, 8, 10)),
        ("1966-01-21", LunarDate(1966, 1, 1)),
        ("1979-01-28", LunarDate(1979, 1, 1)),
        ("1985-02-20", LunarDate(1985, 1, 1)),
        ("2020-04-23", LunarDate(2020, 4, 1)),
        ("2020-05-23", LunarDate(2020, 4, 1, leap=True)),
        ("2023-03-22", LunarDate(2023, 2, 1, leap=True)),
        ("2024-02-10", LunarDate(2024, 1, 1)),
        ("2033-12-22", LunarDate(2033, 11, 1, leap=True)),
    ],
)
def test_it_knows_published_new_years_and_leap_months(day: str, expected: LunarDate) -> None:
    assert lunar.of(date.fromisoformat(day)) == expected


def test_every_day_follows_the_day_before() -> None:
    last = lunar.of(date(1930, 1, 1))
    for offset in range(1, 4000):
        today = lunar.of(date.fromordinal(date(1930, 1, 1).toordinal() + offset))
        assert today.day == last.day + 1 or (today.day == 1 and last.day in {29, 30})
        assert 1 <= today.month <= 12
        last = today


def test_a_lunar_birthday_lies_weeks_before_the_real_one() -> None:
    written = lunar.as_date(date(1955, 6, 20))
    assert written == date(1955, 5, 1)
    assert lunar.as_date(date(2020, 1, 24)) is None or lunar.of(date(2020, 1, 24)).day <= 31
