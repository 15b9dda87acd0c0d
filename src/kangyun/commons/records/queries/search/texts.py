"""Values of string parameters, and of :text and :below, -> text queries over the lexemes."""

from __future__ import annotations

from collections.abc import Iterator

from kangyun.base.text import fold, is_chinese, person_syllables, sound
from kangyun.commons.records.decisions.index import blind
from kangyun.commons.records.decisions.index.parameters import Parameter
from kangyun.commons.records.decisions.index.slots import Slot, letters_of
from kangyun.commons.records.decisions.index.strings import squeeze
from kangyun.commons.records.decisions.index.tokens import LEXEME_LENGTH, TEXT
from kangyun.commons.records.model import hash64
from kangyun.commons.records.queries.search.conditions import (
    Condition,
    Contains,
    HasLexeme,
    HasToken,
    Inside,
    any_of,
)
from kangyun.commons.records.queries.search.refusals import bad_modifier, bad_value, too_long
from kangyun.commons.records.queries.search.syntax import unescape
from kangyun.commons.records.queries.search.tokens import web_address


def starts(parameter: Parameter, name: str, text: str) -> Condition:
    """The text begins so, case and accents aside; in names at any Chinese character, or by pinyin or initials."""
    heads = [head for use in parameter.uses for head in _known(use.slot, _heads(use.slot, _needle(name, text), unescape(text)))]
    return prefixes(heads)


def _known(slot: Slot, heads: Iterator[str]) -> Iterator[str]:
    """The heads as the index has them."""
    return (known for head in heads for known in blind.both(head)) if slot.veiled else heads


def _heads(slot: Slot, needle: str, typed: str) -> Iterator[str]:
    if slot.style == "plain":
        yield f"{slot.letters}:{needle}"
        return
    needle = squeeze(needle)
    yield f"{slot.letters}:{needle}"
    if is_chinese(needle[0]) or slot.style == "address":
        yield f"{slot.letters}.{needle}"
    letters = sound(typed) if slot.style != "address" else None
    if letters:
        yield from (f"{slot.letters}~{letters}", f"{slot.letters}-{letters}")


def phonetic(parameter: Parameter, name: str, text: str) -> Condition:
    """Names that sound the same: 王晓明 finds 王小明; other scripts as `starts` does."""
    needle = squeeze(_needle(name, text))
    if not is_chinese(needle[0]):
        return starts(parameter, name, text)
    letters = "".join(person_syllables(needle))
    return prefixes([f"{use.slot.letters}{mark}{letters}" for use in parameter.uses for mark in "~-"])


def contains(parameter: Parameter, name: str, text: str) -> Condition:
    """The text has the needle anywhere, case and accents aside."""
    plain = tuple(f"{use.slot.letters}:" for use in parameter.uses if use.slot.style == "plain")
    tailed = [use.slot for use in parameter.uses if use.slot.style != "plain" and not use.slot.veiled]
    veiled = tuple(use.slot.path for use in parameter.uses if use.slot.veiled)
    needle = _needle(name, text)
    parts: list[Condition] = [Contains(plain, needle)] if plain else []
    if veiled:
        parts.append(Inside(veiled, squeeze(needle)))
    if tailed:
        parts.append(_contains_tailed(tailed, squeeze(needle)))
    return any_of(parts)


def _contains_tailed(slots: list[Slot], needle: str) -> Condition:
    # Every place where a Chinese needle can begin in a name has a lexeme of its own.
    if is_chinese(needle[0]) and all(slot.style != "address" for slot in slots):
        return prefixes([f"{slot.letters}{mark}{needle}" for slot in slots for mark in ":."])
    return Contains(tuple(f"{slot.letters}:" for slot in slots), needle)


def exact(parameter: Parameter, text: str) -> Condition:
    """The same text, sign for sign."""
    value = unescape(text)
    found = [(use.slot, number) for use in parameter.uses for number in (blind.numbers(value) if use.slot.telling else (hash64(value),))]
    return HasToken(tuple(dict.fromkeys(number ^ slot.seed for slot, number in found)))


def of_token(parameter: Parameter, name: str, text: str) -> Condition:
    """:text of a token: a display or text begins so."""
    slots = [use.slot for use in parameter.uses if use.slot.type in {"Coding", "CodeableConcept", "Identifier"}]
    if not slots:
        raise bad_modifier(name, "text")
    needle = _needle(name, text)
    return prefixes([f"{letters_of(slot.name + TEXT)}:{needle}" for slot in slots])


def below(parameter: Parameter, name: str, text: str) -> Condition:
    """The address itself and those that go on behind a slash."""
    value = web_address(name, text)
    if len(value) >= LEXEME_LENGTH:
        raise too_long(name)
    slots = [use.slot for use in parameter.uses]
    whole = [quoted(f"{slot.letters}:{value}") for slot in slots]
    deeper = [quoted(f"{slot.letters}:{value}/") + ":*" for slot in slots]
    return HasLexeme(" | ".join(whole + deeper))


def _needle(name: str, text: str) -> str:
    needle = fold(unescape(text))
    if not needle:
        raise bad_value(name)
    if len(needle) > LEXEME_LENGTH:
        raise too_long(name)
    return needle


def prefixes(heads: list[str]) -> Condition:
    """A lexeme that begins with one of the heads."""
    return HasLexeme(" | ".join(quoted(head) + ":*" for head in dict.fromkeys(heads)))


def quoted(lexeme: str) -> str:
    """A lexeme as it stands in a tsquery."""
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
