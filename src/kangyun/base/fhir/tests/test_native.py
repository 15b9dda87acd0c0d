"""What is written in Python for speed says the same as the FHIRPath of the definitions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kangyun.base.fhir import definitions
from kangyun.base.fhir.fhirpath import compile_invariant
from kangyun.base.fhir.tests import samples
from kangyun.base.fhir.tests.test_validation import changed
from kangyun.base.fhir.validation import explain, native, shapes

Json = dict[str, Any]

times = st.sampled_from(
    [
        "2023", "2024", "2024-02", "2024-02-28", "2024-02-29", "2024-03-01", "2024-02-29T00:00:00Z",
        "2024-02-29T00:00:00+08:00", "2024-02-28T23:30:00-01:00", "2024-02-28T23:30:00.5Z", "2024-02-28T23:30:00.50Z",
        "2024-02-28T23:30:00.500+08:00", "2024-02-29T01:00:00+08:00",
    ]
)  # fmt: skip


def rule(key: str, type_name: str) -> native.Test:
    found = next(c for c in definitions.load().types[type_name].constraints if c.key == key)
    return compile_invariant(found.expression, type_name)


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional={"start": times, "end": times}))
def test_period_order_is_that_of_fhirpath(period: Json):
    by_definition = rule("per-1", "Period")
    assert native.faster("per-1", by_definition)(period, period, period) == by_definition(period, period, period)


codings = st.lists(st.sampled_from([{"system": "http://x.org", "code": "a"}, {"code": "a"}, {"code": "b"}]), min_size=1)
observations = st.fixed_dictionaries(
    {"resourceType": st.just("Observation"), "code": st.fixed_dictionaries({"coding": codings})},
    optional={
        "valueString": st.just("x"),
        "dataAbsentReason": st.just({"text": "x"}),
        "component": st.lists(st.fixed_dictionaries({"code": st.fixed_dictionaries({"coding": codings})}), min_size=1),
    },
)


@settings(deadline=None)
@given(observations, st.sampled_from(["obs-6", "obs-7"]))
def test_observation_rules_are_those_of_fhirpath(observation: Json, key: str):
    by_definition = rule(key, "Observation")
    quick = native.faster(key, by_definition)
    assert quick(observation, observation, observation) == by_definition(observation, observation, observation)


M, P = samples.MEDICATION_REQUEST, samples.PATIENT
CONTAINED = [
    M,
    changed(M, "medicationReference/reference", "Medication/1"),
    changed(M, "contained/0/meta", {"versionId": "1"}),
    changed(M, "contained/0/meta", {"lastUpdated": "2024-01-01T00:00:00Z"}),
    changed(M, "contained/0/meta", {"security": [{"code": "R"}]}),
    changed(M, "contained/0/meta", {"tag": [{"code": "R"}]}),
    changed(M, "contained/0/contained", [{"resourceType": "Basic", "id": "b", "code": {"text": "x"}}]),
]
KEYS = {
    "dom-2": "fhir.contained-nested",
    "dom-3": "fhir.contained-unused",
    "dom-4": "fhir.contained-version",
    "dom-5": "fhir.contained-security",
}


@pytest.mark.parametrize("rule_key", KEYS)
@pytest.mark.parametrize("number", range(len(CONTAINED)))
def test_rules_of_contained_resources_are_those_of_fhirpath(rule_key: str, number: int):
    resource = CONTAINED[number]
    holds = rule(rule_key, "MedicationRequest")(resource, resource, resource)
    assert holds == (KEYS[rule_key] not in {issue.key for issue in explain(resource)})


EXTENSIONS = [
    {"url": "http://x.org", "valueCode": "a"},
    {"url": "http://x.org"},
    {"url": "http://x.org", "extension": [{"url": "a", "valueCode": "b"}]},
    {"url": "http://x.org", "valueCode": "a", "extension": [{"url": "a", "valueCode": "b"}]},
    {"url": "http://x.org", "_valueCode": {"extension": [{"url": "a", "valueCode": "b"}]}},
]


@pytest.mark.parametrize("number", range(len(EXTENSIONS)))
def test_value_or_extensions_is_that_of_fhirpath(number: int):
    extension = EXTENSIONS[number]
    holds = rule("ext-1", "Extension")(extension, extension, extension)
    found = explain(changed(P, "extension/0", extension))
    assert holds == ("fhir.extension-value" not in {issue.key for issue in found})


@pytest.mark.parametrize(
    "reference", ["#med", "#other", "Medication/1", "urn:uuid:00000000-0000-0000-0000-000000000000"]
)
def test_contained_references_are_those_of_fhirpath(reference: str):
    resource = changed(M, "medicationReference/reference", reference)
    node = resource["medicationReference"]
    holds = rule("ref-1", "Reference")(node, resource, resource)
    assert holds == ("fhir.reference-contained" not in {issue.key for issue in explain(resource)})


def test_every_rule_left_to_the_walk_is_known_by_the_definitions():
    stated = {c.key for t in definitions.load().types.values() for c in t.constraints}
    stated |= {c.key for t in definitions.load().types.values() for e in t.elements.values() for c in e.constraints}
    assert stated > shapes.BUILT_IN
