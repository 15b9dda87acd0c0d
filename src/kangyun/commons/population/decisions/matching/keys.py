"""Blocking: two Patients are compared only when they have a key in common, so that nobody is compared with everybody."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from struct import unpack

from kangyun.commons.population.decisions.matching.features import Features
from kangyun.commons.population.decisions.matching.names import loose_letters, loose_words


def blocking_keys(one: Features) -> list[int]:
    """The keys of a Patient as signed 64-bit numbers, sorted; empty when too little is known to look for anybody."""
    return _hashes({*_texts(one)})


def meeting_keys(one: Features) -> list[int]:
    """The few of them by which bulk imports wait for each other: birth date with surname, else the name with the year.

    All of them would be thousands of locks for one slice of a table.
    """
    texts = [f"s{birth}{one.surname}" for birth in one.births if one.name]
    return _hashes({*(texts or [f"y{_letters(one)}{year}" for year in one.years if one.name])})


def _hashes(texts: set[str]) -> list[int]:
    digests = b"".join([blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() for text in texts])
    return sorted({*unpack(f">{len(texts)}q", digests)})


def _texts(one: Features) -> Iterator[str]:
    yield from _of_number(one.id_number)
    yield from (f"d{document}" for document in one.documents)
    yield from _of_name(one)
    yield from _of_birth(one)


def _of_number(number: str) -> Iterator[str]:
    """Any slip in one place, or of two neighbours, leaves one of these parts whole, each rare enough by itself."""
    if number:
        yield f"a{number[:14]}"
        yield f"b{number[6:10]}{number[14:17]}"
        yield f"c{number[10:17]}"
        yield f"e{number[:6]}{''.join(sorted(number[6:17]))}"


def _of_name(one: Features) -> Iterator[str]:
    """The letters of the name, which bear homophones, accents and a turned order, with year, day, telephone or village."""
    if not one.name:
        return
    letters = _letters(one)
    for year in {*one.years, one.birth_lunar[:4]} - {""}:
        yield f"y{letters}{year}"
    for birth in one.births:
        yield f"m{letters}{''.join(sorted((birth[5:7], birth[8:10])))}"
    for village in one.villages or one.towns:
        yield f"v{letters}{village}"
    for phone in one.phones:
        yield f"p{one.surname}{phone}"
        yield f"g{one.given}{phone}"


def _letters(one: Features) -> str:
    """Those of the sound as many speak it, of a name in pinyin the same as of the one in characters."""
    return loose_letters(loose_words(one.name) if one.name.isascii() else one.loose)


def _of_birth(one: Features) -> Iterator[str]:
    """The birth date with each part of the name, so that the other may be quite wrong, or with family and place."""
    for birth in one.births:
        if one.name:
            yield f"s{birth}{one.surname}"
            yield f"n{birth}{one.given}"
        yield from (f"t{birth}{phone}" for phone in one.phones)
        yield from (f"w{birth}{village}" for village in one.villages)
        yield from (f"r{birth}{parent}" for parent in (*one.parent_numbers, *one.parent_names))
