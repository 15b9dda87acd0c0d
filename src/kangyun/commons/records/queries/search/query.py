"""A parsed search and its result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

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


def compartment(residents: Iterable[int]) -> Condition:
    """It is in the compartment of one of the residents, who are named by the keys of their Patients."""
    tokens = tuple(resident ^ COMPARTMENT for resident in residents)
    return HasToken(tokens, rare=True) if tokens else Nothing()


@dataclass(frozen=True, slots=True)
class Restriction:
    """What the gate lets a caller see: for each type the condition that its resources must fulfil; None: everything.

    A type that is not named is not seen. It holds for matches, for included resources and inside chains.
    """

    by_type: Mapping[str, Condition] | None = None

    def condition(self, type_name: str | None) -> Condition:
        """What a resource of the type (None: of any type) must fulfil."""
        if self.by_type is None:
            return All(())
        return self._any_type() if type_name is None else self.by_type.get(type_name, Nothing())

    def _any_type(self) -> Condition:
        groups: dict[int, tuple[Condition, list[str]]] = {}
        for type_name, condition in sorted((self.by_type or {}).items()):
            groups.setdefault(id(condition), (condition, []))[1].append(type_name)
        return any_of(all_of([IsType(tuple(names)), condition]) for condition, names in groups.values())


EVERYTHING = Restriction()


def narrowest(restrictions: Sequence[Restriction]) -> Restriction:
    """What all of them let be seen."""
    bound = [restriction.by_type for restriction in restrictions if restriction.by_type is not None]
    if len(bound) < 2:
        return Restriction(bound[0]) if bound else EVERYTHING
    common = set(bound[0]).intersection(*bound[1:])
    return Restriction({type_: all_of([one[type_] for one in bound]) for type_ in common})


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

    def restrict(self, restriction: Restriction, more: Sequence[Condition] = ()) -> Query:
        """The same search that sees less; `more` binds the matches only."""
        return replace(self, conditions=(*self.conditions, *more), restriction=restriction)


@dataclass(slots=True)
class Result:
    """A page: the matches in order, what was included, the total when known, the parameters of the next page."""

    rows: list[Stored]
    included: list[Stored]
    total: int | None
    next: list[tuple[str, str]] | None
    ignored: list[str]
