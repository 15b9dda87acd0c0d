"""Money in whole fen: what people write, what FHIR writes, and that nothing is lost between them."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kangyun.base import money
from kangyun.base.fhir import json as fhir_json


@pytest.mark.parametrize(("text", "fen"), [
    ("12.34", 1234), ("¥12.3", 1230), ("￥1,234.50", 123450), ("12元", 1200), ("0", 0), ("-¥0.05", -5), (" 7 ", 700), ("0.1", 10),
])
def test_it_reads_what_people_write(text: str, fen: int) -> None:
    assert money.parse(text) == fen


@pytest.mark.parametrize("text", ["", "1.234", "12,34", "1e3", "nan", "12.", ".5", "¥", "１２", "1 2", "--1", "1,2345"])
def test_it_refuses_what_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError):
        money.parse(text)


def test_it_shows_signs_thousands_and_two_digits() -> None:
    assert [money.shown(fen) for fen in (0, 5, -5, 1234, 123456789)] == ["¥0.00", "¥0.05", "-¥0.05", "¥12.34", "¥1,234,567.89"]


@given(st.integers(-10**14, 10**14))
def test_nothing_is_lost_on_any_way(fen: int) -> None:
    assert money.parse(money.shown(fen)) == fen
    assert money.parse(money.plain(fen)) == fen
    assert money.from_fhir(fhir_json.loads(fhir_json.dumps(money.to_fhir(fen)))) == fen


@pytest.mark.parametrize("wrong", [
    {"value": Decimal("1.005"), "currency": "CNY"}, {"value": 1, "currency": "USD"}, {"currency": "CNY"}, {"value": "x"}, {"value": Decimal("NaN")},
])
def test_it_refuses_money_that_is_none_of_ours(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        money.from_fhir(wrong)


def test_halves_are_rounded_away_from_zero() -> None:
    exact = (Decimal("4888.5"), Decimal("4888.4999"), Fraction(-1, 2), Fraction(6111 * 80, 100))
    assert [money.rounded(one) for one in exact] == [4889, 4888, -1, 4889]
