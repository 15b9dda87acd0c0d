"""What the statistics need of a message: which particulars it has, how its codes are, without any value of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from kangyun.base import rules
from kangyun.commons.exchange.model import MEASURED, Facts, Matching
from kangyun.commons.population import ID_NUMBER_SYSTEM, is_id_number

_PACKAGE = "kangyun.commons.exchange"
_BIT = {name: 1 << place for place, name in enumerate(MEASURED)}
_WITH_CODE = {
    "AllergyIntolerance", "Condition", "DiagnosticReport", "Immunization", "MedicationAdministration", "MedicationDispense",
    "MedicationRequest", "MedicationStatement", "Observation", "Procedure", "ServiceRequest",
}
_CODE = ("code", "medicationCodeableConcept", "vaccineCode")
_TIMES = (
    "effectiveDateTime", "effectivePeriod", "effectiveInstant", "period", "performedDateTime", "performedPeriod", "occurrenceDateTime",
    "authoredOn", "recordedDate", "onsetDateTime", "issued", "whenHandedOver", "date",
)
_DOCTORS = ("participant", "performer", "resultsInterpreter", "requester", "recorder", "asserter", "author")
_TIMED = _WITH_CODE | {"Encounter", "DocumentReference"}


class _Marks:
    """The bits that are asked for and filled; a particular that is missing once counts as missing."""

    def __init__(self) -> None:
        self.asked = 0
        self.missing = 0

    def note(self, name: str, there: object) -> None:
        self.asked |= _BIT[name]
        if not there:
            self.missing |= _BIT[name]


def facts_of(
    patients: Sequence[dict[str, Any]], resources: Iterable[dict[str, Any]], occurred: str = "", matching: Matching = "",
) -> Facts:
    """The facts of a message from the Patients and the other resources that it tells of, before or after they are stored."""
    marks, codes, coded, entries = _Marks(), 0, 0, len(patients)
    for patient in patients:
        _of_patient(marks, patient)
    whole, public = list(resources), tuple(rules.load(_PACKAGE, "quality.yaml").body["public_systems"])
    for resource in whole:
        entries += 1
        for concept in _concepts(resource):
            codes += 1
            coded += _is_public(concept, public)
        _of_resource(marks, resource, whole)
    return Facts(occurred, marks.asked, marks.asked & ~marks.missing, codes, coded, matching, entries)


def _of_patient(marks: _Marks, patient: dict[str, Any]) -> None:
    names = patient.get("name") or [{}]
    number = _id_number(patient)
    marks.note("name", names[0].get("text") or names[0].get("family"))
    marks.note("sex", patient.get("gender") in {"male", "female", "other"})
    marks.note("born", patient.get("birthDate"))
    marks.note("id_number", number)
    marks.note("phone", any(one.get("system") in {None, "phone"} and one.get("value") for one in patient.get("telecom") or ()))
    marks.note("address", patient.get("address"))
    marks.note("contact", patient.get("contact"))
    if len(number) == 18 and is_id_number(number) and (patient.get("birthDate") or patient.get("gender")):
        marks.note("agrees", _agrees(number, patient))


def _id_number(patient: dict[str, Any]) -> str:
    found = (one.get("value") for one in patient.get("identifier") or () if one.get("system") == ID_NUMBER_SYSTEM)
    return str(next(found, None) or "")


def _agrees(number: str, patient: dict[str, Any]) -> bool:
    """Whether birth date and sex are those that the identity number says (GB 11643-1999: digits 7 to 14 and 17)."""
    born, sex = f"{number[6:10]}-{number[10:12]}-{number[12:14]}", "male" if int(number[16]) % 2 else "female"
    return patient.get("birthDate", born) == born and patient.get("gender", sex) in {sex, "unknown", "other"}


def _of_resource(marks: _Marks, resource: dict[str, Any], whole: Sequence[dict[str, Any]]) -> None:
    type_ = resource.get("resourceType")
    if type_ in _TIMED:
        marks.note("time", any(resource.get(name) for name in _TIMES))
    if type_ in {"Encounter", "DiagnosticReport"}:
        marks.note("doctor", any(resource.get(name) for name in _DOCTORS))
    if type_ == "Encounter":
        _of_visit(marks, resource, whole)
    if type_ == "Observation" and isinstance(resource.get("valueQuantity"), dict):
        quantity = resource["valueQuantity"]
        marks.note("unit", quantity.get("unit") or quantity.get("code"))
        marks.note("range", resource.get("referenceRange"))


def _of_visit(marks: _Marks, visit: dict[str, Any], whole: Sequence[dict[str, Any]]) -> None:
    if visit.get("status") == "finished":
        told = any(one.get("resourceType") == "Condition" for one in whole)
        marks.note("diagnosis", told or visit.get("diagnosis") or visit.get("reasonCode"))
    period = visit.get("period") or {}
    if period.get("start") and period.get("end"):
        # Both come from one message and one zone, so their text is in the order of time.
        marks.note("order", str(period["start"]) <= str(period["end"]))


def _concepts(resource: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if resource.get("resourceType") in _WITH_CODE:
        for name in _CODE:
            if isinstance(resource.get(name), dict):
                yield resource[name]


def _is_public(concept: dict[str, Any], public: tuple[str, ...]) -> bool:
    return any(str(one.get("system") or "").startswith(public) and one.get("code") for one in concept.get("coding") or ())
