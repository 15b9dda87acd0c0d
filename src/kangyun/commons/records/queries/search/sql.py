"""Conditions -> SQL text with parameters."""

from __future__ import annotations

from typing import Any

from kangyun.commons.records.model import type_code
from kangyun.commons.records.queries.search.conditions import (
    All,
    AnyOf,
    Chain,
    Condition,
    Contains,
    Given,
    HasKey,
    HasLexeme,
    HasSpan,
    HasToken,
    Inside,
    IsType,
    LinksTo,
    Not,
    Nothing,
    Reverse,
    SpanExists,
    Test,
    Updated,
)
from kangyun.commons.records.queries.search.query import Restriction
from kangyun.commons.records.queries.search.refusals import too_costly

COLUMNS = "r.rid, r.type, r.id, r.version, r.updated, r.deleted, r.meta, r.body, r.resident"

# low and high are the first and last point of the search value, both inclusive (R4 search, 3.1.1.4.6).
_SPAN_TESTS = {
    "eq": "{a}.lo BETWEEN {low} AND {high} AND {a}.hi <= {high}",
    "ne": "({a}.lo < {low} OR {a}.hi > {high})",
    "gt": "{a}.hi > {high}",
    "lt": "{a}.lo < {low}",
    "ge": "{a}.hi >= {low} AND ({a}.hi > {high} OR {a}.lo >= {low})",
    "le": "{a}.lo <= {high} AND ({a}.lo < {low} OR {a}.hi <= {high})",
    "sa": "{a}.lo > {high}",
    "eb": "{a}.hi < {low}",
    "ap": "{a}.lo <= {high} AND {a}.hi >= {low}",
}
_POINT_TESTS = {
    "eq": "{p} BETWEEN {low} AND {high}",
    "ne": "{p} NOT BETWEEN {low} AND {high}",
    "gt": "{p} > {high}",
    "lt": "{p} < {low}",
    "ge": "{p} >= {low}",
    "le": "{p} <= {high}",
    "sa": "{p} > {high}",
    "eb": "{p} < {low}",
    "ap": "{p} BETWEEN {low} AND {high}",
}


_REPEATS = 32
_GROUP = 16


class Statement:
    """Collects the parameters of one statement while its text is written."""

    LIST = "bigint[]"

    def __init__(self, restriction: Restriction) -> None:
        self.restriction = restriction
        self.values: list[Any] = []
        self._aliases = 0

    def add(self, value: Any, cast: str) -> str:
        """A parameter as it stands in the text."""
        self.values.append(value)
        return f"${len(self.values)}::{cast}"

    def alias(self, letter: str) -> str:
        """A name for one more table."""
        self._aliases += 1
        return f"{letter}{self._aliases}"

    def where(
        self, alias: str, types: tuple[str, ...], conditions: tuple[Condition, ...], *, implied: bool = False
    ) -> str:
        """The whole condition on `alias`: type, not deleted, what the caller may see, and what is asked.

        `implied`: tokens and lexemes belong to one type each, so that its condition takes no rows away. The planner
        cannot know that; it would multiply the frequencies, or fetch the whole type to intersect it. Repeating the
        type makes the condition look as weak as it is.
        """
        parts = [f"NOT {alias}.deleted"]
        if len(types) == 1 and implied and any(_owned(part) for part in flat(conditions)):
            repeated = ",".join([str(type_code(types[0]))] * _REPEATS)
            parts.append(f"{alias}.type = ANY ('{{{repeated}}}'::smallint[])")
        elif len(types) == 1:
            parts.append(f"{alias}.type = {type_code(types[0])}")
        elif types:
            parts.append(self._types(alias, types))
        everything = (*conditions, self._visible(types))
        tokens = [part.tokens[0] for part in flat(everything) if isinstance(part, HasToken) and len(part.tokens) == 1]
        if tokens:
            parts.append(f"{alias}.tokens @> {self.add(tokens, 'bigint[]')}")
        rest = [part for part in flat(everything) if not (isinstance(part, HasToken) and len(part.tokens) == 1)]
        return " AND ".join([*parts, *(self.condition(alias, part) for part in rest)])

    def _visible(self, types: tuple[str, ...]) -> Condition:
        if not types:
            return self.restriction.condition(None)
        if len(types) == 1:
            return self.restriction.condition(types[0])
        each = ((type_, self.restriction.condition(type_)) for type_ in types)
        return AnyOf(tuple(All((IsType((type_,)), seen)) for type_, seen in each))

    def _types(self, alias: str, types: tuple[str, ...]) -> str:
        return f"{alias}.type = ANY ({self.add([type_code(type_) for type_ in types], 'smallint[]')})"

    def condition(self, alias: str, condition: Condition) -> str:
        """One condition as an SQL expression."""
        match condition:
            case Nothing():
                return "false"
            case All(parts):
                return f"({' AND '.join(self.condition(alias, part) for part in parts)})" if parts else "true"
            case AnyOf(parts):
                return f"({' OR '.join(self.condition(alias, part) for part in parts)})"
            case Not(part):
                return f"({self.condition(alias, part)}) IS NOT TRUE"
            case HasToken(tokens):
                return self._tokens(alias, tokens)
            case HasLexeme(query):
                return f"{alias}.strings @@ {self.add(query, 'text')}::tsquery"
            case Contains():
                return self._contains(alias, condition)
            case Inside():
                # In a chain, behind :not or beside another alternative there is no row to open.
                raise too_costly("contains")
            case HasSpan(groups):
                return self._spans(alias, groups)
            case SpanExists(params):
                return self._exists(alias, lambda s: f"{s}.param = ANY ({self.add(list(params), 'bigint[]')})")
            case HasKey(keys):
                return f"{alias}.key = ANY ({self.add(list(keys), 'bigint[]')})"
            case Updated():
                return self._updated(alias, condition)
            case IsType(types):
                return self._types(alias, types)
            case Chain():
                return self._chain(alias, condition)
            case LinksTo():
                return self._links(alias, condition)
            case Reverse():
                return self._reverse(alias, condition)
            case Given(text, values):
                return text.format(*(self.add(value, cast) for value, cast in values), r=alias)

    def _tokens(self, alias: str, tokens: tuple[int, ...]) -> str:
        if len(tokens) == 1:
            return f"{alias}.tokens @> {self.add(list(tokens), 'bigint[]')}"
        # GIN compares every item found with every token asked for, so one long array costs the square of its length.
        groups = (list(tokens[at : at + _GROUP]) for at in range(0, len(tokens), _GROUP))
        return f"({' OR '.join(f'{alias}.tokens && {self.add(group, self.LIST)}' for group in groups)})"

    def _contains(self, alias: str, condition: Contains) -> str:
        tails = [f"{head}%{_like(condition.needle)}%" for head in condition.heads]
        return (
            f"EXISTS (SELECT FROM unnest(tsvector_to_array({alias}.strings)) l"
            f" WHERE l LIKE ANY ({self.add(tails, 'text[]')}))"
        )

    def _exists(self, alias: str, test: Any) -> str:
        span = self.alias("s")
        return f"EXISTS (SELECT FROM span {span} WHERE {span}.rid = {alias}.rid AND {test(span)})"

    def _spans(self, alias: str, groups: tuple[tuple[Test, ...], ...]) -> str:
        return self._exists(alias, lambda s: f"({' OR '.join(self.group(s, group) for group in groups)})")

    def group(self, span: str, group: tuple[Test, ...]) -> str:
        """The tests that one row of spans must pass together."""
        tests = [self._test(span, test) for test in group]
        return f"({span}.param = {self.add(group[0].param, 'bigint')} AND {' AND '.join(tests)})"

    def _test(self, span: str, test: Test) -> str:
        if test.point:
            return self._compare(_POINT_TESTS[test.operator], f"{span}.{test.point}", test.low, test.high, "float8")
        text = self._compare(_SPAN_TESTS[test.operator], span, test.low, test.high, "float8")
        return f"{text} AND {self._unit(span, test.unit)}" if test.unit else text

    def _unit(self, span: str, unit: tuple[str, int]) -> str:
        number = self.add(unit[1], "bigint")
        if unit[0] == "full":
            return f"{span}.unit_full = {number}"
        return f"({span}.unit = {number} OR {span}.unit_text = {number})"

    def _updated(self, alias: str, test: Updated) -> str:
        return self._compare(_POINT_TESTS[test.operator], f"{alias}.updated", test.low, test.high, "timestamptz")

    def _compare(self, template: str, operand: str, low: Any, high: Any, cast: str) -> str:
        # PostgreSQL refuses parameters that the text does not mention.
        ends = {name: self.add(value, cast) for name, value in (("low", low), ("high", high)) if f"{{{name}}}" in template}
        return template.format(a=operand, p=operand, **ends)

    def _chain(self, alias: str, chain: Chain) -> str:
        """Row by row, for inner conditions that many resources fulfil; OFFSET 0 keeps the planner from turning it."""
        inner = self.alias("c")
        where = self.where(inner, (chain.type,), (chain.inner,))
        if chain.canonical is None:
            link, number = f"{inner}.key = l", f"{inner}.key"
        else:
            link, number = f"{inner}.tokens @> ARRAY[l # {self.add(chain.canonical, 'bigint')}]", "l"
        seeds = " OR ".join(f"{alias}.tokens @> ARRAY[{number} # {self.add(seed, 'bigint')}]" for seed in chain.seeds)
        return (
            f"EXISTS (SELECT FROM unnest({alias}.links) l, LATERAL (SELECT {inner}.key FROM resource {inner}"
            f" WHERE {link} AND {where} OFFSET 0) {inner} WHERE {seeds} OFFSET 0)"
        )

    def _links(self, alias: str, test: LinksTo) -> str:
        """Row by row against the keys, of which PostgreSQL makes a hash table."""
        seeds = " OR ".join(f"{alias}.tokens @> ARRAY[l # {self.add(seed, 'bigint')}]" for seed in test.seeds)
        keys = self.add(list(test.keys), self.LIST)
        return f"EXISTS (SELECT FROM unnest({alias}.links) l WHERE l = ANY ({keys}) AND ({seeds}) OFFSET 0)"

    def _reverse(self, alias: str, reverse: Reverse) -> str:
        """Row by row, by the token index.

        EXISTS alone is planned as if one of the table's first rows would do, and reads the table from its beginning for each
        outer row; WITH is planned for all its rows and still stops at the first.
        """
        inner = self.alias("h")
        linked = " OR ".join(f"{inner}.tokens @> ARRAY[{alias}.key # {self.add(seed, 'bigint')}]" for seed in reverse.seeds)
        where = self.where(inner, (reverse.type,), (reverse.inner,))
        # To look through a resident's few resources is quicker than to intersect them with a frequent token.
        first, then = (linked, where) if reverse.rare else (f"({linked}) AND {where}", "true")
        return f"EXISTS (WITH {inner} AS MATERIALIZED (SELECT * FROM resource {inner} WHERE {first}) SELECT FROM {inner} WHERE {then})"


def _owned(condition: Condition) -> bool:
    """Whether the condition can only be true of resources of the searched type."""
    return isinstance(condition, HasToken | HasLexeme | HasKey)


def flat(conditions: tuple[Condition, ...]) -> list[Condition]:
    """Nested ANDs as one list."""
    return [
        part
        for condition in conditions
        for part in (flat(condition.parts) if isinstance(condition, All) else [condition])
    ]


def _like(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
