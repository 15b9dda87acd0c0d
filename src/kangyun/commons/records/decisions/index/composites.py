"""Collectors of composite parameters whose base repeats: what belongs together is stored together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, TypeAlias

from kangyun.commons.records.decisions.index import references, spans, tokens
from kangyun.commons.records.decisions.index.entries import Collected
from kangyun.commons.records.decisions.index.parameters import SPANNED, Pairing, Part, relative
from kangyun.commons.records.decisions.index.paths import Path
from kangyun.commons.records.decisions.index.slots import Slot
from kangyun.commons.records.decisions.index.tree import Collector, values
from kangyun.commons.records.model import hash64

# Between the texts of a pair of tokens; it cannot stand in a FHIR string.
SEPARATOR = "\x1f"
_NOTHING: list[Any] = []


def shape(pairing: Pairing) -> str:
    """How pairs are kept: tokens (token$token, token$reference), span (token$quantity, ...) or window (token$number$number)."""
    kinds = [part.kind for part in pairing.parts]
    if not any(kind in SPANNED for kind in kinds):
        return "tokens"
    return "span" if len(kinds) == 2 else "window"


def collector(pairing: Pairing, slot: Slot) -> Collector:
    """The collector at the base of a composite."""
    return {"tokens": _tokens, "span": _span, "window": _window}[shape(pairing)](pairing, slot)


def _tokens(pairing: Pairing, slot: Slot) -> Collector:
    seed, (first, second) = slot.seed, ([_texts(place) for place in _places(part, pairing)] for part in pairing.parts)

    def collect(item: Any, out: Collected) -> None:
        seconds = _all(second, item, out)
        if seconds:
            pairs = product(_all(first, item, out), seconds)
            out.tokens += [hash64(SEPARATOR.join(pair)) ^ seed for pair in pairs]

    return collect


def _span(pairing: Pairing, slot: Slot) -> Collector:
    seed, first, second = slot.seed, *_parts(pairing)

    def collect(item: Any, out: Collected) -> None:
        measured = _all(second, item, out)
        if measured:
            for text in firsts(pairing, _all(first, item, out)):
                param = seed ^ hash64(text)
                out.spans += [(param, *values) for values in measured]

    return collect


def firsts(pairing: Pairing, texts: Iterable[str]) -> set[str]:
    """What the spans of a pairing are kept under: whole texts, or bare codes where the token's own slot knows its system."""
    return {text.rpartition("|")[2] for text in texts} if pairing.base.single else set(texts)


def _window(pairing: Pairing, slot: Slot) -> Collector:
    """Two numbers of one base item share a span: the first is its lo, the second its hi."""
    seed, first, second, third = slot.seed, *_parts(pairing)

    def collect(item: Any, out: Collected) -> None:
        lows = [found[0] for found in _all(second, item, out)]
        highs = [found[0] for found in _all(third, item, out)]
        for text, low, high in product(_all(first, item, out), lows, highs):
            out.spans.append((seed ^ hash64(text), low, high, None, None, None))

    return collect


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a component's values stand: below an item of the base, or (`outside`) elsewhere in the resource (%resource)."""

    kind: str
    type: str
    path: Path
    outside: bool


_Reader: TypeAlias = Callable[[Any, Collected], list[Any]]


def _parts(pairing: Pairing) -> list[list[_Reader]]:
    """Readers of texts for the first component, of ranges for the others."""
    first, *others = ([*_places(part, pairing)] for part in pairing.parts)
    return [[_texts(place) for place in first], *([_measured(place) for place in places] for places in others)]


def _all(readers: list[_Reader], item: Any, out: Collected) -> list[Any]:
    return [found for read in readers for found in read(item, out)]


def _places(part: Part, pairing: Pairing) -> tuple[_Place, ...]:
    return tuple(_place(part.kind, use.slot, pairing.base) for use in part.uses)


def _place(kind: str, slot: Slot, base: Path) -> _Place:
    outside = slot.path.steps[: len(base.steps)] != base.steps
    return _Place(kind, slot.type, slot.path if outside else relative(slot, base), outside)


def _texts(place: _Place) -> _Reader:
    """Reads the texts by which the values of a place may be asked."""
    return _each(place, partial((references if place.kind == "reference" else tokens).texts, place.type))


def _measured(place: _Place) -> _Reader:
    """Reads the ranges of the values of a place."""
    return _each(place, spans.reader(place.kind, place.type))


def _each(place: _Place, of: Callable[[Any], Iterable[Any]]) -> _Reader:
    """Reads what `of` says of each value of a place. Most places are one element, and most of those are not there."""
    path, outside = place.path, place.outside
    name = path.steps[0] if len(path.steps) == 1 else None
    if not isinstance(name, str):
        return lambda item, out: [found for value in values(path, out.resource if outside else item) for found in of(value)]

    def read(item: Any, out: Collected) -> list[Any]:
        value = (out.resource if outside else item).get(name)
        if value is None:
            return _NOTHING
        return [found for one in value for found in of(one)] if value.__class__ is list else [*of(value)]

    return read
