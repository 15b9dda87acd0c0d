from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kangyun.commons.population import decisions
from kangyun.commons.population.model import ID_NUMBER_SYSTEM


@given(st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_noticed(place: int, change: int):
    number = "990121195603040423"
    wrong = number[:place] + str((int(number[place]) + change) % 10) + number[place + 1 :]
    assert not decisions.is_id_number(wrong)


@given(st.text(max_size=20))
def test_any_text_is_judged(text: str):
    if decisions.is_id_number(text):
        assert decisions.is_id_number(decisions.normal_id_number(text))
    decisions.is_credit_code(text)


def test_two_id_numbers_are_two_people():
    system = "urn:oid:2.16.156.10011.1.3"
    one, other = ({"identifier": [{"system": system, "value": value}]} for value in "12")
    assert decisions.contradicts(one, other)
    assert not decisions.contradicts(one, one)
    assert not decisions.contradicts(one, {"identifier": [{"system": "x", "value": "2"}]})


@pytest.mark.parametrize("number", ["0", "000000000000000000", "111111111111111111"])
def test_a_number_typed_for_nothing_tells_nobody(number: str) -> None:
    patient = {"identifier": [{"system": ID_NUMBER_SYSTEM, "value": number}, {"system": "urn:x", "value": "7", "type": {"coding": [{"code": "MR"}]}}]}
    assert [value for _, value in decisions.telling(patient)] == ["7"]
