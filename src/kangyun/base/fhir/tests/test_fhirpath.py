"""FHIRPath by worked examples; the official suite is in tests/conformance."""

from __future__ import annotations

import contextlib
import itertools
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kangyun.base.fhir.definitions import load
from kangyun.base.fhir.fhirpath import (
    Expression,
    FhirPathError,
    Quantity,
    compile_fast,
    compile_invariant,
    plain,
)
from kangyun.base.fhir.fhirpath import compile as compile_expression
from kangyun.base.fhir.fhirpath.lexer import TOKEN
from kangyun.base.fhir.fhirpath.ucum import measure

EXAMPLES = Path(__file__).parents[5] / "node_modules" / "hl7.fhir.r4.examples"

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "li-na",
    "active": True,
    "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": "990101198803140029"}],
    "name": [
        {"use": "official", "family": "李", "given": ["娜"]},
        {"use": "nickname", "given": [None, "小娜"], "_given": [{"extension": [{"url": "x", "valueString": "?"}]}]},
    ],
    "telecom": [{"system": "phone", "value": "990-5550-0199"}, {"system": "email", "value": "li.na@yunzhou.example"}],
    "birthDate": "1988-03",
    "_gender": {
        "extension": [{"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}]
    },
    "deceasedBoolean": False,
    "contained": [{"resourceType": "Organization", "id": "o", "name": "云州"}],
    "generalPractitioner": [
        {"reference": "Practitioner/wang"},
        {"reference": "https://yunzhou.example/fhir/Organization/1"},
    ],
    "managingOrganization": {"reference": "#o"},
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "14749-6"}]},
    "subject": {"reference": "Patient/li-na"},
    "effectiveDateTime": "2026-11-22T07:30:00+08:00",
    "valueQuantity": {
        "value": Decimal("5.60"),
        "unit": "mmol/L",
        "system": "http://unitsofmeasure.org",
        "code": "mmol/L",
    },
}


def answer(expression: str, node: Any = None, **context: Any) -> list[Any]:
    return plain(compile_expression(expression).evaluate(node, **context))


def refusal(expression: str, node: Any = None, **options: Any) -> FhirPathError:
    with pytest.raises(FhirPathError) as caught:
        compile_expression(expression, **options).evaluate(node)
    return caught.value


# The language


def test_it_walks_over_lists_and_single_elements_alike() -> None:
    assert answer("Patient.name.given", PATIENT) == ["娜", None, "小娜"]
    assert answer("name.where(use = 'official').family", PATIENT) == ["李"]


def test_it_finds_a_choice_element_by_its_short_name() -> None:
    assert answer("deceased", PATIENT) == [False]
    assert answer("(Observation.value as Quantity).unit", OBSERVATION) == ["mmol/L"]
    assert answer("Observation.value.ofType(string)", OBSERVATION) == []


def test_it_sees_a_primitive_that_has_only_extensions() -> None:
    assert answer("gender.exists() and gender.hasValue().not()", PATIENT) == [True]
    assert answer("gender.extension.value", PATIENT) == ["unknown"]


def test_it_leaves_a_comparison_open_with_a_primitive_whose_value_is_absent() -> None:
    for expression in (
        "gender = 'female'",
        "gender != 'female'",
        "gender.startsWith('f')",
        "gender in ('male' | 'female')",
    ):
        assert answer(expression, PATIENT) == [], expression
        assert compile_invariant(expression, "Patient")(PATIENT), expression


def test_it_keeps_decimals_exact() -> None:
    assert answer("value.value.toString()", OBSERVATION) == ["5.60"]
    assert answer("0.1 + 0.2 = 0.3") == [True]
    assert answer("1 / 3 * 3 ~ 1.0") == [True]


def test_it_leaves_a_comparison_open_where_partial_dates_do_not_decide_it() -> None:
    assert answer("birthDate < @1988-03-14", PATIENT) == []
    assert answer("birthDate < @1988-04-01", PATIENT) == [True]
    assert answer("@2026-11-22T08:00 = @2026-11-22T00:00Z") == []
    assert answer("@2026-11-22T08:00+08:00 = @2026-11-22T00:00Z") == [True]


def test_it_moves_dates_by_calendar_units() -> None:
    assert answer("@2024-01-31 + 1 month") == ["2024-02-29"]
    assert answer("@2024-02-29 + 1 year") == ["2025-02-28"]
    assert answer("@2024 + 25 months") == ["2026"]
    assert answer("@T23:30 + 45 minutes") == ["00:15"]
    assert answer("@9999-12-31 + 1 day") == []


def test_it_compares_quantities_across_units() -> None:
    assert answer("1 'g/dL' = 10 'g/L'") == [True]
    assert answer("120 'mm[Hg]' < 20 'kPa'") == [True]
    assert answer("value > 5 'mmol/L'", OBSERVATION) == [True]
    assert answer("1 'kg' = 1 'm'") == [False]


def test_it_knows_the_answers_of_three_valued_logic() -> None:
    assert answer("{} and false") == [False]
    assert answer("{} or true") == [True]
    assert answer("{} implies true") == [True]
    assert answer("{} and true") == []


def test_it_takes_variables_from_its_caller() -> None:
    assert answer("%limit + 1", variables={"limit": 2}) == [3]
    assert answer("%resource.id & '/' & %context.family", PATIENT["name"][0], resource=PATIENT) == ["li-na/李"]


def test_it_resolves_contained_resources_and_asks_its_caller_for_others() -> None:
    wang = {"resourceType": "Practitioner", "id": "wang"}
    assert answer("managingOrganization.resolve().name", PATIENT) == ["云州"]
    assert answer("generalPractitioner.resolve().id", PATIENT, resolve={"Practitioner/wang": wang}.get) == ["wang"]
    assert answer("generalPractitioner.where(resolve() is Organization).count()", PATIENT) == [1]


def test_it_asks_its_caller_about_value_sets_and_profiles() -> None:
    expression = compile_expression("gender.memberOf('urn:v')")
    patient = {"resourceType": "Patient", "gender": "female"}
    assert expression.evaluate(patient) == []
    assert expression.evaluate(patient, member_of=lambda code, url: (code, url) == ("female", "urn:v")) == [True]
    assert compile_expression("conformsTo('urn:p')").evaluate(patient, conforms_to=lambda _, __: True) == [True]


def test_it_gives_one_moment_to_the_whole_evaluation() -> None:
    assert answer("now() = now() and today() <= now().toDate() ") == [True]


def test_it_finds_an_expression_without_a_type_by_its_names() -> None:
    assert answer("value.unit", {"valueQuantity": {"unit": "mg"}}) == ["mg"]
    assert answer("component.code.exists()", {"component": [{"code": {}}]}) == [True]


# Refusals


@pytest.mark.parametrize(
    ("expression", "position"),
    [
        ("name.", 5),
        ("name..given", 5),
        ("'open", 0),
        ("1 +", 3),
        ("a b", 2),
        ("/* open", 0),
        ("@2026-13-01", 0),
        ("f(1", 3),
    ],
)
def test_it_says_where_the_text_is_malformed(expression: str, position: int) -> None:
    assert refusal(expression).position == position


def test_it_refuses_what_does_not_exist_before_running() -> None:
    assert refusal("name.nickname", type_name="Patient").position == 5
    assert refusal("Encounter.status", type_name="Patient").position == 0
    assert refusal("name.frobnicate()").position == 5
    assert refusal("name.ofType(Nonsense)").position == 5
    assert refusal("name.where()").position == 5


def test_it_refuses_values_of_the_wrong_type() -> None:
    for expression in ("'a' - 'b'", "1 + 'a'", "1 < 'a'", "(1 | 2).not()", "@2026-01-01 + 1 'cm'", "'(' .matches('(')"):
        assert refusal(expression).position is not None


def test_it_refuses_nesting_without_end_instead_of_breaking() -> None:
    assert "deep" in str(refusal("(" * 5000))
    assert "deep" in str(refusal("1" + " + 1" * 5000))
    assert "deep" in str(refusal("a" + ".b" * 5000))


def test_its_messages_do_not_show_values_of_patients() -> None:
    assert "李" not in str(refusal("name.first().family - 1", PATIENT))


# Search parameters


def test_it_tells_the_type_of_every_value_it_extracts() -> None:
    assert (compile_fast("Observation.value", "Observation").types or set()) >= {
        "Quantity",
        "CodeableConcept",
        "dateTime",
        "Period",
    }
    assert compile_fast("(Observation.value as Quantity)", "Observation")(OBSERVATION) == [
        ("Quantity", OBSERVATION["valueQuantity"])
    ]
    assert compile_fast("Observation.effective", "Observation")(OBSERVATION) == [
        ("dateTime", "2026-11-22T07:30:00+08:00")
    ]
    assert compile_fast("Patient.name.given", "Patient")(PATIENT) == [("string", "娜"), ("string", "小娜")]


def test_it_judges_a_reference_by_its_text() -> None:
    practitioners = compile_fast("Patient.generalPractitioner.where(resolve() is Practitioner)", "Patient")
    assert practitioners(PATIENT) == [("Reference", {"reference": "Practitioner/wang"})]
    organizations = compile_fast("Patient.generalPractitioner.where(resolve() is Organization)", "Patient")
    assert organizations(PATIENT) == [("Reference", {"reference": "https://yunzhou.example/fhir/Organization/1"})]


def test_it_drops_the_parts_of_a_union_that_belong_to_other_types() -> None:
    both = compile_fast("Patient.telecom.where(system='email') | Person.telecom.where(system='email')", "Patient")
    assert both(PATIENT) == [("ContactPoint", PATIENT["telecom"][1])]
    assert both.types == {"ContactPoint"}


def test_it_extracts_a_condition_as_a_boolean() -> None:
    deceased = compile_fast("Patient.deceased.exists() and Patient.deceased != false", "Patient")
    assert deceased(PATIENT) == [("boolean", False)]
    assert deceased({"resourceType": "Patient", "deceasedDateTime": "2026"}) == [("boolean", True)]


def test_it_extracts_nothing_from_a_malformed_resource() -> None:
    assert compile_fast("Patient.name.given", "Patient")({"resourceType": "Patient", "name": ["李娜"]}) == []


def test_every_search_parameter_of_r4_has_static_types() -> None:
    for name, parameters in load().search_params.items():
        for found in parameters.values():
            assert found.expression is None or compile_fast(found.expression, name).types, found.url


# Invariants


def test_it_keeps_or_breaks_an_invariant() -> None:
    period = compile_invariant("start.hasValue().not() or end.hasValue().not() or (start <= end)", "Period")
    assert period({"start": "2026-01-01", "end": "2026-01-02"})
    assert not period({"start": "2026-01-02", "end": "2026-01-01"})
    assert period({"start": "2026-01-02", "end": "2026"})


def test_it_sees_the_resource_around_a_backbone_element() -> None:
    entry = compile_invariant("%resource.type = 'batch' or request.exists()", "Bundle.entry")
    assert entry({}, {"resourceType": "Bundle", "type": "batch"})
    assert not entry({}, {"resourceType": "Bundle", "type": "collection"})


def test_it_finds_contained_resources_that_nothing_refers_to() -> None:
    dom_3 = next(found for found in load().types["Patient"].constraints if found.key == "dom-3")
    used = compile_invariant(dom_3.expression, "Patient")
    assert used(PATIENT)
    assert not used({**PATIENT, "managingOrganization": {"display": "云州"}})


def test_it_checks_the_html_of_narratives() -> None:
    checks = compile_invariant("htmlChecks()", "xhtml")
    assert checks('<div xmlns="http://www.w3.org/1999/xhtml"><p>云州</p></div>')
    assert not checks('<div xmlns="http://www.w3.org/1999/xhtml"><script>x</script></div>')
    assert not checks('<div xmlns="http://www.w3.org/1999/xhtml"> </div>')
    assert not checks("<div>")


def invariants() -> list[tuple[str, str]]:
    """Constraints that stand on a resource as a whole, by type."""
    types = load().types
    return [(name, one.expression) for name in load().resources for one in types[name].constraints]


@pytest.mark.skipif(not EXAMPLES.exists(), reason="the official examples are not installed (make setup)")
def test_both_compilers_agree_on_the_official_examples() -> None:
    fast = {pair: compile_invariant(pair[1], pair[0]) for pair in invariants()}
    general: dict[str, Expression] = {expression: compile_expression(expression) for _, expression in fast}
    files = sorted(EXAMPLES.glob("[A-Z]*.json"))
    for file in itertools.islice(files, 0, None, 17):
        resource = json.loads(file.read_text(), parse_float=Decimal)
        for (name, expression), invariant in fast.items():
            if name == resource["resourceType"]:
                assert invariant(resource) is (general[expression].holds(resource) is not False), (
                    file.name,
                    expression,
                )


# Units


@pytest.mark.parametrize(
    ("code", "same"),
    [
        ("mg/dL", "10.mg/L"),
        ("10*9/L", "/nL"),
        ("{cells}/uL", "/mm3"),
        ("[lb_av]", "453.59237.g"),
        ("mm[Hg]", "0.133322.kPa"),
    ],
)
def test_it_reads_units(code: str, same: str) -> None:
    factor, _, unit = same.rpartition(".") if same[0].isdigit() else ("1", "", same)
    left, right = measure(code), measure(unit)
    assert left is not None
    assert right is not None
    assert left.dimension == right.dimension
    assert (
        left.factor
        == right.factor * Quantity(Decimal(factor)).value.as_integer_ratio()[0] / Decimal(factor).as_integer_ratio()[1]
    )


@pytest.mark.parametrize("code", ["", "mgg", "m//s", "(m", "m)", "10*9*9", "[xyz]", "m/0"])
def test_it_does_not_read_what_is_no_unit(code: str) -> None:
    assert measure(code) is None


# Any text at all

WORDS = st.sampled_from(
    [*"()[]{}.,|&=~<>+-*/%$@'`\\", "name", "where", "$this", "$total", "1", "2.5", "'a'", "@2026", "@T10", " is ", " as ", "div", "mod",
     " and ", "implies", "days", "iif(", "{}", "%resource", "first()", "children()", "toQuantity()", "Patient", "0", "//", "/*"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(WORDS, max_size=12).map("".join)))
@settings(max_examples=400, deadline=None)
def test_any_text_is_an_expression_or_a_fault_with_a_position(text: str) -> None:
    position = fault_position(text)
    assert position is None or 0 <= position <= len(text)


def fault_position(text: str) -> int | None:
    """Where an expression cannot be compiled; None when it can, and then it also runs without breaking."""
    try:
        compiled = compile_expression(text)
    except FhirPathError as fault:
        return -1 if fault.position is None else fault.position
    with contextlib.suppress(FhirPathError):
        compiled.evaluate(PATIENT)
    return None


# Any JSON at all

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False), st.text(max_size=4),
    st.sampled_from(["2026-02-30", "Patient/1", "#o", "1E999999999", "Patient", Decimal("1E999999999")]),
)  # fmt: skip
KEYS = st.sampled_from(
    ["resourceType", "id", "name", "_name", "given", "_given", "birthDate", "_birthDate", "extension", "url", "contained",
     "value", "valueQuantity", "deceasedBoolean", "multipleBirthInteger", "period", "start", "end", "identifier",
     "reference", "managingOrganization", "low", "high", "code", "system", "text", "div", "telecom", "meta"]
)  # fmt: skip
MANGLED = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)
ON_ANYTHING = [
    "descendants().distinct().count()", "name.given.first().upper()", "birthDate < today()", "identifier.period.start <= identifier.period.end",
    "managingOrganization.resolve().name", "multipleBirth + 1", "contained.where(id = 'o').name.exists()", "text.`div`.htmlChecks()",
    "extension('x').value ~ 1 'mg'", "children().where($this is Patient).id", "name = contained", "(birthDate | deceased).toString()",
]  # fmt: skip


@given(st.dictionaries(KEYS, MANGLED, max_size=6))
@settings(max_examples=150, deadline=None)
def test_any_json_gives_a_result_or_a_fault(node: dict[str, Any]) -> None:
    for whole in (node, {**node, "resourceType": "Patient"}):
        for expression in COMPILED:
            with contextlib.suppress(FhirPathError):
                expression.evaluate(whole)
        for invariant in INVARIANTS:
            with contextlib.suppress(FhirPathError):
                invariant(whole)
        for extract in EXTRACTS:
            assert isinstance(extract(whole), list)


COMPILED = [compile_expression(expression) for expression in ON_ANYTHING]
INVARIANTS = [
    compile_invariant(one.expression, name)
    for name in ("Patient", "Period", "Range", "Quantity", "Reference", "Bundle", "Count")
    for one in load().types[name].constraints
]
EXTRACTS = [
    compile_fast(one.expression, "Patient") for one in load().search_params["Patient"].values() if one.expression
]


def test_the_lexer_names_every_alternative() -> None:
    assert set(TOKEN.groupindex) == {
        "space",
        "time",
        "datetime",
        "date",
        "number",
        "string",
        "quoted",
        "special",
        "word",
        "symbol",
    }
