"""The kinds of sheets: which columns each knows under which names, and what its rows become."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.commons.exchange.decisions.tables.cells import Column
from kangyun.commons.exchange.decisions.tables.templates import Fill, compiled

_PACKAGE = "kangyun.commons.exchange"
_FOLDER = "tables/kinds/"
_BRACKETS = re.compile(r"[(\[【].*?[)\]】]")
_SIGNS = re.compile(r"[\s*:：★☆#_.\-/\\、,，'\"“”]+")


@dataclass(frozen=True, slots=True)
class Make:
    """One resource that a row becomes: `when` any of these columns is filled, once for `each` value of a list column.

    A `lasting` one is the same for all rows of a resident, whatever their dates.
    """

    seed: str
    when: tuple[str, ...]
    each: str
    fill: Fill
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of sheet; `labels` gives the column of each name that a header may have.

    `once`: one row for each resident. `titles`: words of a title that give a column its value. `pairs`: columns of
    codes and of texts that are one concept. `results`: columns that make up a result. `registers`: its rows register
    residents, and so come before the sheets that tell of them. `registered`: everybody in it has been registered before.
    """

    name: str
    columns: Mapping[str, Column]
    labels: Mapping[str, str]
    required: tuple[str, ...]
    once: bool
    hints: tuple[str, ...]
    titles: tuple[Mapping[str, Any], ...]
    makes: tuple[Make, ...]
    pairs: tuple[Mapping[str, str], ...]
    results: Mapping[str, str]
    registers: bool = False
    registered: bool = False

    @property
    def turn(self) -> int:
        """Its place among the sheets of one batch: later ones recognise the residents of earlier ones."""
        return 0 if self.registers else 2 if self.registered else 1


@lru_cache(maxsize=1)
def kinds() -> dict[str, Kind]:
    """All kinds by name."""
    names = [name for name in rules.names(_PACKAGE) if name.startswith(_FOLDER)]
    found = [_kind(rules.load(_PACKAGE, name)) for name in names]
    return {one.name: one for one in found}


@lru_cache(maxsize=1)
def known_to() -> Counter[str]:
    """How many kinds know each label; one that a single kind knows tells the kind."""
    return Counter(label for kind in kinds().values() for label in kind.labels)


def _kind(rule: Rule) -> Kind:
    person = rules.load(_PACKAGE, "tables/person.yaml")
    rows = [*rule.table, *(row for row in person.table if row["column"] not in {own["column"] for own in rule.table})]
    labels: dict[str, str] = {}
    for row in rows:
        for name in (row["column"], *row["names"]):
            labels.setdefault(label(str(name)), str(row["column"]))
    return Kind(
        name=rule.id.rsplit(".", 1)[-1],
        columns={str(row["column"]): _column(row) for row in rows},
        labels=labels,
        required=tuple(rule.body.get("required", ())),
        once=bool(rule.body.get("once")),
        hints=tuple(str(one).lower() for one in rule.body.get("hints", ())),
        titles=tuple(rule.body.get("titles", ())),
        makes=(*(_make(one) for one in rule.body.get("make", ())), *(_measure(row, rule) for row in rule.table if "loinc" in row)),
        pairs=tuple(rule.body.get("pairs", ())),
        results=rule.body.get("results", {}),
        registers=bool(rule.body.get("registers")),
        registered=bool(rule.body.get("registered")),
    )


def _column(row: Mapping[str, Any]) -> Column:
    options = {key: value for key, value in row.items() if key not in {"column", "names", "as"}}
    return Column(str(row["column"]), str(row.get("as", "text")), options)


def _make(one: Mapping[str, Any]) -> Make:
    return Make(str(one["seed"]), tuple(one.get("when", ())), str(one.get("each", "")), compiled(one["resource"]), bool(one.get("lasting")))


_VALUES = {"quantity": "valueQuantity", "coded": "valueCodeableConcept", "flag": "valueBoolean", "moment": "valueDateTime"}
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


def _measure(row: Mapping[str, Any], rule: Rule) -> Make:
    """A column that is measured becomes an Observation of its LOINC code."""
    name = str(row["column"])
    category = {"coding": [{"system": _CATEGORY, "code": str(row.get("category", "vital-signs"))}]}
    template: dict[str, Any] = {
        "resourceType": "Observation", "status": "final", "category": [category],
        "code": {"coding": [{"system": "http://loinc.org", "code": str(row["loinc"]), "display": str(row["display"])}], "text": str(row["names"][0])},
        "subject": "$subject", "effectiveDateTime": "$date", "performer": ["$sender"],
        _VALUES.get(str(row.get("as")), "valueString"): f"${name}",
    }
    if rule.body.get("visit"):
        template["encounter"] = f"$@{rule.body['visit']}"
    return Make(name, (name,), "", compiled(template))


def label(text: str) -> str:
    """A header cell made comparable: half-width, small, without blanks and marks; what stands in brackets stays."""
    return _SIGNS.sub("", unicodedata.normalize("NFKC", text).lower())


def labels_of(text: str) -> tuple[str, ...]:
    """What a header cell may be looked up as: whole, and without what stands in brackets."""
    normal = unicodedata.normalize("NFKC", text)
    return tuple(dict.fromkeys(one for one in (label(normal), label(_BRACKETS.sub("", normal))) if one))
