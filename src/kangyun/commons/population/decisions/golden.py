"""The golden record: what is best known of a person, chosen among the Patients of all sources by rules/survivorship.yaml."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, Protocol

from kangyun.base import rules
from kangyun.commons.population.decisions.residents import is_id_number, normal_id_number
from kangyun.commons.population.model import ID_NUMBER_SYSTEM

Sourced = tuple[str, dict[str, Any]]
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
_FORMER = {"old", "maiden", "nickname"}


class Linked(Protocol):
    """A Patient under a Person."""

    @property
    def patient(self) -> str:
        """Its id."""
        ...

    @property
    def assurance(self) -> int:
        """How sure it is, 1 to 4."""
        ...


def person(current: dict[str, Any] | None, members: Sequence[Linked], patients: Sequence[Sourced]) -> dict[str, Any]:
    """The Person above `members`; `patients` are source and content of those that are there. Keeps the Person's id."""
    kept = {name: value for name, value in (current or {}).items() if name in {"id", "meta"}}
    links = [
        {"target": {"reference": f"Patient/{one.patient}"}, "assurance": f"level{one.assurance}"} for one in members
    ]
    found = {"resourceType": "Person", **kept, **values(patients), "active": bool(links)}
    return {**found, "link": links} if links else found


def merged(current: dict[str, Any], into: str) -> dict[str, Any]:
    """A Person that is one with another: inactive, with a link that leads there; its values stay as they were."""
    return {**current, "active": False, "link": [{"target": {"reference": f"Person/{into}"}}]}


def values(patients: Iterable[Sourced]) -> dict[str, Any]:
    """The golden values of a person from the Patients of its sources, each with the name of its source."""
    ranked = [patient for _, patient in sorted(patients, key=_rank, reverse=True)]
    found: dict[str, Any] = {}
    for row in rules.load("kangyun.commons.population", "survivorship.yaml").body["golden"]:
        element = str(row["element"])
        told = [patient[element] for patient in ranked if patient.get(element) not in (None, "", [], "unknown")]
        if told:
            found[element] = _KEEP[str(row["keep"])](told, element, ranked)
    return found


def _rank(sourced: Sourced) -> tuple[bool, int, str, str]:
    source, patient = sourced
    return patient.get("active", True), trust(source), str(patient.get("meta", {}).get("lastUpdated", "")), str(patient.get("id"))


@lru_cache(maxsize=4096)
def trust(source: str) -> int:
    """How far a source is trusted: the longest pattern that fits it decides."""
    rows = rules.load("kangyun.commons.population", "survivorship.yaml").body["trust"]
    fitting = [row for row in rows if fnmatchcase(source, str(row["source"]))]
    return max(((len(str(row["source"])), int(row["trust"])) for row in fitting), default=(0, 0))[1]


def _confirmed(told: list[Any], element: str, ranked: list[dict[str, Any]]) -> Any:
    """What an ID number says is right if any source says it too; where all say the same nothing is to be decided."""
    if told.count(told[0]) == len(told):
        return told[0]
    for number in _id_numbers(ranked):
        spoken = {"birthDate": f"{number[6:10]}-{number[10:12]}-{number[12:14]}", "gender": _sex(number)}[element]
        if spoken in told:
            return spoken
    return told[0]


def _sex(number: str) -> str:
    return "male" if int(number[16]) % 2 else "female"


def _id_numbers(ranked: list[dict[str, Any]]) -> list[str]:
    current = (one for patient in ranked for one in patient.get("identifier", []) if one.get("use") != "old")
    told = (str(one.get("value")) for one in current if one.get("system") == ID_NUMBER_SYSTEM)
    return [normal_id_number(one) for one in told if is_id_number(one)]


def _all(told: list[Any], _element: str, _ranked: list[dict[str, Any]]) -> list[Any]:
    """Every identifier once; what one source calls current is current."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in (one for several in told for one in several):
        key = (str(one.get("system")), str(one.get("value")))
        if key not in found or (found[key].get("use") == "old" and one.get("use") != "old"):
            found[key] = one
    return list(found.values())


def _each_use(told: list[Any], _element: str, _ranked: list[dict[str, Any]]) -> list[Any]:
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in (one for several in told for one in several):
        found.setdefault((str(one.get("system", "")), str(one.get("use", ""))), one)
    return list(found.values())


def _each_script(told: list[Any], _element: str, _ranked: list[dict[str, Any]]) -> list[Any]:
    """The best name in each script, and every former name: people are looked for by them."""
    current: dict[str, dict[str, Any]] = {}
    former: dict[str, dict[str, Any]] = {}
    for name in (one for several in told for one in several):
        if name.get("use") in _FORMER:
            former.setdefault(str(name.get("text")), name)
        else:
            current.setdefault(_script(name), name)
    return [*current.values(), *former.values()]


def _script(name: dict[str, Any]) -> str:
    marks = [str(one.get("valueCode")) for one in name.get("extension", []) if "EN-representation" in str(one.get("url"))]
    text = str(name.get("text") or name.get("family") or "")
    return marks[0] if marks else "IDE" if _HAN.search(text) else "ABC"


_KEEP: dict[str, Callable[[list[Any], str, list[dict[str, Any]]], Any]] = {
    "confirmed": _confirmed, "all": _all, "each_use": _each_use, "each_script": _each_script,
}
