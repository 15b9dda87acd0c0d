"""The artefact holds the whole of R4, small and quick to load."""

from __future__ import annotations

import pytest

from kangyun.base.fhir import definitions
from kangyun.base.fhir.compile.search import branch

R4 = definitions.load()


def test_it_has_every_type():
    kinds = [t.kind for t in R4.types.values() if "." not in t.name]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "resource": 148,
        "complex-type": 41,
        "primitive-type": 20,
    }
    assert len(R4.resources) == 146


def test_it_has_every_search_parameter():
    found = {p.url: p for params in R4.search_params.values() for p in params.values()}
    assert len(found) == 1375
    assert sorted(p.code for p in found.values() if p.expression is None) == ["_content", "_query", "_text"]
    assert R4.search_params.keys() == R4.resources


def test_a_parameter_of_several_types_is_cut_down_to_one():
    assert R4.search_params["Observation"]["code"].expression == "Observation.code"
    assert R4.search_params["Patient"]["_id"].expression == "Resource.id"


def test_a_union_inside_brackets_stays_whole():
    assert branch("(A.x | A.y).z | B.q", "A") == "(A.x | A.y).z"


def test_composites_name_their_components():
    parts = R4.search_params["Observation"]["code-value-quantity"].components
    assert [(p.code, p.expression) for p in parts] == [("code", "code"), ("value-quantity", "value.as(Quantity)")]


def test_an_element_says_what_the_specification_says():
    contact = R4.types["Patient"].elements["contact"]
    assert (contact.min, contact.max, contact.structure) == (0, "*", "Patient.contact")
    deceased = R4.types["Patient"].elements["deceased"]
    assert (deceased.choice, deceased.summary, deceased.modifier) == (True, True, True)
    assert list(deceased.names()) == ["deceasedBoolean", "deceasedDateTime"]
    repeated = R4.types["Observation.component"].elements["referenceRange"]
    assert repeated.structure == repeated.content_reference == "Observation.referenceRange"
    subject = R4.types["Observation"].elements["subject"]
    assert subject.types[0].targets == ("Device", "Group", "Location", "Patient")
    assert R4.types["Patient"].elements["id"].types[0].code == "id"


# The code systems behind these are grammars or belong to others.
OPEN = {"mimetypes", "ucum-units", "LL379-9"}


def test_every_required_binding_has_its_codes():
    elements = [e for t in R4.types.values() for e in t.elements.values()]
    required = {e.binding.valueset for e in elements if e.binding and e.binding.strength == "required"}
    assert len(required) > 200
    assert {url.rsplit("/", 1)[-1] for url in required if R4.codes(url) is None} == OPEN


def test_codes_come_with_their_system():
    system = "http://hl7.org/fhir/administrative-gender"
    codes = R4.codes("http://hl7.org/fhir/ValueSet/administrative-gender|4.0.1")
    assert codes == {(system, code) for code in ("male", "female", "other", "unknown")}


def test_the_patient_compartment_is_known():
    assert R4.compartment_patient["Observation"] == ["subject", "performer"]
    assert "Organization" not in R4.compartment_patient


def test_core_extensions_are_known():
    found = R4.extensions["http://hl7.org/fhir/StructureDefinition/patient-birthPlace"]
    assert ([t.code for t in found.types], found.contexts, found.modifier) == (["Address"], ("Patient",), False)


def test_kinds_follow_the_ancestors():
    assert definitions.is_kind_of(R4, "Age", "Quantity")
    assert not definitions.is_kind_of(R4, "Quantity", "Age")


def test_the_artefact_is_compact():
    assert definitions.ARTEFACT.stat().st_size < 1_500_000


def test_an_older_artefact_is_refused():
    with pytest.raises(definitions.DefinitionsMissingError, match="make setup"):
        definitions.Definitions(_empty_archive())


def _empty_archive() -> bytes:
    return b"PK\x05\x06" + b"\x00" * 18
