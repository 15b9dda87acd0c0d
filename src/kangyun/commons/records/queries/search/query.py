"""A parsed search and its result."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TypeVar

from kangyun.base.fhir import definitions
from kangyun.commons.records.decisions.index.extraction import COMPARTMENT
from kangyun.commons.records.model import Stored
from kangyun.commons.records.queries.search.conditions import (
    All,
    Condition,
    HasToken,
    IsType,
    Nothing,
    all_of,
    any_of,
)

_T = TypeVar("_T", int, str)

MOST_ROWS = 1000
DEFAULT_ROWS = 20


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key: `code` as asked; `kind` is rid, updated, id, span, text or json; `values` are params, letters, paths."""

    code: str
    kind: str
    descending: bool = False
    values: tuple[int | str, ...] = ()


@dataclass(frozen=True, slots=True)
class Include:
    """`_include` or (with `reverse`) `_revinclude`: from `source` by parameter `code` (None: all) to `target` types."""

    source: str | None
    code: str | None
    target: str | None
    reverse: bool
    iterate: bool


@cache
def compartment_types() -> frozenset[str]:
    """The types whose resources belong to residents."""
    return frozenset(definitions.load().compartment_patient) | {"Patient"}


@dataclass(frozen=True, slots=True)
class Restriction:
    """What the gate lets a caller see: only residents' resources of these residents, only these types; None: all.

    Resources of types outside the Patient compartment (Organization, Practitioner, ...) belong to nobody and are
    limited by type alone. It holds for matches, for included resources and inside chains.
    """

    residents: frozenset[int] | None = None
    types: frozenset[str] | None = None

    def condition(self, type_name: str | None) -> Condition:
        """What a resource of the type (None: of any type) must fulfil."""
        if type_name is None:
            return self._any_type()
        if self.types is not None and type_name not in self.types:
            return Nothing()
        if self.residents is not None and type_name in compartment_types():
            return self.compartment()
        return All(())

    def compartment(self) -> Condition:
        """It is in the compartment of one of the residents."""
        tokens = tuple(resident ^ COMPARTMENT for resident in self.residents or ())
        return HasToken(tokens) if tokens else Nothing()

    def _any_type(self) -> Condition:
        allowed = self.types if self.types is not None else definitions.load().resources
        if self.residents is None:
            return All(()) if self.types is None else IsType(tuple(sorted(allowed)))
        own, others = allowed & compartment_types(), allowed - compartment_types()
        return any_of([all_of([IsType(tuple(sorted(own))), self.compartment()]), IsType(tuple(sorted(others)))])

    def narrowed(self, residents: Collection[int] | None, types: Collection[str] | None) -> Restriction:
        """Both restrictions together."""
        return Restriction(_both(self.residents, residents), _both(self.types, types))


def _both(one: frozenset[_T] | None, other: Collection[_T] | None) -> frozenset[_T] | None:
    if one is None or other is None:
        return frozenset(other) if one is None and other is not None else one
    return one & frozenset(other)


@dataclass(frozen=True, slots=True)
class Query:
    """One search. `types` empty: all types. `params` are those that were understood, for the links of the answer."""

    types: tuple[str, ...]
    conditions: tuple[Condition, ...]
    sort: tuple[SortKey, ...] = ()
    includes: tuple[Include, ...] = ()
    count: int = DEFAULT_ROWS
    total: str | None = None
    cursor: str | None = None
    params: tuple[tuple[str, str], ...] = ()
    ignored: tuple[str, ...] = ()
    restriction: Restriction = field(default_factory=Restriction)

    @property
    def type(self) -> str | None:
        """The one type that is searched, None when there are several."""
        return self.types[0] if len(self.types) == 1 else None

    def restrict(
        self,
        *,
        residents: Collection[int] | None = None,
        types: Collection[str] | None = None,
        tokens: Collection[int] | None = None,
    ) -> Query:
        """The same search that sees less.

        `residents` and `types` also bind chains and included resources; of `tokens` a match must have at least one.
        """
        more = (HasToken(tuple(tokens)) if tokens else Nothing(),) if tokens is not None else ()
        return replace(
            self, conditions=(*self.conditions, *more), restriction=self.restriction.narrowed(residents, types)
        )


@dataclass(slots=True)
class Result:
    """A page: the matches in order, what was included, the total when known, the parameters of the next page."""

    rows: list[Stored]
    included: list[Stored]
    total: int | None
    next: list[tuple[str, str]] | None
    ignored: list[str]
