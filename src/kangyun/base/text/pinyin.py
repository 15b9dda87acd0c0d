"""Chinese by its sound: pinyin without tones, with the readings that characters have as surnames."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.base.text.folding import fold, has_chinese

_NOT_LETTERS = re.compile(r"[\s'’·\-]+")
_LETTERS = re.compile("[a-z]+")
_HAN = re.compile("[\u4e00-\u9fff]*")
# People type ü as v, u: or (in passports) yu after l and n; one spelling stands for all.
_UMLAUTS = (("u\u0308", "v"), ("u:", "v"), ("lyu", "lv"), ("nyu", "nv"))


@cache
def _surnames() -> dict[str, tuple[str, ...]]:
    table = rules.load("kangyun.base.text", "surnames.yaml").table
    return {row["surname"]: tuple(row["pinyin"].split()) for row in table}


@lru_cache(maxsize=8192)
def syllables(text: str) -> tuple[str, ...]:
    """The sound of a text, a syllable for each character: `王小明` -> (`wang`, `xiao`, `ming`).

    Runs of other letters and digits stay one part; signs are dropped.
    """
    read = _read_words() if len(text) > 1 else _read_characters()
    return tuple(part for raw in read(text) for part in _parts(raw))


@cache
def _read_characters() -> Callable[[str], list[str]]:
    # A copy is for those who add words of their own; words come when one is read: a process that reads names alone needs none.
    os.environ.update(PYPINYIN_NO_DICT_COPY="1", PYPINYIN_NO_PHRASES="1")
    from pypinyin import lazy_pinyin  # noqa: PLC0415 - its dictionaries take a good part of the time to start

    return lazy_pinyin


@cache
def _read_words() -> Callable[[str], list[str]]:
    read = _read_characters()
    from pypinyin import load_phrases_dict  # noqa: PLC0415
    from pypinyin.phrases_dict import phrases_dict  # noqa: PLC0415

    # Its 144,000 readings are lists of one text each, of which 1,249 differ: held once they take 18 MB less.
    shared: dict[str, list[str]] = {}
    for readings in phrases_dict.values():
        readings[:] = [shared.setdefault(" ".join(one), one) for one in readings]
    load_phrases_dict(phrases_dict)
    return read


def _parts(raw: str) -> list[str]:
    if raw.isascii() and raw.isalnum():
        return [raw.lower()]
    return [part for part in re.split(r"[\W_]+", fold(raw)) if part]


@lru_cache(maxsize=4096)
def person_syllables(name: str, *, family: bool = True) -> tuple[str, ...]:
    """Like `syllables`, for a person's name that begins with the surname when `family` is true: `单雄信` -> `shan` ..."""
    known = _surnames() if family else {}
    for length in (2, 1):
        if name[:length] in known:
            return known[name[:length]] + _given(name[length:])
    return _given(name)


def _given(name: str) -> tuple[str, ...]:
    """Given names are not phrases: each character by itself, which is learnt once, is as good and much quicker."""
    return tuple(part for character in name for part in _character(character)) if _HAN.fullmatch(name) else syllables(name)


@cache
def _character(character: str) -> tuple[str, ...]:
    return syllables(character)


def initials(parts: Sequence[str]) -> str:
    """The first letter of each syllable: (`wang`, `xiao`, `ming`) -> `wxm`."""
    return "".join([part[0] for part in parts])


@lru_cache(maxsize=4096)
def sound(typed: str) -> str | None:
    """What was typed, as a run of pinyin letters (`Wang Xiǎo'míng` -> `wangxiaoming`), or None when it is not pinyin."""
    if has_chinese(typed):
        return None
    text = unicodedata.normalize("NFD", typed.lower())
    for written, kept in _UMLAUTS:
        text = text.replace(written, kept)
    run = _NOT_LETTERS.sub("", fold(text))
    return run if _LETTERS.fullmatch(run) else None


def check_surname(_rule: rules.Rule, given: Any) -> str:
    """The judge of the examples in rules/surnames.yaml: a name -> its pinyin with spaces."""
    return " ".join(person_syllables(given))
