"""_include and _revinclude, in rounds: `:iterate` goes on from what the round before has found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from kangyun.base.database import Connection
from kangyun.base.fhir import definitions
from kangyun.commons.records.decisions.index.parameters import Parameter, parameters
from kangyun.commons.records.decisions.index.slots import Use
from kangyun.commons.records.model import key_of, type_code, type_name
from kangyun.commons.records.queries.search.filters import url_seed
from kangyun.commons.records.queries.search.query import Include, Query
from kangyun.commons.records.queries.search.refusals import too_costly
from kangyun.commons.records.queries.search.sql import COLUMNS, Statement
from kangyun.commons.records.queries.search.tokens import targets

MOST_INCLUDED = 10_000
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Step:
    """From resources of `source` over `seed` to `target`; `url` is the seed of the target's url for canonicals."""

    source: str
    seed: int
    target: str
    url: int | None


async def included(connection: Connection, query: Query, rows: Sequence[Any]) -> list[Any]:
    """Rows of what the matches refer to, or what refers to them; each once and no match again."""
    seen = {row["rid"] for row in rows}
    found: list[Any] = []
    frontier, includes = list(rows), query.includes
    for _ in range(_ROUNDS):
        reached = await _round(connection, query, includes, frontier)
        frontier = [row for row in {row["rid"]: row for row in reached}.values() if row["rid"] not in seen]
        seen.update(row["rid"] for row in frontier)
        found.extend(frontier)
        if len(found) > MOST_INCLUDED:
            raise too_costly("_revinclude" if any(i.reverse for i in query.includes) else "_include")
        includes = tuple(include for include in query.includes if include.iterate)
        if not frontier or not includes:
            break
    return found


async def _round(
    connection: Connection, query: Query, includes: tuple[Include, ...], frontier: Sequence[Any]
) -> list[Any]:
    """One step along every include from every row."""
    types = {type_name(row["type"]) for row in frontier}
    found: list[Any] = []
    for reverse in (False, True):
        wanted = [include for include in includes if include.reverse is reverse]
        if not wanted:
            continue
        for canonical in (False, True):
            steps = _steps(wanted, types, reverse=reverse, canonical=canonical)
            if steps:
                statement = Statement(query.restriction)
                text = (_backward if reverse else _forward)(statement, steps, frontier, canonical=canonical)
                found += await connection.fetch(text, *statement.values)
    return found


def _steps(includes: Iterable[Include], types: set[str], *, reverse: bool, canonical: bool) -> list[Step]:
    """What the includes mean for rows of these types."""
    found: dict[Step, None] = {}
    for include in includes:
        for parameter in _parameters(include, types, reverse=reverse):
            for use in parameter.uses:
                if (use.slot.type in {"canonical", "uri"}) is canonical:
                    found.update(dict.fromkeys(_use_steps(include, parameter, use, canonical=canonical)))
    return [step for step in found if (step.target if reverse else step.source) in types]


def _parameters(include: Include, types: set[str], *, reverse: bool) -> Iterable[Parameter]:
    sources = [include.source] if include.source else sorted(definitions.load().resources if reverse else types)
    for source in sources:
        for parameter in parameters(source).values():
            if parameter.kind == "reference" and include.code in {None, parameter.code}:
                yield parameter


def _use_steps(include: Include, parameter: Parameter, use: Use, *, canonical: bool) -> Iterable[Step]:
    for target in targets(use, parameter):
        if include.target in {None, target}:
            url = url_seed(target) if canonical else None
            if not canonical or url is not None:
                yield Step(parameter.type, use.slot.seed, target, url)


def _forward(statement: Statement, steps: list[Step], frontier: Sequence[Any], *, canonical: bool) -> str:
    """Over the links of the rows; a token says whether a link stands in the wanted element."""
    wanted = _table(statement, steps)
    rids = statement.add([row["rid"] for row in frontier], "bigint[]")
    types = statement.add(sorted({type_code(step.source) for step in steps}), "smallint[]")
    link = "r.tokens @> ARRAY[l.key # l.url]" if canonical else "r.key = l.key"
    return (
        f"WITH w AS MATERIALIZED ({wanted}), s AS MATERIALIZED (SELECT s.type, s.tokens, s.links FROM resource s"
        f" WHERE s.type = ANY ({types}) AND s.rid = ANY ({rids}) AND NOT s.deleted),"
        f" l AS MATERIALIZED (SELECT DISTINCT w.target, w.url, k.key FROM s CROSS JOIN LATERAL unnest(s.links) k (key)"
        f" JOIN w ON w.source = s.type AND s.tokens @> ARRAY[k.key # w.seed])"
        f" SELECT {COLUMNS} FROM l JOIN resource r ON r.type = l.target AND {link}"
        f" WHERE {_seen(statement)} LIMIT {MOST_INCLUDED + 1}"
    )


def _backward(statement: Statement, steps: list[Step], frontier: Sequence[Any], *, canonical: bool) -> str:
    """By the tokens that references to the rows have."""
    if canonical:
        return _backward_canonical(statement, steps, frontier)
    seeds: dict[str, list[int]] = {}
    for step in steps:
        seeds.setdefault(step.target, []).append(step.seed)
    tokens = [
        key_of(type_name(row["type"]), row["id"]) ^ seed
        for row in frontier
        for seed in seeds.get(type_name(row["type"]), ())
    ]
    return (
        f"SELECT {COLUMNS} FROM resource r WHERE r.tokens && {statement.add(tokens, 'bigint[]')}"
        f" AND {_seen(statement)} LIMIT {MOST_INCLUDED + 1}"
    )


def _backward_canonical(statement: Statement, steps: list[Step], frontier: Sequence[Any]) -> str:
    wanted = _table(statement, steps)
    rids = statement.add([row["rid"] for row in frontier], "bigint[]")
    types = statement.add(sorted({type_code(step.target) for step in steps}), "smallint[]")
    return (
        f"WITH w AS MATERIALIZED ({wanted}), s AS MATERIALIZED (SELECT s.type, s.tokens, s.links FROM resource s"
        f" WHERE s.type = ANY ({types}) AND s.rid = ANY ({rids}) AND NOT s.deleted),"
        f" l AS MATERIALIZED (SELECT DISTINCT w.source, k.key # w.seed AS token FROM s"
        f" CROSS JOIN LATERAL unnest(s.links) k (key)"
        f" JOIN w ON w.target = s.type AND s.tokens @> ARRAY[k.key # w.url])"
        f" SELECT {COLUMNS} FROM l JOIN resource r ON r.type = l.source AND r.tokens @> ARRAY[l.token]"
        f" WHERE {_seen(statement)} LIMIT {MOST_INCLUDED + 1}"
    )


def _table(statement: Statement, steps: list[Step]) -> str:
    sources = statement.add([type_code(step.source) for step in steps], "smallint[]")
    seeds = statement.add([step.seed for step in steps], "bigint[]")
    target_types = statement.add([type_code(step.target) for step in steps], "smallint[]")
    urls = statement.add([step.url for step in steps], "bigint[]")
    return f"SELECT * FROM unnest({sources}, {seeds}, {target_types}, {urls}) w (source, seed, target, url)"


def _seen(statement: Statement) -> str:
    """Not deleted, and what the caller may see."""
    return f"NOT r.deleted AND {statement.condition('r', statement.restriction.condition(None))}"
