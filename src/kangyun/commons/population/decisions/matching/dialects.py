"""The levels of agreement as SQL, for DuckDB and Spark: the same lines of the rule file that Python judges by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from kangyun.commons.population.decisions.matching.levels import Comparison, Level
from kangyun.commons.population.decisions.matching.scoring import Weights

Dialect = Literal["duckdb", "spark"]

_SHARE = {"duckdb": "list_has_any({0}_l, {0}_r)", "spark": "arrays_overlap({0}_l, {0}_r)"}
_NEAR = {
    "duckdb": "damerau_levenshtein({0}_l, {0}_r) <= 1",
    "spark": "(levenshtein({0}_l, {0}_r) <= 1 OR (levenshtein({0}_l, {0}_r) = 2 AND length({0}_l) = length({0}_r)"
    " AND array_sort(split({0}_l, '')) = array_sort(split({0}_r, ''))))",
}
_BEGINS = {"duckdb": "starts_with({0}, {1})", "spark": "startswith({0}, {1})"}


def settings(by: Weights, dialect: Dialect) -> dict[str, Any]:
    """Splink settings with these comparisons and weights; the match weight is the sum of bits, without a prior.

    Records need the columns of Features and `unique_id`; where lists are empty and texts blank, nothing is known.
    """
    return {
        "link_type": "dedupe_only", "unique_id_column_name": "unique_id", "probability_two_random_records_match": 0.5,
        "retain_matching_columns": False, "retain_intermediate_calculation_columns": False,
        "blocking_rules_to_generate_predictions": ["l.name = r.name AND l.birth = r.birth"],
        "comparisons": [_comparison(one, by, dialect) for one in by.comparisons],
    }


def _comparison(one: Comparison, by: Weights, dialect: Dialect) -> dict[str, Any]:
    unsaid = {
        "sql_condition": " AND ".join(f"NOT ({_told(column, dialect)})" for column in one.needs),
        "label_for_charts": "unsaid", "is_null_level": True,
    }
    return {"output_column_name": one.field, "comparison_levels": [unsaid, *(_level(level, by, dialect) for level in one.levels)]}


def _level(level: Level, by: Weights, dialect: Dialect) -> dict[str, Any]:
    m, u = _held(level, by)
    found = {"sql_condition": condition(level, dialect), "label_for_charts": level.name, "m_probability": m, "u_probability": u}
    if level.frequency:
        found |= {
            "m_probability": level.m, "u_probability": level.u,
            "tf_adjustment_column": "name", "tf_adjustment_weight": 1.0,
            "disable_tf_exact_match_detection": True,
        }
    return found


def _held(level: Level, by: Weights) -> tuple[float, float]:
    """M and u of a level such that their quotient is its weight after clamping; neither exceeds 1."""
    ratio = 2.0 ** by.level_bits(level)
    return (level.m, level.m / ratio) if ratio >= 1 else (level.u * ratio, level.u)


def condition(level: Level, dialect: Dialect) -> str:
    """The SQL condition of a level over the columns `<column>_l` and `<column>_r`; ELSE for anything else."""
    if level.condition is None:
        return "ELSE"
    return " OR ".join(f"({_all(choice, dialect)})" for choice in level.condition)


def _all(choice: Mapping[str, Any], dialect: Dialect) -> str:
    return " AND ".join(_TESTS[name](given, dialect) for name, given in choice.items())


def reached(one: Comparison, dialect: Dialect) -> str:
    """The name of the level that two records reach, as an SQL expression; empty when nothing is told."""
    unsaid = " AND ".join(f"NOT ({_told(column, dialect)})" for column in one.needs)
    cases = [f"WHEN {unsaid} THEN ''", *(f"WHEN {condition(level, dialect)} THEN '{level.name}'" for level in one.levels[:-1])]
    return f"CASE {' '.join(cases)} ELSE '{one.levels[-1].name}' END"


def barred(by: Weights) -> str:
    """The reason of the hard rule that two records run into, as an SQL expression over the levels of each field."""
    cases = [
        f"WHEN {' AND '.join(_one_of(field, levels) for field, levels in bar.levels.items())} THEN '{bar.reason}'" for bar in by.bars
    ]
    return f"CASE {' '.join(cases)} ELSE '' END" if cases else "''"


def _one_of(field: str, levels: Iterable[str]) -> str:
    texts = ", ".join(f"'{level}'" for level in sorted(levels))
    return f"level_{field} IN ({texts})"


def _is_list(column: str) -> bool:
    return column in LISTS


def _told(column: str, dialect: Dialect) -> str:
    if _is_list(column):
        size = "len" if dialect == "duckdb" else "size"
        return f"{size}({column}_l) > 0 AND {size}({column}_r) > 0"
    return f"{column}_l <> '' AND {column}_r <> ''"


def _same(column: str, _dialect: Dialect) -> str:
    return f"{column}_l = {column}_r AND {column}_l <> ''"


def _common(column: str, dialect: Dialect) -> str:
    return _SHARE[dialect].format(column)


def _meets(columns: list[str], dialect: Dialect) -> str:
    pairs = (f"{one}_l, {other}_r" for one, other in (columns, reversed(columns)))
    return "(" + " OR ".join(f"{'list_has_any' if dialect == 'duckdb' else 'arrays_overlap'}({pair})" for pair in pairs) + ")"


def _near(column: str, dialect: Dialect) -> str:
    return f"{_told(column, dialect)} AND {_NEAR[dialect].format(column)}"


def _cross(columns: list[str], _dialect: Dialect) -> str:
    one, other = columns
    return f"(({one}_l = {other}_r AND {one}_l <> '') OR ({one}_r = {other}_l AND {one}_r <> ''))"


def _differ(column: str, dialect: Dialect) -> str:
    return f"{_told(column, dialect)} AND {column}_l <> {column}_r"


def _lacks(column: str, dialect: Dialect) -> str:
    return f"NOT ({_told(column, dialect)})"


def _begins(given: tuple[str, int], _dialect: Dialect) -> str:
    column, size = given
    return f"substr({column}_l, 1, {size}) = substr({column}_r, 1, {size}) AND length({column}_l) >= {size}"


def _inside(given: tuple[str, int], dialect: Dialect) -> str:
    column, size = given
    starts = " OR ".join(_BEGINS[dialect].format(*pair) for pair in ((f"{column}_l", f"{column}_r"), (f"{column}_r", f"{column}_l")))
    return f"least(length({column}_l), length({column}_r)) >= {size} AND ({starts})"


def _like(given: tuple[str, float], _dialect: Dialect) -> str:
    column, least = given
    return f"{column}_l <> '' AND {column}_r <> '' AND jaro_winkler_similarity({column}_l, {column}_r) >= {least}"


_TESTS: Mapping[str, Callable[[Any, Dialect], str]] = {
    "same": _same, "common": _common, "near": _near, "cross": _cross, "differ": _differ, "lacks": _lacks, "begins": _begins,
    "inside": _inside, "like": _like, "meets": _meets,
}
LISTS = frozenset({
    "documents", "names", "sounds", "letters", "births", "years", "phones", "counties", "towns", "villages", "doors",
    "parent_numbers", "parent_names", "roman", "slips", "own", "papers", "homes",
})
