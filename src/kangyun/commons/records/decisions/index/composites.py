"""Collectors of composite parameters whose base repeats: what belongs together is stored together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from kangyun.commons.records.decisions.index import references, spans, tokens
from kangyun.commons.records.decisions.index.entries import Collected
from kangyun.commons.records.decisions.index.parameters import SPANNED, Pairing, Part, relative
from kangyun.commons.records.decisions.index.paths import Path
from kangyun.commons.records.decisions.index.slots import Slot
from kangyun.commons.records.decisions.index.tree import Collector, values
from kangyun.commons.records.model import hash64

# Between the texts of a pair of tokens; it cannot stand in a FHIR string.
SEPARATOR = "\x1f"



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
    seed, parts = slot.seed, [_places(part, pairing) for part in pairing.parts]

    def collect(item: Any, out: Collected) -> None:
        found = [list(_texts(places, item, out)) for places in parts]
        out.tokens += [hash64(SEPARATOR.join(pair)) ^ seed for pair in product(*found)]

    return collect


def _span(pairing: Pairing, slot: Slot) -> Collector:
    seed, (first, second) = slot.seed, (_places(part, pairing) for part in pairing.parts)

    def collect(item: Any, out: Collected) -> None:
        measured = list(_measured(second, item, out))
        if measured:
            for text in firsts(pairing, _texts(first, item, out)):
                out.spans += [(seed ^ hash64(text), *values) for values in measured]

    return collect


def firsts(pairing: Pairing, texts: Iterable[str]) -> set[str]:
    """What the spans of a pairing are kept under: whole texts, or bare codes where the token's own slot knows its system."""
    return {text.rpartition("|")[2] for text in texts} if pairing.base.single else set(texts)


def _window(pairing: Pairing, slot: Slot) -> Collector:
    """Two numbers of one base item share a span: the first is its lo, the second its hi."""
    seed, (first, second, third) = slot.seed, (_places(part, pairing) for part in pairing.parts)

    def collect(item: Any, out: Collected) -> None:
        lows = [found[0] for found in _measured(second, item, out)]
        highs = [found[0] for found in _measured(third, item, out)]
        for text, low, high in product(_texts(first, item, out), lows, highs):
            out.spans.append((seed ^ hash64(text), low, high, None, None, None))

    return collect


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a component's values stand: below an item of the base, or (`outside`) elsewhere in the resource (%resource)."""

    kind: str
    type: str
    path: Path
    outside: bool

    def values(self, item: Any, out: Collected) -> list[Any]:
        return values(self.path, out.resource if self.outside else item)


def _places(part: Part, pairing: Pairing) -> tuple[_Place, ...]:
    return tuple(_place(part.kind, use.slot, pairing.base) for use in part.uses)


def _place(kind: str, slot: Slot, base: Path) -> _Place:
    outside = slot.path.steps[: len(base.steps)] != base.steps
    return _Place(kind, slot.type, slot.path if outside else relative(slot, base), outside)


def _texts(places: tuple[_Place, ...], item: Any, out: Collected) -> Iterator[str]:
    for place in places:
        for value in place.values(item, out):
            yield from (references if place.kind == "reference" else tokens).texts(place.type, value)


def _measured(places: tuple[_Place, ...], item: Any, out: Collected) -> Iterator[spans.Measured]:
    for place in places:
        found = place.values(item, out)
        if found:
            read = spans.reader(place.kind, place.type)
            for value in found:
                yield from read(value)
