"""Codes of diagnoses: their shape, and finding them by code, name, other words or pinyin initials."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from kangyun.base.text import pinyin
from kangyun.commons.exchange import icd10

_SHAPE = re.compile(r"[A-Z]\d\d(?:\.[0-9xX][0-9A-Za-z]{0,8})?")


@dataclass(frozen=True, slots=True)
class Code:
    """A code of ICD-10 with its names."""

    code: str
    name: str
    english: str


def is_code(text: str) -> bool:
    """Whether a text has the shape of an ICD-10 code, national editions included."""
    return _SHAPE.fullmatch(text) is not None


@cache
def _known() -> tuple[tuple[str, Code], ...]:
    """Each code with everything that it may be looked for by."""
    return tuple(
        ("|".join([one.code, one.name, one.english, *one.words, pinyin.initials(pinyin.syllables(one.name))]).lower(), Code(one.code, one.name, one.english))
        for one in icd10()
    )


def search(text: str, most: int = 20) -> list[Code]:
    """The codes that a text may mean, those whose code or name begins with it first."""
    wanted = text.strip().lower()
    if not wanted:
        return []
    found = [(said, one) for said, one in _known() if wanted in said]
    found.sort(key=lambda pair: not any(part.startswith(wanted) for part in pair[0].split("|")))
    return [one for _, one in found[:most]]


def name_of(code: str) -> str:
    """The name of a code; '' for one that is not in the table."""
    return next((one.name for _, one in _known() if one.code == code), "")
