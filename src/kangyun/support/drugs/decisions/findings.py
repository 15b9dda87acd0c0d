"""Making findings: the texts, level, source and certainty of a kind are a row of rules/findings.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, get_args

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.diagnoses import PACKAGE
from kangyun.support.drugs.model import Drug, Finding, Group, Level, Strength

# A fact of a text: the same in both languages, or one for each.
Fact = str | int | float | Mapping[str, str]

_FACT = re.compile(r"\{[a-z]+\}")
_RANK: dict[str, int] = {level: rank for rank, level in enumerate(get_args(Level))}


@lru_cache(maxsize=2)
def _kinds(_edition: int) -> dict[str, Mapping[str, Any]]:
    return {str(row["kind"]): row for row in rules.load(PACKAGE, "findings.yaml").table}


def kinds() -> dict[str, Mapping[str, Any]]:
    """The rows of rules/findings.yaml by kind."""
    return _kinds(id(rules.load(PACKAGE, "findings.yaml")))


def finding(kind: str, *places: int, of: Drug | None = None, said: Mapping[str, Any] | None = None, **facts: Fact) -> Finding:
    """A finding of a kind on some lines. `of`: the drug whose row says so; `said`: what else says so (level, source, certainty)."""
    row = kinds()[kind]
    base = {"source": of.source, "certainty": of.certainty} if of and "source" not in row else {}
    merged: dict[str, Any] = {**row, **base, **{name: value for name, value in (said or {}).items() if value}}
    texts = {language: str(row[language]).format_map(_told(facts, language)) for language in ("zh", "en")}
    group: Group = merged["group"]
    level: Level = merged["level"]
    return Finding(
        kind, group, level, places, texts, str(merged.get("source", "")), str(merged.get("certainty", "memory")),
        str(row.get("comment", "")), _told(facts, "zh"))


def _told(facts: Mapping[str, Fact], language: str) -> dict[str, str]:
    return {name: _one(value, language) for name, value in facts.items()}


def _one(value: Fact, language: str) -> str:
    if isinstance(value, Mapping):
        return value[language]
    return value if isinstance(value, str) else plain(value)


def plain(value: float) -> str:
    """A number as people write it: 7, 0.5, 1.25, never 7.0 or 1e-05."""
    return f"{round(value, 4):.4f}".rstrip("0").rstrip(".")


def named(drug: Drug) -> dict[str, str]:
    """A drug's name in both languages."""
    return {"zh": drug.zh, "en": drug.en}


def amount(value: float, unit: str) -> str:
    """An amount with its unit: 20 mg, 2 片."""
    return f"{plain(value)} {unit}"


def of_strength(strength: Strength) -> str:
    """A strength as people write it."""
    return amount(strength.value, strength.unit)


def titles() -> dict[str, dict[str, str]]:
    """What each kind says, without the facts of one prescription: dots stand where they were."""
    return {kind: {language: _FACT.sub("…", str(row[language])) for language in ("zh", "en")} for kind, row in kinds().items()}


def sorted_by_weight(found: list[Finding]) -> list[Finding]:
    """What stops first, then what is to be confirmed, then advice; within a level in the order in which it was found."""
    return sorted(found, key=lambda one: _RANK[one.level])


def settled(found: Finding, reason: str) -> Finding:
    """A finding that the doctor has confirmed with a second signature: it is left as advice, with the reason among its facts."""
    return replace(found, level="advise", facts={**found.facts, "confirmed": reason}) if found.level == "confirm" and reason else found


def check_example(rule: Rule, given: Mapping[str, Any]) -> dict[str, str]:
    """Group and level of a kind."""
    row = next(row for row in rule.table if row["kind"] == given["kind"])
    return {"group": str(row["group"]), "level": str(row["level"])}
