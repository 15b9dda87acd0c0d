"""Collectors of string parameters.

A lexeme is the slot's four letters, a mark and the folded text, cut to LEXEME_LENGTH characters. Marks:
`:` the whole text; `.` its tail from a later Chinese character on; `~` its pinyin; `-` pinyin of a tail, and initials.
:exact is answered by a token of the unchanged text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeAlias

from kangyun.base.text import fold, has_chinese, initials, is_chinese, person_syllables, syllables
from kangyun.commons.records.decisions.index import blind
from kangyun.commons.records.decisions.index.entries import Collected
from kangyun.commons.records.decisions.index.slots import Slot
from kangyun.commons.records.decisions.index.tokens import LEXEME_LENGTH, PRESENT
from kangyun.commons.records.decisions.index.tree import Collector
from kangyun.commons.records.model import hash64

Json: TypeAlias = dict[str, Any]

# A name has a tail for each character; beyond this length a text is no name.
TAILED_LENGTH = 60
# After these a new part of a Chinese address begins.
_ADDRESS_PART = re.compile("(?<=[省市区县旗镇乡村路街道巷])(?=[^道巷])")


def collector(slot: Slot) -> Collector:
    """The collector of one string element."""
    if slot.style == "plain":
        return _plain(slot)
    if slot.veiled:
        return _veiled(slot)
    seed, present, letters, style = slot.seed, PRESENT ^ slot.seed, slot.letters, slot.style
    family = slot.name.endswith((".family", ".text"))

    def collect(value: str, out: Collected) -> None:
        out.tokens += (hash64(value) ^ seed, present)
        out.strings += lexemes(letters, style, value, family=family)

    return collect


def _veiled(slot: Slot) -> Collector:
    """Somebody's address: found by its beginning, readable only with the key."""
    seed, present, letters, style = slot.seed, PRESENT ^ slot.seed, slot.letters, slot.style

    def collect(value: str, out: Collected) -> None:
        out.tokens += (blind.number(value) ^ seed, present)
        out.strings += [blind.veiled(one) for one in lexemes(letters, style, value, family=False)]

    return collect


def _plain(slot: Slot) -> Collector:
    seed, present, letters = slot.seed, PRESENT ^ slot.seed, slot.letters

    def collect(value: str, out: Collected) -> None:
        out.tokens += (hash64(value) ^ seed, present)
        out.strings.append(f"{letters}:{fold(value)[:LEXEME_LENGTH]}")

    return collect


@lru_cache(maxsize=8192)
def lexemes(letters: str, style: str, value: str, *, family: bool) -> tuple[str, ...]:
    """All lexemes of a text."""
    folded = squeeze(fold(value))[:LEXEME_LENGTH]
    whole = f"{letters}:{folded}"
    if not has_chinese(folded):
        return (whole,)
    if style == "address":
        return (whole, *(f"{letters}.{tail}" for tail in _tails_of_address(folded)))
    tails = (f"{letters}.{tail}" for tail in _tails(folded[:TAILED_LENGTH]))
    return (whole, *tails, *_sounds(letters, style, folded[:TAILED_LENGTH], family=family))


def squeeze(folded: str) -> str:
    """Chinese is written without blanks: `王 小明` becomes `王小明`."""
    return folded.replace(" ", "") if has_chinese(folded) else folded


def _tails(folded: str) -> Iterator[str]:
    return (folded[at:] for at in range(1, len(folded)) if is_chinese(folded[at]))


def _tails_of_address(folded: str) -> Iterator[str]:
    return (folded[cut.start():] for cut in _ADDRESS_PART.finditer(folded))


def _sounds(letters: str, style: str, folded: str, *, family: bool) -> Iterator[str]:
    parts = person_syllables(folded, family=family) if style == "person" else syllables(folded)
    if not parts:
        return
    first = initials(parts)
    yield f"{letters}~{''.join(parts)}"
    if style == "person":
        yield from (f"{letters}-{''.join(parts[at:])}" for at in range(1, len(parts)))
        yield from (f"{letters}-{first[at:]}" for at in range(len(first) - 1))
    elif len(parts) > 1:
        yield f"{letters}-{first}"


def full_name(slot: Slot) -> Collector:
    """At a HumanName without text: 王 and 小明 are also found as 王小明; the lexemes are those of `text`."""
    letters = slot.letters

    def collect(name: Json, out: Collected) -> None:
        family = name.get("family")
        if family and "text" not in name and has_chinese(family):
            given = "".join(part for part in name.get("given", ()) if part)
            if given:
                out.strings += lexemes(letters, "person", family + given, family=True)

    return collect
