"""What a search asks for, as plain data: parsed once, then written as SQL by sql.py."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from kangyun.commons.records.decisions.index.paths import Path


@dataclass(frozen=True, slots=True)
class Nothing:
    """Never true."""


@dataclass(frozen=True, slots=True)
class All:
    """Every part is true; without parts: always."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part is true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part is not true, which includes resources without such an element."""

    part: Condition


@dataclass(frozen=True, slots=True)
class HasToken:
    """At least one of the tokens; `rare` when they name one's own things, so that few resources have them."""

    tokens: tuple[int, ...]
    rare: bool = False


@dataclass(frozen=True, slots=True)
class HasLexeme:
    """A text query over the lexemes: an OR of whole lexemes and prefixes."""

    query: str


@dataclass(frozen=True, slots=True)
class Contains:
    """A lexeme with one of the heads (`abcd:`) has `needle` anywhere behind it."""

    heads: tuple[str, ...]
    needle: str


@dataclass(frozen=True, slots=True)
class Inside:
    """A sealed text at one of the paths has `needle` anywhere; only the opened resource can tell."""

    paths: tuple[Path, ...]
    needle: str


@dataclass(frozen=True, slots=True)
class Test:
    """A comparison of spans under one param.

    `operator` is a FHIR prefix; low and high bound the search value. `unit` is (column, number) or None. `point` names
    the column that alone is compared (the two numbers of a window), None for the whole span.
    """

    param: int
    operator: str
    low: float
    high: float
    unit: tuple[str, int] | None = None
    point: str | None = None


@dataclass(frozen=True, slots=True)
class HasSpan:
    """One span passes one of the groups of tests; the tests of a group are about one param."""

    groups: tuple[tuple[Test, ...], ...]


@dataclass(frozen=True, slots=True)
class SpanExists:
    """There is a span under one of the params."""

    params: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class HasKey:
    """It is one of these resources."""

    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Updated:
    """When the current version was written; `operator` is a FHIR prefix, low and high bound the search value."""

    operator: str
    low: datetime
    high: datetime


@dataclass(frozen=True, slots=True)
class IsType:
    """It is of one of these types."""

    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """A reference under one of the seeds names a resource of `type` for which `inner` is true.

    `canonical` is the seed of that type's url when the reference is a canonical one.
    """

    seeds: tuple[int, ...]
    type: str
    inner: Condition
    canonical: int | None = None


@dataclass(frozen=True, slots=True)
class LinksTo:
    """A reference under one of the seeds names one of the keys, which are too many for the token index."""

    seeds: tuple[int, ...]
    keys: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reverse:
    """A resource of `type` for which `inner` is true refers to this one under one of the seeds.

    `rare` when this one is a resident's, so that few refer to it.
    """

    type: str
    seeds: tuple[int, ...]
    inner: Condition
    rare: bool = False


@dataclass(frozen=True, slots=True)
class Given:
    """A condition of a higher room in SQL: `{r}` stands for the resource's row, `{0}`, `{1}` ... for `values`, each with its SQL type."""

    text: str
    values: tuple[tuple[Any, str], ...] = ()


Condition: TypeAlias = (
    Nothing | All | AnyOf | Not | HasToken | HasLexeme | Contains | HasSpan | SpanExists | HasKey | Updated | IsType
    | Chain | LinksTo | Reverse | Given | Inside
)  # fmt: skip


def any_of(parts: Iterable[Condition]) -> Condition:
    """The OR of the parts; tokens are united into one test, and so are keys."""
    kept = [part for part in parts if not isinstance(part, Nothing)]
    tokens = tuple(dict.fromkeys(token for part in kept if isinstance(part, HasToken) for token in part.tokens))
    keys = tuple(dict.fromkeys(key for part in kept if isinstance(part, HasKey) for key in part.keys))
    rest: list[Condition] = [part for part in kept if not isinstance(part, HasToken | HasKey)]
    if keys:
        rest.insert(0, HasKey(keys))
    if tokens:
        rest.insert(0, HasToken(tokens, all(part.rare for part in kept if isinstance(part, HasToken))))
    if not rest:
        return Nothing()
    return rest[0] if len(rest) == 1 else AnyOf(tuple(rest))


def all_of(parts: Iterable[Condition]) -> Condition:
    """The AND of the parts."""
    kept = tuple(part for part in parts if part != All(()))
    if any(isinstance(part, Nothing) for part in kept):
        return Nothing()
    return kept[0] if len(kept) == 1 else All(kept)
