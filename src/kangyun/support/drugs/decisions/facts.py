"""Resources of the record become the facts of a patient; a value that is too old says nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from typing import Any

from kangyun.base import rules
from kangyun.base.rules import Rule
from kangyun.support.drugs.decisions.diagnoses import PACKAGE
from kangyun.support.drugs.model import Allergy, Patient, Taken
from kangyun.support.drugs.model.catalogue import CATALOGUE_SYSTEM
from kangyun.support.drugs.model.orders import ICD10, number_of

Json = dict[str, Any]

_LOINC = "http://loinc.org"
_ATC = "http://www.whocc.no/atc"
_MICROMOLES = frozenset({"umol/l", "μmol/l", "µmol/l"})
_YEAR = 365.25
_GONE = frozenset({"entered-in-error", "cancelled"})


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of a person in the record; `encounter`: the visit in which is prescribed."""

    patient: Json
    allergies: Sequence[Json] = ()
    conditions: Sequence[Json] = ()
    orders: Sequence[Json] = ()
    statements: Sequence[Json] = ()
    observations: Sequence[Json] = ()
    encounter: Json = field(default_factory=dict[str, Any])


@cache
def codes(*names: str) -> tuple[str, ...]:
    """The LOINC codes of some facts, or of all, as tokens of a search."""
    said = rules.load(PACKAGE, "facts.yaml").map
    return tuple(f"{_LOINC}|{code}" for name in names or said for code in said[name]["codes"])


def observed() -> list[list[tuple[str, str]]]:
    """What searches ask for of Observations: the newest, and what is measured at home by itself.

    Of the weight, which scales may send every day, a few are enough, and they do not crowd out a creatinine of last winter.
    What is too old to count is left out by `facts`: to ask for days would be planned anew each time, longer than it is searched.
    """
    said = rules.load(PACKAGE, "facts.yaml").map
    groups = (("weight",), "5"), (tuple(name for name in said if name != "weight"), "60")
    return [[("code", ",".join(codes(*names))), ("_sort", "-date"), ("_count", most)] for names, most in groups]


def facts(found: Found, on: date) -> Patient:
    """The facts of a patient on a day."""
    born, sex = day(found.patient.get("birthDate")), str(found.patient.get("gender", ""))
    values = _Values(found.observations, on, born)
    coded = [code for one in found.conditions if _is_active(one) for code in _coded(one.get("code", {}), ICD10)]
    seen = str(rules.load(PACKAGE, "facts.yaml").body["guardian"])
    there = any(str(one.get("url", "")).endswith(seen) and one.get("valueBoolean") is True for one in found.encounter.get("extension", ()))
    return Patient(
        born=born, sex=sex, weight=values.number("weight"), egfr=values.number("egfr") or _filtration(values, born, sex, on), liver=values.letter("liver"),
        potassium=values.number("potassium"), pregnant=_pregnant(values), lactating=values.yes("lactating"),
        allergies=tuple(_allergy(one) for one in found.allergies if _is_active(one)), conditions=tuple(dict.fromkeys(coded)),
        takes=tuple(_taken(one) for one in (*found.orders, *found.statements) if one.get("medicationCodeableConcept")),
        drinks=(values.number("alcohol") or 0) > 0 or values.yes("alcohol"), guardian=there, specialist=there)


class _Values:
    """The latest value of each fact that is young enough."""

    def __init__(self, observations: Iterable[Json], on: date, born: date | None) -> None:
        self._latest: dict[str, Json] = {}
        young = born is not None and (on - born).days < _YEAR * 18
        said = rules.load(PACKAGE, "facts.yaml").map
        names = {code: name for name, row in said.items() for code in row["codes"]}
        for one in observations:
            name = next((names[code] for code in _coded(one.get("code", {}), _LOINC) if code in names), "")
            if name and one.get("status") not in _GONE and counts(said[name], _at(one), on, young=young):
                kept = self._latest.get(name)
                if kept is None or _at(kept) < _at(one):
                    self._latest[name] = one

    def of(self, name: str) -> Json:
        """The Observation behind a fact; empty when there is none."""
        return self._latest.get(name, {})

    def number(self, name: str) -> float | None:
        """A value as number."""
        value = self.of(name).get("valueQuantity", {}).get("value")
        return None if value is None else float(value)

    def yes(self, name: str) -> bool:
        """Whether a coded answer is a yes."""
        said = {str(one.get("code")) for one in self.of(name).get("valueCodeableConcept", {}).get("coding", ())}
        return bool(said & {*map(str, rules.load(PACKAGE, "facts.yaml").body["yes"])})

    def letter(self, name: str) -> str:
        """A Child-Pugh class."""
        one = self.of(name)
        text = str(one.get("valueString") or one.get("valueCodeableConcept", {}).get("text", ""))
        return next((letter for letter in "CBA" if letter in text.upper()), "")


def counts(row: Mapping[str, Any], at: str, on: date, *, young: bool) -> bool:
    """Whether a value of a moment still counts on a day; one without a moment does not."""
    moment = day(at)
    return moment is not None and moment >= on - timedelta(days=row["child_days" if young else "days"])


def _at(observation: Json) -> str:
    return str(observation.get("effectiveDateTime") or observation.get("effectivePeriod", {}).get("end") or observation.get("issued") or "")


def _pregnant(values: _Values) -> int | None:
    """The week of pregnancy; 0 where only the state is known; None where nothing recent says so."""
    if not values.yes("pregnant"):
        return None
    return int(values.number("weeks") or 0)


def _filtration(values: _Values, born: date | None, sex: str, on: date) -> float | None:
    quantity = values.of("creatinine").get("valueQuantity", {})
    if born is None or quantity.get("value") is None:
        return None
    unit = str(quantity.get("code") or quantity.get("unit") or "")
    return filtration(float(quantity["value"]), unit, sex, (on - born).days / _YEAR)


def filtration(creatinine: float, unit: str, sex: str, years: float) -> float | None:
    """The estimated glomerular filtration in ml/min/1.73 m2 by CKD-EPI 2021; None for children, or where sex is not known."""
    said = rules.load(PACKAGE, "kidney.yaml").map
    who: Mapping[str, float] | None = said.get(sex) if sex in {"female", "male"} else None
    if who is None or years < said["years"] or creatinine <= 0:
        return None
    ratio = creatinine / (said["micromoles"] if unit.casefold() in _MICROMOLES else 1) / who["kappa"]
    value = said["factor"] * min(ratio, 1) ** who["alpha"] * max(ratio, 1) ** said["steep"] * said["fading"] ** years * who["sex"]
    return round(value, 1)


def _is_active(resource: Json) -> bool:
    states = {str(one.get("code")) for one in resource.get("clinicalStatus", {}).get("coding", ())}
    verified = {str(one.get("code")) for one in resource.get("verificationStatus", {}).get("coding", ())}
    return not states & {"inactive", "resolved", "remission"} and not verified & {"refuted", "entered-in-error"}


def _allergy(resource: Json) -> Allergy:
    concept = resource.get("code", {})
    coded = next((one for one in concept.get("coding", ()) if one.get("code")), {})
    severe = resource.get("criticality") == "high" or any(one.get("severity") == "severe" for one in resource.get("reaction", ()))
    return Allergy(str(concept.get("text") or coded.get("display", "")), str(coded.get("code", "")), severe)


def _taken(resource: Json) -> Taken:
    """What a MedicationRequest or MedicationStatement says is taken; an order that says no end counts as long as it is active."""
    concept = resource["medicationCodeableConcept"]
    days = resource.get("dispenseRequest", {}).get("expectedSupplyDuration", {}).get("value")
    start = day(resource.get("authoredOn"))
    ends = day(resource.get("effectivePeriod", {}).get("end"))
    until = start + timedelta(days=min(float(days), 3650)) if start and days is not None else ends
    return Taken(
        str(concept.get("text", "")), next(iter(_coded(concept, CATALOGUE_SYSTEM)), ""), next(iter(_coded(concept, _ATC)), ""), until, number_of(resource))


def _coded(concept: Json, system: str) -> list[str]:
    return [str(one["code"]) for one in concept.get("coding", ()) if one.get("system") == system and "code" in one]


def day(text: object) -> date | None:
    """The day of a FHIR date or instant; None for what is none."""
    try:
        return date.fromisoformat(str(text)[:10])
    except ValueError:
        return None


def check_example(rule: Rule, given: Mapping[str, Any]) -> bool:
    """Whether a value of an age counts."""
    on = date(2026, 1, 1)
    return counts(rule.map[given["fact"]], (on - timedelta(days=given["days_old"])).isoformat(), on, young=bool(given.get("child")))


def check_kidney(rule: Rule, given: Mapping[str, Any]) -> int:
    """The filtration in whole ml/min."""
    del rule
    return round(filtration(given["creatinine"], given["unit"], given["sex"], given["years"]) or 0)
