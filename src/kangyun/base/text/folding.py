"""Folding: two texts that people take for the same become equal."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

# Letters that Unicode does not decompose although people type them without the stroke.
_STROKES = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ŧ": "t", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d"}
)

# Nothing to decompose: the usual case of Chinese text, kept fast.
_SIMPLE = re.compile("[\x20-\x7e\u4e00-\u9fff]*")

# CJK ideographs: the basic block, extension A, compatibility ideographs, and the planes above U+20000; also 〇.
_CHINESE = re.compile("[\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


@lru_cache(maxsize=4096)
def fold(text: str) -> str:
    """Lower case, no accents, half width, single spaces: `Ｄｕ  Marché` becomes `du marche`.

    Chinese characters stay as they are (compatibility variants become the usual character).
    """
    if text.isascii() or _SIMPLE.fullmatch(text):
        return " ".join(text.lower().split())
    parts = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(char for char in parts if not unicodedata.combining(char))
    return " ".join(unicodedata.normalize("NFKC", bare.casefold()).translate(_STROKES).split())


def is_chinese(char: str) -> bool:
    """Whether one character is a Chinese ideograph."""
    return _CHINESE.match(char) is not None


def has_chinese(text: str) -> bool:
    """Whether a text holds at least one Chinese ideograph."""
    return not text.isascii() and _CHINESE.search(text) is not None
