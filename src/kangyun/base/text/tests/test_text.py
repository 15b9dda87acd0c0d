"""Folding and pinyin."""

import subprocess
import sys

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


def test_whoever_reads_names_alone_does_not_load_the_words():
    said = (
        "from kangyun.base.text import pinyin; print(*pinyin.person_syllables('单雄信'));"
        "from pypinyin.constants import PHRASES_DICT; print(len(PHRASES_DICT));"
        "print(*pinyin.syllables('重庆'), *pinyin.syllables('重'), len(PHRASES_DICT) > 40000)"
    )
    told = subprocess.run([sys.executable, "-c", said], check=True, capture_output=True, text=True).stdout
    assert told.splitlines() == ["shan xiong xin", "0", "chong qing zhong True"]
