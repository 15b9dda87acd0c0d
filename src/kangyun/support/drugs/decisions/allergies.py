"""Allergies: whether what somebody does not bear is a drug, of its class, or of kin that may cross-react."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.diagnoses import PACKAGE
from kangyun.support.drugs.decisions.knowledge import shipped
from kangyun.support.drugs.decisions.naming import cores
from kangyun.support.drugs.model import Allergy, Drug

_RANK = {"advise": 0, "confirm": 1, "stop": 2}


@lru_cache(maxsize=1024)
def _classes(text: str, code: str, _edition: int) -> tuple[Mapping[str, Any], ...]:
    """The rows that an allergen's words or code speak of."""
    said = text.casefold()
    return tuple(
        row for row in rules.load(PACKAGE, "allergies.yaml").table
        if (code and code in row["codes"]) or any(str(word).casefold() in said for word in row["words"])
    )


def met(allergy: Allergy, drug: Drug, words: frozenset[str]) -> tuple[str, dict[str, Any]]:
    """`allergy`, `cross-allergy` or empty, with the level, source and certainty of the row. `words`: the drug's terms."""
    rule = rules.load(PACKAGE, "allergies.yaml")
    said: dict[str, Any] = {"source": str(rule.source[0]["title"]), "certainty": rule.certainty}
    if _is_itself(allergy.text, drug):
        return "allergy", {"source": said["source"], "certainty": said["certainty"]}
    found = ""
    for row in _classes(allergy.text, allergy.code, id(rule)):
        if words & {*row["members"]}:
            return "allergy", said
        for kin in row["kin"]:
            if words & {*kin["members"]} and _RANK[kin["level"]] >= _RANK.get(found, -1):
                found = str(kin["level"])
    if not found:
        return "", {}
    # After an anaphylaxis, kin that is only to be thought of is confirmed too.
    return "cross-allergy", {**said, "level": "confirm" if allergy.severe and found == "advise" else found}


def _is_itself(text: str, drug: Drug) -> bool:
    said = text.casefold()
    return any(core in said for core in cores(drug.zh, drug.en))


def check_example(rule: Rule, given: Mapping[str, str]) -> str:
    """What an allergen says of a drug."""
    del rule
    known = shipped()
    drug = known.drugs[given["drug"]]
    return met(Allergy(given["allergen"]), drug, known.terms[drug.code])[0]
