"""Collectors of reference parameters: literal references, canonical ones, logical ones by identifier."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, TypeAlias

from kangyun.commons.records.decisions.index import blind
from kangyun.commons.records.decisions.index.entries import Collected
from kangyun.commons.records.decisions.index.slots import Slot, seed_of
from kangyun.commons.records.decisions.index.tokens import IDENTIFIER, PRESENT
from kangyun.commons.records.decisions.index.tree import Collector
from kangyun.commons.records.model import hash64, is_type

Json: TypeAlias = dict[str, Any]

_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(/_history/[A-Za-z0-9\-.]{1,64})?")


class _Bases:
    """Addresses of this server: absolute references below them are local ones."""

    own: tuple[str, ...] = ()


def set_bases(*bases: str) -> None:
    """Say under which addresses this server is reached, such as https://example.org/fhir."""
    _Bases.own = tuple(base.rstrip("/") + "/" for base in bases)
    literal.cache_clear()


@lru_cache(maxsize=8192)
def literal(text: str) -> tuple[str | None, str, str | None]:
    """(type, text to find it by, the same with its version) of a reference; type is None for one that is not local."""
    for base in _Bases.own:
        text = text.removeprefix(base)
    local = _LOCAL.fullmatch(text)
    if local is None or not is_type(local[1]):
        return None, text, None
    return local[1], f"{local[1]}/{local[2]}", text if local[3] else None


def collector(slot: Slot, *, typed: bool, compartment: bool) -> Collector:
    """Collects references. With `typed`, presence is kept for each target type, because some parameter asks for one."""
    if slot.type == "Reference":
        return _reference(slot, typed=typed, compartment=compartment)
    return _inline(slot) if slot.type == "Resource" else _canonical(slot)


def _reference(slot: Slot, *, typed: bool, compartment: bool) -> Collector:
    seed, present = slot.seed, PRESENT ^ slot.seed
    logical = seed_of(slot.name + IDENTIFIER)

    def collect(reference: Json, out: Collected) -> None:
        text, identifier = reference.get("reference"), reference.get("identifier")
        type_ = None
        if text and text[0] != "#":
            type_ = _add_literal(text, seed, out)
            if compartment and type_ == "Patient":
                out.residents.append(out.links[-1])
        out.tokens.append(hash64(type_ + "/") ^ seed if typed and type_ else present)
        if identifier:
            _add_identifier(identifier, logical, out)

    return collect


def _add_literal(text: str, seed: int, out: Collected) -> str | None:
    type_, found, versioned = literal(text)
    key = hash64(found)
    out.tokens.append(key ^ seed)
    if type_:
        out.links.append(key)
    if versioned:
        out.tokens.append(hash64(versioned) ^ seed)
    return type_


def _add_identifier(identifier: Json, seed: int, out: Collected) -> None:
    value, system = identifier.get("value"), identifier.get("system")
    if system:
        out.tokens.append(hash64(system + "|") ^ seed)
    if value:
        out.tokens += (blind.number(value) ^ seed, blind.number(f"{system or ''}|{value}") ^ seed)


def _canonical(slot: Slot) -> Collector:
    seed, present = slot.seed, PRESENT ^ slot.seed

    def collect(value: str, out: Collected) -> None:
        if value.startswith("#"):
            return
        bare, _, version = value.partition("|")
        number = hash64(bare)
        out.links.append(number)
        out.tokens += (number ^ seed, present)
        if version:
            out.tokens.append(hash64(value) ^ seed)

    return collect


def _inline(slot: Slot) -> Collector:
    """Bundle.entry[0].resource: the document's Composition or the message's header, by type and id."""
    seed, present = slot.seed, PRESENT ^ slot.seed

    def collect(resource: Json, out: Collected) -> None:
        out.tokens.append(present)
        if "id" in resource:
            key = hash64(f"{resource.get('resourceType')}/{resource['id']}")
            out.tokens.append(key ^ seed)
            out.links.append(key)

    return collect


def texts(kind: str, value: Any) -> list[str]:
    """The texts by which a reference may be asked inside a composite."""
    if kind != "Reference":
        return [value, value.partition("|")[0]]
    text = value.get("reference")
    return [literal(text)[1]] if text and text[0] != "#" else []
