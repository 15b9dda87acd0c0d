"""The smallest valid resource of every type of FHIR R4, in the compartment of a Patient where there is one."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from kangyun.base.fhir import definitions
from kangyun.base.fhir.definitions import ElementDef, TypeRef

# What the definitions do not say in a form that can be read off: elements of invariants, codes of open sets.
_MORE: dict[str, dict[str, Any]] = {
    "Encounter": {"class": {"code": "AMB"}},
    "Composition": {"type": {"text": "x"}},
    "Subscription": {"criteria": "Observation?status=final", "channel": {"type": "message"}},
    "Group": {"type": "person", "actual": True},
    "Bundle": {"type": "collection"},
    "AuditEvent": {"source": {"observer": {"display": "x"}}},
    "AllergyIntolerance": {"clinicalStatus": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "code": "active"}]}},
    "CapabilityStatement": {"kind": "requirements", "description": "x", "rest": [{"mode": "server"}]},
    "TerminologyCapabilities": {"kind": "requirements", "description": "x"},
    "Consent": {"policyRule": {"text": "x"}},
    "ImmunizationRecommendation": {"recommendation": [{"vaccineCode": [{"text": "x"}], "forecastStatus": {"text": "x"}}]},
    "InsurancePlan": {"name": "x"},
    "Linkage": {"item": [{"type": "source", "resource": {"display": "x"}}, {"type": "alternate", "resource": {"display": "y"}}]},
    "Organization": {"name": "x"},
    "StructureDefinition": {"differential": {"element": [{"id": "Patient", "path": "Patient"}]}, "kind": "resource", "type": "Patient"},
}
# States in which nothing is related to anybody (rules/relations.yaml).
_STATES = {
    "Encounter": "cancelled", "EpisodeOfCare": "cancelled", "CareTeam": "inactive", "ServiceRequest": "revoked",
    "Appointment": "cancelled", "Task": "cancelled",
}
_VALUES: dict[str, Any] = {
    "string": "x", "markdown": "x", "uri": "urn:x", "url": "http://x.test", "canonical": "http://x.test/x", "date": "2026-01-01",
    "dateTime": "2026-01-01", "instant": "2026-01-01T00:00:00Z", "boolean": True, "integer": 1, "positiveInt": 1, "unsignedInt": 1,
    "decimal": 1, "base64Binary": "eA==", "id": "x", "oid": "urn:oid:1.2", "uuid": "urn:uuid:00000000-0000-4000-8000-000000000000", "time": "10:00:00",
    "CodeableConcept": {"text": "x"}, "Coding": {"code": "x"}, "Identifier": {"value": "x"}, "Period": {"start": "2026-01-01"},
    "Money": {"value": 1, "currency": "CNY"}, "Quantity": {"value": 1}, "SimpleQuantity": {"value": 1}, "Attachment": {"title": "x"}, "Narrative": {"status": "empty", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'},
    "Expression": {"language": "text/fhirpath", "expression": "true"}, "TriggerDefinition": {"type": "named-event", "name": "x"},
    "DataRequirement": {"type": "Patient"}, "UsageContext": {"code": {"code": "x"}, "valueCodeableConcept": {"text": "x"}}, "Dosage": {"text": "x"},
    "HumanName": {"text": "x"}, "ContactPoint": {"value": "x"}, "Address": {"text": "x"}, "Annotation": {"text": "x"}, "Range": {}, "Ratio": {}, "Timing": {}, "Meta": {},
    "ProdCharacteristic": {}, "ProductShelfLife": {"type": {"text": "x"}, "period": {"value": 1}}, "Population": {}, "SubstanceAmount": {}, "MarketingStatus": {"country": {"text": "x"}, "status": {"text": "x"}, "dateRange": {"start": "2026-01-01"}},
}


def resource(type_: str, id_: str, patient: str | None) -> dict[str, Any]:
    """The smallest resource of a type; `patient` is the id of the Patient in whose compartment it is, or None."""
    made: dict[str, Any] = {"resourceType": type_, "id": id_, **_required(type_), **_MORE.get(type_, {})}
    if type_ in _STATES:
        made["status"] = _STATES[type_]
    if patient and type_ != "Patient":
        _put(made, type_, _way(type_), {"reference": f"Patient/{patient}"})
    return made


def _required(type_: str) -> dict[str, Any]:
    found = definitions.load().types[type_]
    return {name: value for element in found.elements.values() if element.min for name, value in _element(element).items()}


def _element(element: ElementDef) -> dict[str, Any]:
    name, type_ = next(iter(element.names().items()))
    value = _value(element, type_)
    return {name: [value] if element.repeats else value}


def _value(element: ElementDef, type_: TypeRef) -> Any:
    if element.structure:
        return _required(element.structure)
    if type_.code == "code":
        codes = definitions.load().codes(element.binding.valueset) if element.binding else None
        return min(codes)[1] if codes else "x"
    if type_.code in {"Reference", "canonical"}:
        return {"display": "x"} if type_.code == "Reference" else "http://x.test/x"
    return _VALUES[type_.code] if type_.code in _VALUES else _required(type_.code)


@cache
def _way(type_: str) -> tuple[str, ...]:
    """The path to the element that puts a resource of a type into a Patient's compartment."""
    loaded = definitions.load()
    for code in loaded.compartment_patient[type_]:
        parameter = loaded.search_params[type_][code]
        for branch in (parameter.expression or "").split("|"):
            path = re.sub(r"\.(where|as)\(.*$| as .*$|[()]", "", branch.strip())
            steps = tuple(path.split(".")[1:])
            if steps and _takes_patient(type_, steps):
                return steps
    raise AssertionError(type_)


def _takes_patient(type_: str, steps: tuple[str, ...]) -> bool:
    at = definitions.load().types[type_]
    for step in steps[:-1]:
        element = at.elements[step]
        at = definitions.load().types[element.structure or element.types[0].code]
    last = at.elements[steps[-1]]
    return any(not ref.targets or "Patient" in ref.targets or "Resource" in ref.targets for ref in last.types if ref.code == "Reference")


def _put(into: dict[str, Any], type_: str, steps: tuple[str, ...], reference: dict[str, str]) -> None:
    element = definitions.load().types[type_].elements[steps[0]]
    name = next((name for name, ref in element.names().items() if ref.code == "Reference"), steps[0])
    if len(steps) == 1:
        into[name] = [reference] if element.repeats else reference
        return
    inside = _required(element.structure or element.types[0].code)
    _put(inside, element.structure or element.types[0].code, steps[1:], reference)
    into[name] = [inside] if element.repeats else inside


def types() -> list[str]:
    """All types that can be stored; AuditEvent is served from the audit trail."""
    return sorted(set(definitions.load().resources) - {"OperationOutcome", "Parameters", "AuditEvent"})
