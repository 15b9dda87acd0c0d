"""Weights learnt from the records themselves, without labels: u from random pairs, m by expectation maximisation (Splink)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from kangyun.commons.population.actions.batch import Batch

_MOST_PAIRS = 2e6
# m of a level is learnt where the pairs were not selected by that field, hence three selections.
_TRAINING = (
    "l.name = r.name AND l.birth = r.birth AND l.name <> '' AND l.birth <> ''",
    "l.phone = r.phone AND l.surname = r.surname AND l.given = r.given AND l.phone <> ''",
    "l.id_number = r.id_number AND l.id_number <> ''",
)
_LEAST = 1e-6
_COMMON_NAMES = 2000
_STEPS = range(8, 49, 4)

Learnt = dict[str, dict[str, tuple[float | None, float | None]]]


def learn(batch: Batch, training: Sequence[str] = _TRAINING, most_pairs: float = _MOST_PAIRS) -> Learnt:
    """For each field and level m and u as the records show them; None where they do not show it."""
    linker = batch.linker()
    linker.training.estimate_u_using_random_sampling(max_pairs=most_pairs, seed=1)
    for rule in training:
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    return {one["output_column_name"]: _levels(one) for one in linker.misc.save_model_to_json()["comparisons"]}


def _levels(comparison: Mapping[str, Any]) -> dict[str, tuple[float | None, float | None]]:
    return {
        one["label_for_charts"]: (_number(one.get("m_probability")), _number(one.get("u_probability")))
        for one in comparison["comparison_levels"] if not one.get("is_null_level")
    }


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def proposal(batch: Batch, source: Path) -> str:
    """The rule file `source` with the weights that the records show, with the curve of expected precision and recall."""
    document: dict[str, Any] = yaml.safe_load(source.read_text("utf-8"))
    batch.unfold()
    batch.block()
    learnt = learn(batch)
    for comparison in document["comparisons"]:
        _adopt(comparison["levels"], learnt[comparison["field"]])
    document["frequencies"] = _frequencies(batch, document["frequencies"])
    document["certainty"] = "default"
    batch.score()
    document["curve"] = curve(batch)
    return yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=140)


def _adopt(levels: Iterable[dict[str, Any]], learnt: Mapping[str, tuple[float | None, float | None]]) -> None:
    """Take m and u as learnt; what the records did not show keeps the old figure, and nothing is impossible."""
    for level in levels:
        m, u = learnt[level["level"]]
        level["m"] = round(max(_LEAST, level["m"] if m is None else m), 8)
        level["u"] = round(max(_LEAST, level["u"] if u is None else u), 8)


def _frequencies(batch: Batch, old: dict[str, Any]) -> dict[str, Any]:
    """How rare surnames and the commonest given names are among the records, in bits."""
    rows: list[tuple[str, str, float]] = batch.common_names(_COMMON_NAMES)
    found: dict[str, Any] = {"default": old["default"], "surname": {}, "given": {}}
    for kind, text, bits in rows:
        found[kind][text] = round(bits, 2)
    return found


def curve(batch: Batch) -> list[dict[str, float]]:
    """For each threshold the expected precision and recall of linking above it, by the weights themselves.

    A pair of b bits is one person with the odds 2^(b + prior); the prior is the share of pairs with the same number
    among the pairs that both have one.
    """
    rows = batch.histogram()
    prior = batch.prior_bits()
    every = sum(number * _chance(bits + prior) for bits, number in rows)
    found: list[dict[str, float]] = []
    for threshold in _STEPS:
        above = [(number, _chance(bits + prior)) for bits, number in rows if bits >= threshold]
        pairs = sum(number for number, _ in above)
        right = sum(number * chance for number, chance in above)
        found.append({"bits": threshold, "precision": round(right / max(pairs, 1), 5), "recall": round(right / max(every, 1e-9), 4)})
    return found


def _chance(bits: float) -> float:
    return 1 / (1 + 2.0 ** -max(-60.0, min(60.0, bits)))
