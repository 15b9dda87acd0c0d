"""The facts of a patient are read from the record, and what is too old says nothing."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from kangyun.support.drugs.decisions.facts import Found, facts, filtration
from kangyun.support.drugs.model import Taken

ON = date(2026, 11, 22)
WOMAN: dict[str, Any] = {"resourceType": "Patient", "birthDate": "1956-11-22", "gender": "female"}


def observed(code: str, days_ago: int, value: float | None = None, unit: str = "", **more: Any) -> dict[str, Any]:
    quantity = {"valueQuantity": {"value": value, "unit": unit}} if value is not None else {}
    return {
        "resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "effectiveDateTime": f"{ON - timedelta(days=days_ago)}T08:00:00+08:00", **quantity, **more}


YES: dict[str, Any] = {"valueCodeableConcept": {"coding": [{"system": "http://loinc.org", "code": "LA15173-0"}]}}


def test_the_latest_value_counts_and_an_old_one_does_not() -> None:
    found = facts(Found(WOMAN, observations=[observed("29463-7", 10, 61), observed("29463-7", 300, 70), observed("33914-3", 700, 90)]), ON)
    assert found.weight == 61
    assert found.egfr is None
    assert facts(Found({**WOMAN, "birthDate": "2020-01-01"}, observations=[observed("29463-7", 200, 15)]), ON).weight is None, "a child has grown"


def test_what_was_entered_in_error_does_not_count() -> None:
    assert facts(Found(WOMAN, observations=[observed("29463-7", 10, 610, status="entered-in-error")]), ON).weight is None


def test_filtration_is_estimated_from_creatinine_where_no_laboratory_says_it() -> None:
    found = facts(Found(WOMAN, observations=[observed("14682-9", 5, 176.8, "umol/L")]), ON)
    assert found.egfr == filtration(2.0, "mg/dL", "female", 70)
    assert found.egfr is not None
    assert 25 < found.egfr < 27
    told = facts(Found(WOMAN, observations=[observed("14682-9", 5, 176.8, "umol/L"), observed("33914-3", 6, 55)]), ON)
    assert told.egfr == 55, "what the laboratory says goes first"
    assert filtration(60, "umol/L", "female", 9) is None, "the equation is for adults"
    assert filtration(60, "umol/L", "", 40) is None


def test_pregnancy_breast_feeding_and_alcohol() -> None:
    young = {**WOMAN, "birthDate": "1996-01-01"}
    found = facts(Found(young, observations=[observed("82810-3", 20, **YES), observed("11884-4", 20, 12), observed("63895-7", 20, **YES), observed("74013-4", 20, 3)]), ON)
    assert (found.pregnant, found.lactating, found.drinks) == (12, True, True)
    assert facts(Found(young, observations=[observed("82810-3", 20, **YES)]), ON).pregnant == 0
    assert facts(Found(young, observations=[observed("82810-3", 400, **YES)]), ON).pregnant is None


def test_problems_allergies_and_medicine_of_today() -> None:
    active = {"clinicalStatus": {"coding": [{"code": "active"}]}}
    gone = {"clinicalStatus": {"coding": [{"code": "resolved"}]}}
    icd = "http://hl7.org/fhir/sid/icd-10"
    conditions = [{**active, "code": {"coding": [{"system": icd, "code": "I10"}]}}, {**gone, "code": {"coding": [{"system": icd, "code": "K25"}]}}]
    allergies = [{**active, "code": {"text": "青霉素"}, "criticality": "high"}, {**active, "verificationStatus": {"coding": [{"code": "refuted"}]}, "code": {"text": "磺胺"}}]
    orders = [{"authoredOn": "2026-11-01", "medicationCodeableConcept": {"coding": [{"system": "urn:kangyun:drug", "code": "warfarin"}], "text": "华法林"},
               "dispenseRequest": {"expectedSupplyDuration": {"value": 28}}, "groupIdentifier": {"system": "urn:kangyun:prescription", "value": "R1"}}]
    statements = [{"medicationCodeableConcept": {"coding": [{"system": "http://www.whocc.no/atc", "code": "B01AC06"}], "text": "阿司匹林"}},
                  {"medicationReference": {"reference": "Medication/x"}}]
    found = facts(Found(WOMAN, allergies, conditions, orders, statements), ON)
    assert found.conditions == ("I10",)
    assert [(one.text, one.severe) for one in found.allergies] == [("青霉素", True)]
    assert found.takes == (Taken("华法林", "warfarin", until=date(2026, 11, 29), number="R1"), Taken("阿司匹林", atc="B01AC06"))


def test_a_guardian_whom_the_visit_has_seen_is_there() -> None:
    seen = {"extension": [{"url": "urn:kangyun:internet-hospital:guardian-seen", "valueBoolean": True}]}
    assert facts(Found(WOMAN, encounter=seen), ON).guardian
    assert not facts(Found(WOMAN, encounter={"extension": [{"url": "urn:kangyun:internet-hospital:guardian", "valueBoolean": True}]}), ON).guardian
    assert not facts(Found(WOMAN), ON).guardian


def test_nothing_known_is_nothing_said() -> None:
    empty = facts(Found({}), ON)
    assert (empty.born, empty.sex, empty.weight, empty.egfr, empty.pregnant, empty.takes) == (None, "", None, None, None, ())
