"""Dates, numbers, ages and identifiers as people write them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kangyun.base import clock
from kangyun.base.web import charts, display


@pytest.fixture(autouse=True)
def noon() -> Iterator[None]:
    clock.set_source(lambda: datetime(2026, 11, 22, 4, 0, tzinfo=UTC))
    yield
    clock.set_source(None)


@pytest.mark.parametrize(
    ("text", "chinese", "english"),
    [
        ("2024-03-05", "2024年3月5日", "5 Mar 2024"),
        ("2024-03", "2024年3月", "Mar 2024"),
        ("2024", "2024年", "2024"),
        ("2024-03-04T22:30:00Z", "2024年3月5日", "5 Mar 2024"),
        ("", "", ""),
        ("rubbish", "", ""),
    ],
)
def test_dates_keep_their_precision_and_speak_chinas_time(text: str, chinese: str, english: str) -> None:
    assert display.written_date("zh", text) == chinese
    assert display.written_date("en", text) == english


def test_times_and_days() -> None:
    assert display.written_time("zh", "2024-03-04T22:30:00Z") == "2024年3月5日 06:30"
    assert display.written_time("en", "2024-03-05") == "5 Mar 2024"
    assert display.day_and_month("zh", "2024-03-05") == "3月5日"
    assert display.day_and_month("en", "2024-03-05") == "5 Mar"
    assert display.day_and_month("zh", "2024") == "2024年"


@pytest.mark.parametrize(
    ("born", "age"), [("2026-11-12", "10 天"), ("2026-05-22", "6 个月"), ("2023-12-01", "35 个月"), ("1953-11-23", "72 岁"), ("1953", "73 岁"), ("", "")],
)
def test_ages(born: str, age: str) -> None:
    assert display.age("zh", born) == age


@pytest.mark.parametrize(
    ("text", "words"),
    [("2026-11-22T03:59:30Z", "just now"), ("2026-11-22T03:10:00Z", "50 min ago"), ("2026-11-21T23:00:00Z", "5 h ago"), ("2026-11-01T00:00:00Z", "1 Nov 2026")],
)
def test_how_long_ago(text: str, words: str) -> None:
    assert display.ago("en", text) == words


@pytest.mark.parametrize(
    ("value", "text"), [(Decimal("1.50"), "1.50"), (12345, "12,345"), (1234, "1234"), (-56789.5, "-56,789.5"), (0.1, "0.1"), (None, "")],
)
def test_numbers_are_written_as_received(value: float | Decimal | None, text: str) -> None:
    assert display.written_number(value) == text


def test_rounding_is_for_lists_only() -> None:
    assert display.rounded(186.74145216555982) == "186.7"
    assert display.rounded(3.0) == "3"
    assert display.rounded(None) == ""


def test_identifiers_are_masked() -> None:
    assert display.masked("990101194506261234") == "990********1234"
    assert display.masked("12345678") == "******78"
    assert display.masked(None) == ""


@given(st.text(max_size=40))
def test_a_mask_never_shows_more_than_seven_signs(identifier: str) -> None:
    shown = display.masked(identifier.replace("*", ""))
    assert len(shown.replace("*", "")) <= 7


@given(st.text(max_size=30))
def test_any_text_can_be_asked_for_as_a_date(text: str) -> None:
    display.written_time("zh", text)
    display.age("en", text)


def test_a_spark_draws_values_and_band() -> None:
    drawn = charts.spark([(0, 5.0), (10, 9.0)], 4.0, 6.0)
    assert drawn
    assert [point.outside for point in drawn.points] == [False, True]
    assert drawn.band
    assert drawn.points[0].y > drawn.points[1].y
    assert charts.spark([]) is None


@given(st.lists(st.tuples(st.floats(0, 1e10), st.floats(-1e6, 1e6)), min_size=1, max_size=100), st.none() | st.floats(-1e6, 1e6))
def test_a_spark_stays_inside_its_frame(values: list[tuple[float, float]], high: float | None) -> None:
    drawn = charts.spark(values, None, high)
    assert drawn
    assert all(0 <= point.x <= drawn.width and 0 <= point.y <= drawn.height for point in drawn.points)
