"""Which public code a local one may mean: by its display, its abbreviation, its sound."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from rapidfuzz import fuzz

from kangyun.base import rules
from kangyun.base.text.pinyin import initials, syllables
from kangyun.commons.exchange.decisions.terms import Term, tables, terms

_PACKAGE = "kangyun.commons.exchange"
_FLOOR = 45.0
# A suggestion that one key accepts must be better than one among others.
SURE = 75


def table_of(role: str) -> str:
    """The table of terms that fits an element; empty where there is none."""
    row = rules.load(_PACKAGE, "coding.yaml").map.get(role) or {}
    return str(row.get("table") or "")


def suggestions(role: str, code: str, display: str, count: int = 5) -> list[tuple[Term, int]]:
    """The likeliest terms with how alike they are (0 to 100), best first."""
    table = table_of(role)
    if not table:
        return []
    known = terms(table)
    judged = ((_likeness(term, code.strip(), display.strip(), known.alike), term) for term in known.all)
    best = sorted((one for one in judged if one[0] >= _FLOOR), key=lambda one: (-one[0], one[1].code))
    return [(term, round(score)) for score, term in best[:count]]


def matching(role: str, asked: str, count: int = 20) -> list[Term]:
    """Terms that a person looks for by code, name, English name, abbreviation or pinyin initials."""
    wanted = asked.strip().lower()
    chosen = [table_of(role)] if table_of(role) else tables()
    found = [term for table in chosen for term in terms(table).all if wanted in _searched(term)]
    return sorted(found, key=lambda term: (not term.name.startswith(asked), len(term.name)))[:count]


def _likeness(term: Term, code: str, display: str, alike: float) -> float:
    words = [term.name, *term.words]
    display = _plain(display)
    by_word = max(max(fuzz.ratio(display, word, score_cutoff=alike), _inside(word, display)) for word in words) if display else 0.0
    if display and any(word == display for word in words):
        return 100.0
    same_code = any(code.lower() == word.lower() for word in words)
    by_sound = 70.0 if len(code) > 1 and code.isascii() and code.lower() in _sounds(term) else 0.0
    # An abbreviation and a name that point the same way strengthen each other.
    return min(99.0, max(by_word, 88.0 if same_code else 0.0, by_sound) + (8.0 if by_word > 60 and (same_code or by_sound) else 0.0))


def _inside(word: str, display: str) -> float:
    """A name within a longer one: the more of it, the better; what stands around it may change the meaning."""
    return 60.0 + 36.0 * len(word) / len(display) if len(word) > 1 and word in display else 0.0


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)
    return text.replace("II型", "2型").replace("I型", "1型")


@lru_cache(maxsize=4096)
def _sounds(term: Term) -> frozenset[str]:
    return frozenset(initials(syllables(word)) for word in (term.name, *term.words) if not word.isascii())


@lru_cache(maxsize=4096)
def _searched(term: Term) -> str:
    return " ".join([term.code, term.name, term.english, *term.words, *_sounds(term)]).lower()
