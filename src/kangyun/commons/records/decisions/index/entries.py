"""What the index keeps about one resource."""

from __future__ import annotations

from typing import Any, TypeAlias

# param, lo, hi, unit, unit_text, unit_full; the order of the type span_entry without its marks.
Span: TypeAlias = tuple[int, float, float, int | None, int | None, int | None]
MarkedSpan: TypeAlias = tuple[int, float, float, int | None, int | None, int | None, bool, bool]


class Collected:
    """The lists that the collectors of one resource append to."""

    __slots__ = ("links", "residents", "resource", "spans", "strings", "tokens")

    def __init__(self, resource: dict[str, Any]) -> None:
        self.resource = resource
        self.tokens: list[int] = []
        self.strings: list[str] = []
        self.spans: list[Span] = []
        self.links: list[int] = []
        self.residents: list[int] = []


class IndexEntries:
    """The index entries of one resource version, ready for the columns of the tables resource and span.

    tokens: signed 64-bit, each once. strings: lexemes for array_to_tsvector, each once. spans: rows of span_entry.
    links: keys of referenced resources. resident: key of the Patient whose compartment holds it (the first one),
    else its own key.
    """

    __slots__ = ("key", "links", "resident", "spans", "strings", "tokens")

    def __init__(  # noqa: PLR0917 - one caller, and it is called for every write
        self, key: int, resident: int, tokens: list[int], strings: list[str], spans: list[MarkedSpan], links: list[int]
    ) -> None:
        self.key = key
        self.resident = resident
        self.tokens = tokens
        self.strings = strings
        self.spans = spans
        self.links = links


def mark(spans: list[Span]) -> list[MarkedSpan]:
    """Mark, for each param, the span that sorts first and the one that sorts last."""
    if len(spans) == 1:
        return [(*spans[0], True, True)]
    least: dict[int, Span] = {}
    greatest: dict[int, Span] = {}
    unique = list(dict.fromkeys(spans))
    for span in unique:
        param = span[0]
        if param not in least or span[1] < least[param][1]:
            least[param] = span
        if param not in greatest or span[1] > greatest[param][1]:
            greatest[param] = span
    return [(*span, least[span[0]] is span, greatest[span[0]] is span) for span in unique]
