"""Each kind of fault is found, named by its message key and by the FHIRPath of the place."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from kangyun.base import errors
from kangyun.base.fhir import json
from kangyun.base.fhir.tests import samples
from kangyun.base.fhir.validation import validate

Json = dict[str, Any]
PROFILE = "http://hl7.org/fhir/StructureDefinition/"
XHTML = 'xmlns="http://www.w3.org/1999/xhtml"'


def changed(resource: Json, path: str, value: Any) -> Json:
    """A copy with the value at a dotted path (numbers are indexes) replaced; ``...`` deletes it."""
    result = copy.deepcopy(resource)
    *above, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    node: Any = result
    for step in above:
        node = node[step]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return result


P, L, B, C, M, G, T = (
    samples.PATIENT, samples.OBSERVATION, samples.BLOOD_PRESSURE, samples.CONDITION, samples.MEDICATION_REQUEST,
    samples.ORGANIZATION, samples.BUNDLE,
)  # fmt: skip

# resource, path of the change, new value, message key, FHIRPath of the fault
STRUCTURE = [
    (L, "status", ..., "fhir.cardinality-min", "Observation.status"),
    (L, "code", ..., "fhir.cardinality-min", "Observation.code"),
    (M, "medicationReference", ..., "fhir.cardinality-min", "MedicationRequest.medication"),
    (B, "component/1/code", ..., "fhir.cardinality-min", "Observation.component[1].code"),
    (P, "nickname", "x", "fhir.element-unknown", "Patient.nickname"),
    (P, "name/0/full", "x", "fhir.element-unknown", "Patient.name[0].full"),
    (P, "_name", {"id": "x"}, "fhir.element-unknown", "Patient._name"),
    (P, "deceased", True, "fhir.element-unknown", "Patient.deceased"),
    (P, "name", {"text": "李娜"}, "fhir.list-expected", "Patient.name"),
    (P, "name", "李娜", "fhir.list-expected", "Patient.name"),
    (P, "name/0", "李娜", "fhir.object-expected", "Patient.name[0]"),
    (P, "gender", ["female"], "fhir.list-unexpected", "Patient.gender"),
    (P, "maritalStatus", [{"text": "x"}], "fhir.list-unexpected", "Patient.maritalStatus"),
    (P, "name/0", ["x"], "fhir.list-unexpected", "Patient.name[0]"),
    (P, "name", [], "fhir.empty-list", "Patient.name"),
    (P, "name/0/given", [], "fhir.empty-list", "Patient.name[0].given"),
    (P, "maritalStatus", {}, "fhir.empty-object", "Patient.maritalStatus"),
    (P, "maritalStatus", {"id": "a"}, "fhir.empty-object", "Patient.maritalStatus"),
    (P, "birthDate", None, "fhir.null", "Patient.birthDate"),
    (P, "name/0/given", [None], "fhir.null", "Patient.name[0].given[0]"),
    (P, "name/0/_given", [None, {"id": "x"}], "fhir.padding", "Patient.name[0].given"),
    (P, "_birthDate", {"extension": [{"valueCode": "x"}]}, "fhir.cardinality-min", "Patient.birthDate.extension[0].url"),
    (L, "valueString", "x", "fhir.choice-many", "Observation.value"),
    (L, "_valueString", {"extension": [{"url": "http://x.org", "valueCode": "a"}]}, "fhir.choice-many", "Observation.value"),
    (P, "deceasedString", "x", "fhir.element-unknown", "Patient.deceasedString"),
    (L, "resourceType", "Observations", "fhir.resource-type-unknown", "Resource"),
    (L, "resourceType", "DomainResource", "fhir.resource-type-unknown", "Resource"),
    (L, "resourceType", ..., "fhir.resource-type-missing", "Resource"),
    (T, "entry/1/resource/status", ..., "fhir.cardinality-min", "Bundle.entry[1].resource.status"),
    (T, "entry/1/resource/resourceType", "X", "fhir.resource-type-unknown", "Bundle.entry[1].resource"),
    (M, "contained/0/brand", "x", "fhir.element-unknown", "MedicationRequest.contained[0].brand"),
]  # fmt: skip

PRIMITIVES = [
    (P, "active", "true", "fhir.primitive-type", "Patient.active"),
    (P, "birthDate", 1985, "fhir.primitive-type", "Patient.birthDate"),
    (P, "birthDate", "2023-02-30", "fhir.primitive-format", "Patient.birthDate"),
    (P, "birthDate", "2023-02-29", "fhir.primitive-format", "Patient.birthDate"),
    (P, "birthDate", "1900-02-29", "fhir.primitive-format", "Patient.birthDate"),
    (P, "birthDate", "2023-04-31", "fhir.primitive-format", "Patient.birthDate"),
    (P, "birthDate", "2023-13", "fhir.primitive-format", "Patient.birthDate"),
    (P, "birthDate", "0000", "fhir.primitive-format", "Patient.birthDate"),
    (P, "birthDate", "1985-3-7", "fhir.primitive-format", "Patient.birthDate"),
    (P, "birthDate", "1985-03-07T00:00:00Z", "fhir.primitive-format", "Patient.birthDate"),
    (P, "birthDate", "1985-03-07\n", "fhir.primitive-format", "Patient.birthDate"),
    (L, "effectiveDateTime", "2024-05-06T08:30:00", "fhir.primitive-format", "Observation.effective"),
    (L, "effectiveDateTime", "2024-05-06T08:30+08:00", "fhir.primitive-format", "Observation.effective"),
    (L, "effectiveDateTime", "2024-05-06T24:00:00Z", "fhir.primitive-format", "Observation.effective"),
    (L, "effectiveDateTime", "2024-05-06T08:30:00+15:00", "fhir.primitive-format", "Observation.effective"),
    (L, "issued", "2024-05-06", "fhir.primitive-format", "Observation.issued"),
    (P, "id", "李娜", "fhir.primitive-format", "Patient.id"),
    (P, "id", "x" * 65, "fhir.primitive-format", "Patient.id"),
    (P, "id", "a_b", "fhir.primitive-format", "Patient.id"),
    (P, "identifier/0/system", "urn:oid: 1", "fhir.primitive-format", "Patient.identifier[0].system"),
    (P, "telecom/0/rank", 0, "fhir.primitive-range", "Patient.telecom[0].rank"),
    (P, "telecom/0/rank", 2**31, "fhir.primitive-range", "Patient.telecom[0].rank"),
    (P, "telecom/0/rank", 1.0, "fhir.primitive-type", "Patient.telecom[0].rank"),
    (P, "telecom/0/rank", True, "fhir.primitive-type", "Patient.telecom[0].rank"),
    (L, "valueQuantity/value", "6.1", "fhir.primitive-type", "Observation.value.value"),
    (L, "valueQuantity/value", True, "fhir.primitive-type", "Observation.value.value"),
    (L, "valueQuantity/unit", "", "fhir.empty-string", "Observation.value.unit"),
    (L, "valueQuantity/code", " mmol", "fhir.primitive-format", "Observation.value.code"),
    (L, "valueQuantity/code", "a  b", "fhir.primitive-format", "Observation.value.code"),
    (P, "name/0/text", "李\x00娜", "fhir.control-character", "Patient.name[0].text"),
    (P, "name/0/text", "李\x1b娜", "fhir.control-character", "Patient.name[0].text"),
    (P, "name/0/given/0", "\x08", "fhir.control-character", "Patient.name[0].given[0]"),
    (P, "identifier/0/system", "urn:\x00", "fhir.control-character", "Patient.identifier[0].system"),
    (P, "name/0/text", "x" * (1024 * 1024 + 1), "fhir.string-length", "Patient.name[0].text"),
    (P, "photo", [{"contentType": "image/png", "data": "a"}], "fhir.primitive-format", "Patient.photo[0].data"),
]  # fmt: skip

MEANING = [
    (P, "gender", "f", "fhir.binding", "Patient.gender"),
    (P, "name/0/use", "Official", "fhir.binding", "Patient.name[0].use"),
    (C, "clinicalStatus/coding/0/code", "gone", "fhir.binding", "Condition.clinicalStatus"),
    (C, "clinicalStatus/coding/0/system", "http://x.org", "fhir.binding", "Condition.clinicalStatus"),
    (C, "clinicalStatus", {"text": "resolved"}, "fhir.binding", "Condition.clinicalStatus"),
    (L, "subject/reference", "Practitioner/1", "fhir.reference-target", "Observation.subject"),
    (L, "subject/reference", "https://x.org/fhir/Practitioner/1", "fhir.reference-target", "Observation.subject"),
    (L, "subject/reference", "Practitioner?name=x", "fhir.reference-target", "Observation.subject"),
    (L, "subject/reference", "Person7/1", "fhir.reference-format", "Observation.subject.reference"),
    (L, "focus", [{"reference": "Foo/1"}], "fhir.reference-target", "Observation.focus[0]"),
    (L, "subject/reference", "Patient/a b", "fhir.reference-format", "Observation.subject.reference"),
    (L, "subject/reference", "12345", "fhir.reference-format", "Observation.subject.reference"),
    (L, "subject/type", "Group", "fhir.reference-type", "Observation.subject.type"),
    (L, "subject/reference", "#p", "fhir.reference-contained", "Observation.subject.reference"),
    (L, "subject/reference", "#", "fhir.reference-contained", "Observation.subject.reference"),
    (M, "medicationReference/reference", "#other", "fhir.reference-contained", "MedicationRequest.medication.reference"),
    (M, "medicationReference/reference", "Medication/1", "fhir.contained-unused", "MedicationRequest.contained[0]"),
    (M, "contained/0/meta", {"versionId": "1"}, "fhir.contained-version", "MedicationRequest.contained[0].meta"),
    (M, "contained/0/meta", {"security": [{"code": "R"}]}, "fhir.contained-security", "MedicationRequest.contained[0].meta.security"),
    (M, "contained/0/contained", [{"resourceType": "Basic", "id": "b", "code": {"text": "x"}}], "fhir.contained-nested", "MedicationRequest.contained[0].contained"),
    (P, "extension/0/extension", [{"url": "a", "valueCode": "b"}], "fhir.extension-value", "Patient.extension[0]"),
    (P, "extension/0/valueCode", ..., "fhir.extension-value", "Patient.extension[0]"),
    (P, "extension/0/url", ..., "fhir.cardinality-min", "Patient.extension[0].url"),
    (P, "extension/1", {"url": PROFILE + "patient-birthPlace", "valueString": "x"}, "fhir.extension-type", "Patient.extension[1]"),
    (P, "extension/1", {"url": PROFILE + "patient-animal", "extension": [{"url": "species", "valueString": "x"}]}, "fhir.extension-type", "Patient.extension[1].extension[0]"),
    (P, "extension/1", {"url": PROFILE + "patient-animal", "valueString": "x"}, "fhir.extension-parts", "Patient.extension[1]"),
    (P, "modifierExtension", [{"url": PROFILE + "patient-birthPlace", "valueAddress": {"city": "x"}}], "fhir.extension-no-modifier", "Patient.modifierExtension[0]"),
    (G, "text/div", f"<div {XHTML}>", "fhir.narrative-malformed", "Organization.text.div"),
    (G, "text/div", "<div>x</div>", "fhir.narrative-div", "Organization.text.div"),
    (G, "text/div", f"<p {XHTML}>x</p>", "fhir.narrative-div", "Organization.text.div"),
    (G, "text/div", f"<div {XHTML}><script>x</script></div>", "fhir.narrative-forbidden", "Organization.text.div"),
    (G, "text/div", f'<div {XHTML}><p onclick="x">x</p></div>', "fhir.narrative-forbidden", "Organization.text.div"),
    (G, "text/div", f'<div {XHTML}><a href="javascript:x">x</a></div>', "fhir.narrative-forbidden", "Organization.text.div"),
    (G, "text/div", f'<!DOCTYPE d [<!ENTITY a "b">]><div {XHTML}>&a;</div>', "fhir.narrative-forbidden", "Organization.text.div"),
    (G, "text/div", f"<div {XHTML}> </div>", "fhir.narrative-empty", "Organization.text.div"),
]  # fmt: skip

RULES = [
    (P, "identifier/1/period/start", "2030-01-01", "per-1", "Patient.identifier[1].period"),
    (B, "effectivePeriod/end", "2024-05-06T00:31:00+01:00", "per-1", "Observation.effective"),
    (P, "contact/0", {"relationship": [{"text": "x"}]}, "pat-1", "Patient.contact[0]"),
    (L, "valueQuantity/system", ..., "qty-3", "Observation.value"),
    (P, "telecom/0/system", ..., "cpt-2", "Patient.telecom[0]"),
    (P, "photo", [{"data": "aGVsbG8="}], "att-1", "Patient.photo[0]"),
    (L, "referenceRange/0", {"appliesTo": [{"text": "x"}]}, "obs-3", "Observation.referenceRange[0]"),
    (L, "dataAbsentReason", {"text": "x"}, "obs-6", "Observation"),
    (L, "component", [{"code": L["code"]}], "obs-7", "Observation"),
    (C, "clinicalStatus/coding/0/code", "active", "con-4", "Condition"),
    (M, "dosageInstruction/0/timing/repeat/periodUnit", ..., "tim-2", "MedicationRequest.dosageInstruction[0].timing.repeat"),
    (M, "dosageInstruction/0/timing/repeat/period", -1, "tim-5", "MedicationRequest.dosageInstruction[0].timing.repeat"),
    (G, "telecom/0/use", "home", "org-3", "Organization.telecom[0]"),
    (T, "type", "searchset", "bdl-3", "Bundle"),
    (T, "total", 2, "bdl-1", "Bundle"),
    (T, "entry/1/fullUrl", "http://x.org/Observation/1/_history/1", "bdl-8", "Bundle.entry[1]"),
]  # fmt: skip


def named(cases: list[Any]) -> list[Any]:
    return [pytest.param(*case, id=f"{case[0]['resourceType']}.{case[1]}-{n}") for n, case in enumerate(cases)]


@pytest.mark.parametrize(("resource", "path", "value", "key", "expression"), named(STRUCTURE + PRIMITIVES + MEANING))
def test_it_names_the_fault(resource: Json, path: str, value: Any, key: str, expression: str):
    found = validate(changed(resource, path, value))
    assert (key, expression) in [(issue.key, issue.expression) for issue in found]
    assert all(issue.severity == "error" for issue in found)


@pytest.mark.parametrize(("resource", "path", "value", "rule", "expression"), named(RULES))
def test_it_names_the_rule(resource: Json, path: str, value: Any, rule: str, expression: str):
    found = validate(changed(resource, path, value))
    assert (rule, expression) in [(issue.params.get("rule"), issue.expression) for issue in found]


def test_one_fault_is_told_once():
    [issue] = validate(changed(P, "birthDate", "2023-02-30"))
    assert issue.key == "fhir.primitive-format"


def test_every_message_exists_in_both_languages_and_fills_its_places():
    cases = STRUCTURE + PRIMITIVES + MEANING
    for resource, path, value, _, _ in cases:
        for issue in validate(changed(resource, path, value)):
            for language in ("zh", "en"):
                text = errors.text(issue, language)
                assert "?" not in text, issue.key
                assert not text.startswith("fhir."), issue.key


def test_messages_do_not_repeat_what_was_sent():
    secret = "990102198503071234"
    found = validate(changed(P, "birthDate", secret)) + validate(changed(P, "gender", secret))
    outcome = json.dumps(errors.operation_outcome(found))
    assert found
    assert secret.encode() not in outcome


def test_a_hostile_resource_gets_a_short_answer():
    many = {f"x{n}": n for n in range(100_000)}
    assert len(validate({"resourceType": "Patient", **many})) <= 100
    assert len(validate({"resourceType": "Patient", "name": [{"given": [1] * 100_000}] * 2})) <= 100
    assert len(validate({"resourceType": "Patient", "name": [1] * 100_000})) <= 100


def test_advice_is_given_only_when_asked():
    assert validate(P) == []
    assert [(i.severity, i.params["rule"]) for i in validate(P, warnings=True)] == [("warning", "dom-6")]


def test_an_extension_out_of_its_context_is_advice():
    place = {"url": PROFILE + "patient-birthPlace", "valueAddress": {"city": "云州市"}}
    resource = changed(G, "extension", [place])
    assert validate(resource) == []
    assert [i.key for i in validate(resource, warnings=True)] == ["fhir.extension-context"]


ACCEPTED = [
    (P, "birthDate", "2024-02-29"),
    (P, "birthDate", "2000-02-29"),
    (P, "birthDate", "1985"),
    (L, "effectiveDateTime", "2024-05-06T08:30:60.123456+14:00"),
    (L, "valueQuantity/value", json.loads(b'{"v":1.50}')["v"]),
    (L, "valueQuantity/value", json.loads(b'{"v":1e-7}')["v"]),
    (L, "valueQuantity/value", json.loads(b'{"v":12345678901234567890.5}')["v"]),
    (L, "subject", {"identifier": {"value": "1"}}),
    (L, "subject", {"display": "李娜"}),
    (L, "subject/reference", "http://hospital.example.org/some/thing/else"),
    (L, "subject/reference", "urn:oid:1.2.3.4"),
    (P, "name/0/text", "一\n二\t三"),
    (P, "photo", [{"contentType": "image/png", "data": "aGVs\nbG8="}]),
]


@pytest.mark.parametrize(("resource", "path", "value"), named(ACCEPTED))
def test_it_accepts_what_is_right(resource: Json, path: str, value: Any):
    assert validate(changed(resource, path, value)) == []
