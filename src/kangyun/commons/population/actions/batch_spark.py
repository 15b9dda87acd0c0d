"""The same blocking, levels, weights and hard rules on Spark, for a province that one machine does not hold."""

from __future__ import annotations

from math import log2
from typing import TYPE_CHECKING

from kangyun.commons.population.decisions.matching import Features, Weights
from kangyun.commons.population.decisions.matching.dialects import LISTS, barred, reached
from kangyun.commons.population.decisions.matching.levels import Comparison
from kangyun.commons.population.decisions.matching.scoring import rarity

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_COLUMNS = Features.__struct_fields__


def scored(session: SparkSession, records: DataFrame, by: Weights) -> DataFrame:
    """Pairs that share a key with bits and hard rule (`one, other, bits, barred`), from `unique_id, features, keys`.

    Give the result to `decisions.matching.clusters.settle`, or to connected components where it is too large for that.
    """
    rare = session.udf.register("rarity", lambda name: float(rarity(name, by)), "double")
    del rare
    records.createOrReplaceTempView("incoming")
    columns = ", ".join(_column(place, name) for place, name in enumerate(_COLUMNS))
    session.sql(f"SELECT unique_id, {columns} FROM incoming").selectExpr("*", "rarity(name) AS rarity").createOrReplaceTempView("record")
    session.sql(_BLOCKING.format(largest_block=int(by.limits["largest_block"]))).createOrReplaceTempView("blocking")
    session.sql(_PAIRS).createOrReplaceTempView("pair")
    sides = ", ".join(f"l.{name} AS {name}_l, r.{name} AS {name}_r" for name in (*_COLUMNS, "rarity"))
    levels = ", ".join(f"{reached(one, 'spark')} AS level_{one.field}" for one in by.comparisons)
    bits = " + ".join(_bits(one, by) for one in by.comparisons)
    session.sql(_SIDES.format(sides=sides)).createOrReplaceTempView("side")
    session.sql(f"SELECT *, {levels} FROM side").createOrReplaceTempView("level")
    return session.sql(f"SELECT one, other, {bits} AS bits, {barred(by)} AS barred FROM level")


_BLOCKING = """
WITH single AS (SELECT unique_id, explode(keys) AS key FROM incoming)
SELECT key, unique_id FROM single
LEFT SEMI JOIN (SELECT key FROM single GROUP BY key HAVING count(*) BETWEEN 2 AND {largest_block}) USING (key)
"""
_PAIRS = """
SELECT DISTINCT l.unique_id AS one, r.unique_id AS other FROM blocking l JOIN blocking r USING (key)
WHERE l.unique_id < r.unique_id
"""
_SIDES = """
SELECT one, other, {sides} FROM pair JOIN record l ON l.unique_id = one JOIN record r ON r.unique_id = other
"""


def _column(place: int, name: str) -> str:
    text = f"get_json_object(features, '$[{place}]')"
    return f"from_json({text}, 'array<string>') AS {name}" if name in LISTS else f"{text} AS {name}"


def _bits(one: Comparison, by: Weights) -> str:
    """The weight of the level that a field reaches; names that many bear weigh less."""
    cases = [
        f"WHEN '{level.name}' THEN "
        + (f"least({by.most}D, {log2(level.m)}D + rarity_l)" if level.frequency else f"{by.level_bits(level)}D")
        for level in one.levels
    ]
    return f"CASE level_{one.field} {' '.join(cases)} ELSE 0D END"
