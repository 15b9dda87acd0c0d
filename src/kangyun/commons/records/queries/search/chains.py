"""Chains and reverse chains: few matches of the inner search become tokens or keys, many are tested row by row.

Each way gives the same answer. Up to FEW inner resources, the outer search is one visit of the token index with a
known array, which the planner can estimate; beyond that, the outer rows are tested one by one until the page is full.
Up to SOME, whose references are seldom among them, the test is a look into a table of the keys that were found; matches
of more are so frequent that each test may read what the row refers to.
"""

from __future__ import annotations

from dataclasses import replace

from kangyun.base.database import Connection
from kangyun.commons.records.queries.search.conditions import (
    All,
    AnyOf,
    Chain,
    Condition,
    HasKey,
    HasLexeme,
    HasSpan,
    HasToken,
    LinksTo,
    Not,
    Nothing,
    Reverse,
    all_of,
    any_of,
)
from kangyun.commons.records.queries.search.query import Restriction, compartment_types
from kangyun.commons.records.queries.search.sql import Statement

FEW = 400
SOME = 1500


async def settle(connection: Connection, restriction: Restriction, condition: Condition) -> Condition:
    """The condition with every chain of few inner resources replaced by what they were found to be."""
    match condition:
        case All(parts):
            return all_of([await settle(connection, restriction, part) for part in parts])
        case AnyOf(parts):
            return any_of([await settle(connection, restriction, part) for part in parts])
        case Not(part):
            return Not(await settle(connection, restriction, part))
        case Chain():
            inner = await settle(connection, restriction, condition.inner)
            return await _chain(connection, restriction, replace(condition, inner=inner))
        case Reverse():
            inner = await settle(connection, restriction, condition.inner)
            return await _reverse(connection, restriction, replace(condition, inner=inner))
        case _:
            return condition


async def _chain(connection: Connection, restriction: Restriction, chain: Chain) -> Condition:
    if isinstance(chain.inner, Nothing):
        return Nothing()
    statement = Statement(restriction)
    rows = _some(statement, chain.type, chain.inner)
    if chain.canonical is None:
        text = f"SELECT r.key {rows}"
    else:
        url = statement.add(chain.canonical, "bigint")
        text = f"SELECT l FROM (SELECT r.links, r.tokens {rows}) r, unnest(r.links) l WHERE r.tokens @> ARRAY[l # {url}]"
    keys = [row[0] for row in await connection.fetch(text, *statement.values)]
    if len(keys) > FEW:
        return await _chain_of_some(connection, restriction, chain)
    tokens = tuple(key ^ seed for key in keys for seed in chain.seeds)
    return HasToken(tokens, rare=chain.type in compartment_types()) if tokens else Nothing()


async def _chain_of_some(connection: Connection, restriction: Restriction, chain: Chain) -> Condition:
    if chain.canonical is not None or await expected(connection, restriction, (chain.type,), (chain.inner,)) > SOME:
        return chain
    statement = Statement(restriction)
    where = statement.where("r", (chain.type,), (chain.inner,), implied=True)
    rows = await connection.fetch(f"SELECT r.key FROM resource r WHERE {where} LIMIT {SOME + 1}", *statement.values)
    return chain if len(rows) > SOME else LinksTo(chain.seeds, tuple(row["key"] for row in rows))


async def expected(
    connection: Connection, restriction: Restriction, types: tuple[str, ...], conditions: tuple[Condition, ...]
) -> int:
    """How many resources the planner expects to fulfil the conditions."""
    statement = Statement(restriction)
    where = statement.where("r", types, conditions, implied=True)
    lines = await connection.fetch(f"EXPLAIN SELECT FROM resource r WHERE {where}", *statement.values)
    return int(lines[0][0].partition("rows=")[2].partition(" ")[0])


async def _reverse(connection: Connection, restriction: Restriction, reverse: Reverse) -> Condition:
    if isinstance(reverse.inner, Nothing):
        return Nothing()
    statement = Statement(restriction)
    some = _some(statement, reverse.type, reverse.inner)
    seeds = " OR ".join(f"i.tokens @> ARRAY[l # {statement.add(seed, 'bigint')}]" for seed in reverse.seeds)
    text = (
        f"WITH i AS MATERIALIZED (SELECT r.links, r.tokens {some})"
        f" SELECT count(*) AS found, NULL::bigint AS key FROM i"
        f" UNION ALL SELECT DISTINCT 0, l FROM i, unnest(i.links) l WHERE {seeds}"
    )
    found, *links = await connection.fetch(text, *statement.values)
    if found["found"] > FEW:
        return reverse
    return HasKey(tuple(row["key"] for row in links)) if links else Nothing()


def _some(statement: Statement, type_: str, inner: Condition) -> str:
    """From the resources that fulfil the inner condition, one more than FEW; which ones does not matter.

    A value is looked up in its b-tree and a text in its index; a frequent token is found soonest by walking its type.
    A resource with two values that pass counts twice, which at worst has the outer rows tested one by one.
    """
    parts = inner.parts if isinstance(inner, All) else (inner,)
    spans = [part for part in parts if isinstance(part, HasSpan) and len(part.groups) == 1]
    if spans:
        rest = tuple(part for part in parts if part is not spans[0])
        test = statement.group("s", spans[0].groups[0])
        where = statement.where("r", (type_,), rest)
        return f"FROM span s JOIN resource r ON r.rid = s.rid WHERE {test} AND {where} LIMIT {FEW + 1}"
    where = statement.where("r", (type_,), (inner,), implied=True)
    order = "" if any(isinstance(part, HasLexeme) for part in parts) else " ORDER BY r.type, r.rid"
    return f"FROM resource r WHERE {where}{order} LIMIT {FEW + 1}"
