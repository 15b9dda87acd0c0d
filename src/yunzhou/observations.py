"""Laboratory results, vital signs and whole reports as FHIR R4 resources."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from decimal import Decimal

from yunzhou import documents, laboratory
from yunzhou.fhir import LOINC, TERMS, UCUM, Json, coding, concept, instant, practitioner, term
from yunzhou.institutions import Institution
from yunzhou.laboratory import Report, Result
from yunzhou.plans import CHINA
from yunzhou.truth import urn
from yunzhou.vaccines import Due
from yunzhou.visits import VITALS, Allergen, Visit

Numbered = tuple[str, Json]


def of_report(visit: Visit, report: Report, subject: str, encounter: str) -> Iterator[Numbered]:
    """Yield number and Observation of each result; the two blood pressures are one Observation with components."""
    category = "vital-signs" if report.panel in VITALS else "laboratory"
    base: Json = {
        "resourceType": "Observation", "status": "final", "category": [term("observation-category", category)],
        "subject": {"reference": subject}, "encounter": {"reference": encounter}, "issued": instant(report.issued),
        "performer": [practitioner(visit.doctor, visit.institution)],
    }  # fmt: skip
    pressures = [result for result in report.results if result.item in {"sbp", "dbp"}]
    for result in report.results:
        if result not in pressures:
            yield (
                f"{report.number}-{result.item}",
                {**base, "effectiveDateTime": instant(result.at), **_measured(result, visit.institution)},
            )
    if pressures:
        code = concept("血压", coding(LOINC, "85354-9", "Blood pressure panel"))
        parts = [_measured(result, visit.institution) for result in pressures]
        at = instant(pressures[0].at)
        yield f"{report.number}-bp", {**base, "effectiveDateTime": at, "code": code, "component": parts}


def _measured(result: Result, house: Institution) -> Json:
    """Return code, value, flag and range; they have the same names in an Observation and in a component."""
    item = laboratory.catalogue().items[result.item]
    public = [coding(LOINC, item.loinc, item.english)] if item.loinc else []
    codes = [*public, coding(urn(house.system("item")), item.local, item.name)]
    flag = [term("v3-ObservationInterpretation", result.flag)] if result.flag else []
    return {
        "code": concept(item.name, *codes), **_value(result), **({"interpretation": flag} if flag else {}),
        **({"referenceRange": [_range(result)]} if result.low or result.high else {}),
    }  # fmt: skip


def _value(result: Result) -> Json:
    if not result.numeric:
        return {"valueString": result.value}
    return {"valueQuantity": _quantity(result.value, result.unit)}


def _range(result: Result) -> Json:
    bounds = (("low", result.low), ("high", result.high))
    return {name: _quantity(value, result.unit) for name, value in bounds if value}


def _quantity(value: str, unit: str) -> Json:
    return {"value": Decimal(value), "unit": unit, "system": UCUM, "code": unit}


def allergy(allergen: Allergen, visit: Visit, subject: str) -> Json:
    """Return AllergyIntolerance."""
    category = {"DA": "medication", "FA": "food", "EA": "environment"}[allergen.kind]
    severity = {"MI": "mild", "MO": "moderate", "SV": "severe"}[allergen.severity]
    return {
        "resourceType": "AllergyIntolerance", "clinicalStatus": term("allergyintolerance-clinical", "active"),
        "verificationStatus": term("allergyintolerance-verification", "confirmed"), "category": [category],
        "code": concept(allergen.name, coding(urn(visit.institution.system("item")), allergen.code, allergen.english)),
        "patient": {"reference": subject}, "recordedDate": instant(visit.start),
        "reaction": [{"manifestation": [{"text": allergen.reaction}], "severity": severity}],
    }  # fmt: skip


def immunisation(dose: Due, visit: Visit, subject: str, encounter: str) -> Json:
    """Return Immunization of a given dose."""
    return {
        "resourceType": "Immunization", "status": "completed",
        "vaccineCode": concept(dose.name, coding("http://hl7.org/fhir/sid/cvx", dose.code)),
        "patient": {"reference": subject}, "encounter": {"reference": encounter}, "occurrenceDateTime": instant(visit.start),
        "primarySource": True, "lotNumber": f"{visit.start.astimezone(CHINA):%Y%m}-{dose.code}",
        "route": {"coding": [coding(f"{TERMS}/v3-RouteOfAdministration", ROUTES[dose.route])]},
        "performer": [{"actor": practitioner(visit.doctor, visit.institution)}],
        "protocolApplied": [{"doseNumberPositiveInt": dose.number}],
    }  # fmt: skip


ROUTES = {"IM": "IM", "SC": "SQ", "ID": "IDINJ", "PO": "PO"}


def document(visit: Visit, title: str, subject: str, encounter: str) -> Json:
    """Return DocumentReference of the report of an examination, as PDF."""
    page = documents.pdf(documents.checkup_report(visit))
    attachment: Json = {
        "contentType": "application/pdf", "language": "zh-CN", "data": base64.b64encode(page).decode(),
        "title": title, "creation": instant(visit.end),
    }  # fmt: skip
    return {
        "resourceType": "DocumentReference", "status": "current",
        "type": concept(title, coding(LOINC, "11502-2", "Laboratory report")), "subject": {"reference": subject},
        "date": instant(visit.end), "content": [{"attachment": attachment}],
        "context": {"encounter": [{"reference": encounter}]}, "author": [practitioner(visit.doctor, visit.institution)],
    }  # fmt: skip
