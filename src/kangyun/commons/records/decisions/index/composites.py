"""Collectors of composite parameters whose base repeats: what belongs together is stored together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

from kangyun.commons.records.decisions.index import references, spans, tokens
from kangyun.commons.records.decisions.index.entries import Collected
from kangyun.commons.records.decisions.index.parameters import SPANNED, Pairing, Part, relative
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
    seed, parts, base = slot.seed, pairing.parts, pairing

    def collect(item: Any, out: Collected) -> None:
        found = [list(_texts(part, base, item, out)) for part in parts]
        out.tokens += [hash64(SEPARATOR.join(pair)) ^ seed for pair in product(*found)]

    return collect


def _span(pairing: Pairing, slot: Slot) -> Collector:
    seed, (first, second), base = slot.seed, pairing.parts, pairing

    def collect(item: Any, out: Collected) -> None:
        measured = list(_measured(second, base, item, out))
        if measured:
            for text in firsts(base, _texts(first, base, item, out)):
                out.spans += [(seed ^ hash64(text), *values) for values in measured]

    return collect


def firsts(pairing: Pairing, texts: Iterable[str]) -> set[str]:
    """What the spans of a pairing are kept under: whole texts, or bare codes where the token's own slot knows its system."""
    return {text.rpartition("|")[2] for text in texts} if pairing.base.single else set(texts)


def _window(pairing: Pairing, slot: Slot) -> Collector:
    """Two numbers of one base item share a span: the first is its lo, the second its hi."""
    seed, (first, second, third), base = slot.seed, pairing.parts, pairing

    def collect(item: Any, out: Collected) -> None:
        lows = [found[0] for found in _measured(second, base, item, out)]
        highs = [found[0] for found in _measured(third, base, item, out)]
        for text, low, high in product(_texts(first, base, item, out), lows, highs):
            out.spans.append((seed ^ hash64(text), low, high, None, None, None))

    return collect


def _texts(part: Part, pairing: Pairing, item: Any, out: Collected) -> Iterator[str]:
    for use in part.uses:
        for value in _values(use.slot, pairing, item, out):
            if part.kind == "reference":
                yield from references.texts(use.slot.type, value)
            else:
                yield from tokens.texts(use.slot.type, value)


def _measured(part: Part, pairing: Pairing, item: Any, out: Collected) -> Iterator[spans.Measured]:
    for use in part.uses:
        read = spans.reader(part.kind, use.slot.type)
        for value in _values(use.slot, pairing, item, out):
            yield from read(value)


def _values(slot: Slot, pairing: Pairing, item: Any, out: Collected) -> list[Any]:
    steps = pairing.base.steps
    if slot.path.steps[: len(steps)] == steps:
        return values(relative(slot, pairing.base), item)
    return values(slot.path, out.resource)  # %resource: the component stands outside the base
