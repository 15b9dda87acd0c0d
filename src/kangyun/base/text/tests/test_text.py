"""Folding and pinyin."""

import pytest

from kangyun.base.text import fold, initials, person_syllables, sound


@pytest.mark.parametrize(("text", "folded"), [
    ("Ｄｕ  Marché ", "du marche"), ("Straße", "strasse"), ("Łódź", "lodz"), ("王 小明", "王 小明"), ("ÆØ", "aeo"), ("", ""),
])  # fmt: skip
def test_it_folds_what_people_take_for_the_same(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(("typed", "run"), [
    ("Wang Xiǎo'míng", "wangxiaoming"), ("Lǚ", "lv"), ("lyu", "lv"), ("nü", "nv"), ("王", None), ("abc1", None), ("", None),
])  # fmt: skip
def test_it_reads_pinyin_as_people_type_it(typed: str, run: str | None) -> None:
    assert sound(typed) == run


def test_a_surname_has_its_own_reading_only_at_the_beginning() -> None:
    assert person_syllables("单小单") == ("shan", "xiao", "dan")
    assert person_syllables("单", family=False) == ("dan",)
    assert initials(person_syllables("尉迟恭")) == "ycg"
