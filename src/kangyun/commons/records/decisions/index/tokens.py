"""Collectors of token and uri parameters.

A value is stored under each text by which it may be asked: `code`, `system|code` (or `|code` without a system), and
`system|` for any code of the system. The empty text stands for "there is a value" and answers :missing. Values of
identifiers and contact points tell who somebody is and stand under keyed numbers (`blind`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from kangyun.base.text import fold
from kangyun.commons.records.decisions.index import blind
from kangyun.commons.records.decisions.index.entries import Collected
from kangyun.commons.records.decisions.index.slots import PRIMITIVE_TOKENS, Slot, letters_of, seed_of
from kangyun.commons.records.decisions.index.tree import Collector
from kangyun.commons.records.model import hash64

Json: TypeAlias = dict[str, Any]

PRESENT = hash64("")
# Longer texts are cut in the index; the search refuses longer needles.
LEXEME_LENGTH = 200
TEXT = ":text"
OF_TYPE = ":of-type"
IDENTIFIER = ":identifier"


def collector(slot: Slot) -> Collector:
    """The collector for the FHIR type of a slot."""
    if slot.type in PRIMITIVE_TOKENS:
        return _primitive(slot)
    return {"Coding": _coding, "CodeableConcept": _concept, "Identifier": _identifier, "ContactPoint": _contact}[
        slot.type
    ](slot)


def _primitive(slot: Slot) -> Collector:
    seed, present = slot.seed, PRESENT ^ slot.seed

    def collect(value: Any, out: Collected) -> None:
        out.tokens += (hash64(plain(value)) ^ seed, present)

    return collect


def plain(value: Any) -> str:
    """A primitive as it is written in a search: true, false or the text."""
    if value is True:
        return "true"
    return "false" if value is False else str(value)


def _coding(slot: Slot) -> Collector:
    seed, present, letters = slot.seed, PRESENT ^ slot.seed, letters_of(slot.name + TEXT)

    def collect(coding: Json, out: Collected) -> None:
        out.tokens.append(present)
        _add_coding(coding, seed, letters, out)

    return collect


def _concept(slot: Slot) -> Collector:
    seed, present, letters = slot.seed, PRESENT ^ slot.seed, letters_of(slot.name + TEXT)

    def collect(concept: Json, out: Collected) -> None:
        out.tokens.append(present)
        for coding in concept.get("coding", ()):
            _add_coding(coding, seed, letters, out)
        text = concept.get("text")
        if text:
            out.strings.append(f"{letters}:{fold(text)[:LEXEME_LENGTH]}")

    return collect


def _add_coding(coding: Json, seed: int, letters: str, out: Collected) -> None:
    code, system, display = coding.get("code"), coding.get("system"), coding.get("display")
    if system:
        out.tokens.append(hash64(system + "|") ^ seed)
    if code:
        out.tokens += (hash64(code) ^ seed, hash64(f"{system or ''}|{code}") ^ seed)
    if display:
        out.strings.append(f"{letters}:{fold(display)[:LEXEME_LENGTH]}")


def _identifier(slot: Slot) -> Collector:
    seed, present, letters = slot.seed, PRESENT ^ slot.seed, letters_of(slot.name + TEXT)
    typed = seed_of(slot.name + OF_TYPE)

    def collect(identifier: Json, out: Collected) -> None:
        out.tokens.append(present)
        value, system = identifier.get("value"), identifier.get("system")
        if system:
            out.tokens.append(hash64(system + "|") ^ seed)
        if value:
            out.tokens += (blind.number(value) ^ seed, blind.number(f"{system or ''}|{value}") ^ seed)
        kind = identifier.get("type")
        if kind:
            _add_identifier_type(kind, value, typed, letters, out)

    return collect


def _add_identifier_type(kind: Json, value: str | None, typed: int, letters: str, out: Collected) -> None:
    for coding in kind.get("coding", ()):
        if value:
            out.tokens.append(blind.number(f"{coding.get('system', '')}|{coding.get('code', '')}|{value}") ^ typed)
    if kind.get("text"):
        out.strings.append(f"{letters}:{fold(kind['text'])[:LEXEME_LENGTH]}")


def _contact(slot: Slot) -> Collector:
    seed, present = slot.seed, PRESENT ^ slot.seed

    def collect(contact: Json, out: Collected) -> None:
        value, system = contact.get("value"), contact.get("system")
        out.tokens.append(present)
        if system:
            out.tokens.append(hash64(system + "|") ^ seed)
        if value:
            text = contact_text(value)
            out.tokens += (blind.number(text) ^ seed, blind.number(f"{system or ''}|{text}") ^ seed)

    return collect


def contact_text(value: str) -> str:
    """A telephone number or address without blanks and hyphens, in lower case: people write them in many ways."""
    return value.lower().replace(" ", "").replace("-", "")


def uri(slot: Slot) -> Collector:
    """Exact by token; :below by a lexeme; the resource's own url is a link, so that canonical references find it."""
    seed, present, letters = slot.seed, PRESENT ^ slot.seed, slot.letters
    own = slot.path.steps == ("url",)

    def collect(value: str, out: Collected) -> None:
        number = hash64(value)
        out.tokens += (number ^ seed, present)
        out.strings.append(f"{letters}:{value[:LEXEME_LENGTH]}")
        if own:
            out.links.append(number)

    return collect


def deceased(slot: Slot) -> Callable[[Json, Collected], None]:
    """Collects from the whole resource: true when deceased is a date or true."""
    yes, no = hash64("true") ^ slot.seed, hash64("false") ^ slot.seed
    present = PRESENT ^ slot.seed

    def collect(resource: Json, out: Collected) -> None:
        dead = "deceasedDateTime" in resource or resource.get("deceasedBoolean", False)
        out.tokens += (yes if dead else no, present)

    return collect


def texts(kind: str, value: Any) -> list[str]:
    """The texts by which a token value may be asked inside a composite: without `system|` and presence."""
    if kind == "CodeableConcept":
        return [text for coding in value.get("coding", ()) for text in texts("Coding", coding)]
    if kind in PRIMITIVE_TOKENS:
        return [plain(value)]
    code, system = value.get("code") if kind == "Coding" else value.get("value"), value.get("system")
    if not code:
        return []
    text = contact_text(code) if kind == "ContactPoint" else code
    return [text, f"{system or ''}|{text}"]
