"""A prescription as FHIR and back: one MedicationRequest for each line, the facts of the sheet repeated in each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date
from typing import Any

from kangyun.support.drugs.model.catalogue import CATALOGUE_SYSTEM
from kangyun.support.drugs.model.circulation import LINE_SYSTEM, PRESCRIPTION_SYSTEM
from kangyun.support.drugs.model.review import Diagnosis, Line, Prescription

Json = dict[str, Any]

ICD10 = "http://hl7.org/fhir/sid/icd-10"
_SHEET = "urn:kangyun:extension:prescription"
_LINE = "urn:kangyun:extension:prescription-line"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/medicationrequest-category"
_CATEGORIES = {"inpatient": "inpatient", "internet": "community"}
_FREQUENCY = "urn:kangyun:frequency"
_ROUTE = "urn:kangyun:route"
# What the line says in FHIR's own elements, and what the sheet says there; all else is an extension.
_ELEMENTS = {"code", "name", "dose", "dose_unit", "frequency", "route", "days", "quantity", "quantity_unit", "remark"}
_HEADS = {"lines", "diagnoses", "on", "number", "missing"}


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands on each line of a prescription: whose it is, of which visit, by whom, where, and until when it is valid."""

    number: str
    patient: str
    encounter: str
    practitioner: str
    institution: str
    written: str
    starts: str
    ends: str
    replaces: str = ""


def requests(sheet: Sheet, said: Prescription, status: str) -> list[Json]:
    """The MedicationRequests of a prescription, with their ids."""
    return [_request(sheet, said, place, status) for place in range(len(said.lines))]


def _request(sheet: Sheet, said: Prescription, place: int, status: str) -> Json:
    line = said.lines[place]
    found: Json = {
        "resourceType": "MedicationRequest", "id": f"{sheet.number}-{place + 1}",
        "extension": [_extension(_SHEET, said, _HEADS), *_with_content(_extension(_LINE, line, _ELEMENTS))],
        "identifier": [{"system": LINE_SYSTEM, "value": f"{sheet.number}-{place + 1}"}],
        "status": status, "intent": "order", "category": [{"coding": [{"system": _CATEGORY, "code": _CATEGORIES.get(said.setting, "outpatient")}]}],
        "medicationCodeableConcept": {"coding": [{"system": CATALOGUE_SYSTEM, "code": line.code}], "text": line.name},
        "subject": {"reference": f"Patient/{sheet.patient}"},
        "encounter": {"reference": f"Encounter/{sheet.encounter}"}, "authoredOn": sheet.written,
        "requester": {"reference": f"Practitioner/{sheet.practitioner}"},
        "groupIdentifier": {"system": PRESCRIPTION_SYSTEM, "value": sheet.number},
        "dosageInstruction": [_dosage(line)],
        "dispenseRequest": {
            "validityPeriod": {"start": sheet.starts, "end": sheet.ends},
            "quantity": {"value": _number(line.quantity), "unit": line.quantity_unit},
            "expectedSupplyDuration": {"value": _number(line.days), "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"},
        },
    }
    if sheet.institution:
        found["supportingInformation"] = [{"reference": f"Organization/{sheet.institution}"}]
    if said.diagnoses:
        found["reasonCode"] = [{"coding": [{"system": ICD10, "code": one.code}], **({"text": one.text} if one.text else {})} for one in said.diagnoses]
    if sheet.replaces:
        found["priorPrescription"] = {"identifier": {"system": PRESCRIPTION_SYSTEM, "value": sheet.replaces}}
    if line.remark:
        found["note"] = [{"text": line.remark}]
    return found


def _dosage(line: Line) -> Json:
    found: Json = {"doseAndRate": [{"doseQuantity": {"value": _number(line.dose), "unit": line.dose_unit}}]}
    if line.frequency:
        found["timing"] = {"code": {"coding": [{"system": _FREQUENCY, "code": line.frequency}]}}
    if line.route:
        found["route"] = {"coding": [{"system": _ROUTE, "code": line.route}]}
    return found


def _extension(url: str, said: Line | Prescription, elsewhere: set[str]) -> Json:
    parts = [_part(name, value) for name, value in asdict(said).items() if name not in elsewhere and value not in ("", 0, False, (), None)]
    return {"url": url, "extension": parts}


def _with_content(extension: Json) -> list[Json]:
    return [extension] if extension["extension"] else []


def _part(name: str, value: Any) -> Json:
    if isinstance(value, bool):
        return {"url": name, "valueBoolean": value}
    if isinstance(value, int | float):
        return {"url": name, "valueDecimal": _number(value)}
    return {"url": name, "valueString": str(value)}


def _number(value: float) -> int | float:
    """Whole numbers without a point: what is written is what is signed."""
    return int(value) if float(value).is_integer() else value


def prescription_of(resources: Sequence[Json]) -> Prescription:
    """The prescription that MedicationRequests of one number are, in the order of their lines."""
    ordered = sorted(resources, key=_place)
    first = ordered[0]
    told: dict[str, Any] = {"kind": "western", **_told(first, _SHEET, Prescription)}
    return Prescription(
        lines=tuple(_line(one) for one in ordered),
        diagnoses=tuple(_diagnosis(one) for one in first.get("reasonCode", ())),
        on=date.fromisoformat(str(first.get("authoredOn", "0001-01-01"))[:10]),
        number=number_of(first), **told)


def _place(resource: Json) -> int:
    tail = str(resource.get("id", "")).rpartition("-")[2]
    return int(tail) if tail.isdigit() else 0


def number_of(resource: Json) -> str:
    """The number of the prescription that a MedicationRequest belongs to; '' of one that came from elsewhere."""
    group = resource.get("groupIdentifier", {})
    return str(group.get("value", "")) if group.get("system") == PRESCRIPTION_SYSTEM else ""


def _told(resource: Json, url: str, kind: type[Line | Prescription]) -> dict[str, Any]:
    known = {one.name: one.type for one in fields(kind)}
    found: dict[str, Any] = {}
    for outer in resource.get("extension", ()):
        for part in outer.get("extension", ()) if outer.get("url") == url else ():
            if part.get("url") in known:
                value = next((value for name, value in part.items() if name.startswith("value")), None)
                found[str(part["url"])] = int(value) if known[str(part["url"])] == "int" and value is not None else value
    return found


def _line(resource: Json) -> Line:
    dosage = next(iter(resource.get("dosageInstruction", ())), {})
    dose = next(iter(dosage.get("doseAndRate", ())), {}).get("doseQuantity", {})
    supply = resource.get("dispenseRequest", {})
    quantity = supply.get("quantity", {})
    concept = resource.get("medicationCodeableConcept", {})
    return Line(
        code=_coded(concept, CATALOGUE_SYSTEM), name=str(concept.get("text", "")), dose=float(dose.get("value", 0)), dose_unit=str(dose.get("unit", "")),
        frequency=_coded(dosage.get("timing", {}).get("code", {}), _FREQUENCY), route=_coded(dosage.get("route", {}), _ROUTE),
        days=float(supply.get("expectedSupplyDuration", {}).get("value", 0)), quantity=float(quantity.get("value", 0)),
        quantity_unit=str(quantity.get("unit", "")), remark=" ".join(str(one.get("text", "")) for one in resource.get("note", ())),
        **_told(resource, _LINE, Line))


def _diagnosis(concept: Json) -> Diagnosis:
    return Diagnosis(_coded(concept, ICD10), str(concept.get("text", "")))


def _coded(concept: Json, system: str) -> str:
    return next((str(one["code"]) for one in concept.get("coding", ()) if one.get("system") == system and "code" in one), "")
