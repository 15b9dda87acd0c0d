"""Small tables of national and international codes, for the words of spreadsheets and for suggestions to people."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from kangyun.base import rules
from kangyun.base.rules import Rule

_PACKAGE = "kangyun.commons.exchange"


@dataclass(frozen=True, slots=True)
class Term:
    """One code with its names."""

    system: str
    code: str
    name: str
    english: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """One table of terms; `contained`: a text may hold the name among other words; `alike`: from where on a name is like another."""

    name: str
    system: str
    all: tuple[Term, ...]
    by_word: dict[str, Term]
    contained: bool
    alike: float


def tables() -> list[str]:
    """The names of the tables there are: atc, icd10, loinc."""
    return [name.split("/")[1].removesuffix(".yaml") for name in rules.names(_PACKAGE) if name.startswith("terms/")]


@lru_cache(maxsize=16)
def terms(table: str) -> Terms:
    """A table of terms."""
    rule = rules.load(_PACKAGE, f"terms/{table}.yaml")
    system = str(rule.body["system"])
    found = tuple(
        Term(system, str(row["code"]), str(row["name"]), str(row.get("en", "")), tuple(map(str, row.get("words", ()))))
        for row in rule.table
    )
    words: dict[str, Term] = {}
    for term in found:
        for word in (term.code, term.name, *term.words):
            words.setdefault(word.lower().replace(" ", ""), term)
    return Terms(table, system, found, words, bool(rule.body.get("contained")), float(rule.body.get("alike", 0)))


def icd10() -> tuple[Term, ...]:
    """The common codes of diseases, for rooms that let people look for one."""
    return terms("icd10").all


@lru_cache(maxsize=65_536)
def term_of(table: str, text: str) -> Term | None:
    """The term that a text names exactly, or, where the table allows it, the only one that it contains."""
    known = terms(table)
    text = text.lower().replace(" ", "")
    found = known.by_word.get(text)
    if found is not None or not known.contained:
        return found
    inside = [word for word in known.by_word if len(word) > 1 and word in text]
    longest = [word for word in inside if not any(word in other for other in inside if other != word)]
    return known.by_word[longest[0]] if len(longest) == 1 else None


def check_example(rule: Rule, given: str) -> str | None:
    """The judge of the examples in rules/terms."""
    found = term_of(rule.id.rsplit(".", 1)[-1], given)
    return found.code if found else None
