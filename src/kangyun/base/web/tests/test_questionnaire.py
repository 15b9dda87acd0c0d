"""Questionnaires become forms, and forms become the same responses again."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html

from kangyun.base.web import questionnaire
from kangyun.base.web.templates import environment
from kangyun.base.web.tests import forms_material as material

Node = dict[str, Any]
FORM = questionnaire.load(material.QUESTIONNAIRE)


def drawn(language: str = "zh", **shown: Any) -> html.HtmlElement:
    view = questionnaire.view(FORM, language, **shown)
    module: Any = environment(language).get_template("questionnaire.html").module
    return html.fromstring(str(module.form(view, "/somewhere", "token")))


def sent(element: html.HtmlElement) -> dict[str, list[str]]:
    """What a browser would send for this form: the successful controls, in order."""
    pairs: list[tuple[str, object]] = []
    for control in element.iter("input", "select", "textarea"):
        kind, name = control.get("type"), control.get("name")
        if kind in {"radio", "checkbox"} and control.get("checked") is None:
            continue
        value = control.value if control.tag == "select" else control.text or "" if control.tag == "textarea" else control.get("value", "")
        pairs.append((str(name), value or ""))
    return questionnaire.values_of(pairs)


def answers(reading: questionnaire.Reading) -> dict[str, list[Node]]:
    return {item["linkId"]: item.get("answer", []) for item in reading.response.get("item", [])}


def errors(values: dict[str, list[str]], language: str = "zh") -> dict[str, list[str]]:
    found = questionnaire.read(FORM, values).errors
    return {name: [error.text(language) for error in faults] for name, faults in found.items()}


def test_it_shows_every_question_with_a_label_in_both_languages() -> None:
    chinese, english = drawn("zh"), drawn("en")
    assert "随访日期" in chinese.text_content()
    assert "Date of visit" in english.text_content()
    assert "Headache" in english.text_content()
    for page in (chinese, english):
        labelled = {label.get("for") for label in page.iter("label")}
        for control in page.iter("input", "select", "textarea"):
            named = control.get("id") in labelled or control.get("aria-label") or control.getparent().tag == "label"
            assert named or control.get("type") == "hidden", control.get("name")


def test_it_fills_in_initial_values() -> None:
    assert drawn().xpath("//input[@name='name']")[0].get("value") == "王医生"


def test_it_hides_what_is_not_asked_and_ignores_what_was_sent_for_it() -> None:
    assert drawn().xpath("//div[@data-link='cigarettes']")[0].get("hidden") is not None
    reading = questionnaire.read(FORM, {"visited": ["2026-03-05"], "smokes": ["false"], "cigarettes": ["20"]})
    assert "cigarettes" not in answers(reading)
    assert not reading.errors


def test_it_asks_again_once_the_condition_holds() -> None:
    values = {"visited": ["2026-03-05"], "smokes": ["true"]}
    assert errors(values) == {"cigarettes": ["请填写这一项。"]}
    assert drawn(values=values).xpath("//div[@data-link='cigarettes']")[0].get("hidden") is None


def test_conditions_look_at_the_same_repetition_first() -> None:
    values = {
        "visited": ["2026-03-05"], "smokes": ["false"],
        "readings:0/systolic": ["150"], "readings:0/why": ["dropped"],
        "readings:1/systolic": ["170"], "readings:1/why": ["kept"],
    }
    groups = [item for item in questionnaire.read(FORM, values).response["item"] if item["linkId"] == "readings"]
    told = [[below["linkId"] for below in group["item"]] for group in groups]
    assert told == [["systolic"], ["systolic", "why"]]


def test_it_tells_faults_beside_the_field_in_both_languages() -> None:
    values = {"visited": ["2026-02-30"], "smokes": ["true"], "cigarettes": ["101"], "name": ["九个字的名字太长了吧"], "salt": ["urn:salt|x"]}
    assert errors(values)["visited"] == ["请填写日期，例如 2026-03-05。"]
    assert errors(values, "en")["cigarettes"] == ["Not more than 100."]
    assert errors(values, "en")["name"] == ["At most 8 characters."]
    assert errors(values, "en")["salt"] == ["Please choose one of the options."]
    page = drawn(values=values, errors=questionnaire.read(FORM, values).errors)
    wrong = page.xpath("//input[@name='visited']")[0]
    assert wrong.get("aria-invalid") == "true"
    assert page.get_element_by_id(wrong.get("aria-describedby")).text_content().strip() == "请填写日期，例如 2026-03-05。"
    assert wrong.get("value") == "2026-02-30"


def test_numbers_keep_their_digits_and_units_their_codes() -> None:
    values = {"visited": ["2026-03-05"], "readings:0/systolic": ["150.50"], "readings:0/weight": ["61.0"], "readings:0/weight:unit": ["kg"]}
    group = questionnaire.read(FORM, values).response["item"][1]["item"]
    assert str(group[0]["answer"][0]["valueDecimal"]) == "150.50"
    assert group[1]["answer"][0]["valueQuantity"] == {"value": 61.0, "unit": "千克", "system": "http://unitsofmeasure.org", "code": "kg"}


def test_one_more_row_can_be_asked_for() -> None:
    values = {"phones": ["1"], "readings:0/systolic": ["120"]}
    assert len(drawn(values=values, more="phones").xpath("//input[@name='phones']")) == 2
    assert len(drawn(values=values, more="readings").xpath("//input[contains(@name, 'systolic')]")) == 2


_words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
_decimals = st.decimals(min_value=-999, max_value=999, places=2).map(lambda value: float(value) if repr(float(value)) == format(value, "f") else value)
_codings = {"symptoms": ["h", "d", "n"]}


def _leaf(link_id: str, text: str, answer: st.SearchStrategy[list[Node]]) -> st.SearchStrategy[list[Node]]:
    return answer.map(lambda given: [{"linkId": link_id, "text": text, "answer": given}] if given else [])


def _maybe(name: str, value: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Node]]:
    return st.lists(value.map(lambda one: {name: one}), max_size=1)


_phone = st.tuples(_words, st.sampled_from([None, "家", "单位"])).map(
    lambda pair: {"valueString": pair[0]} | ({"item": [{"linkId": "kind", "text": "类别", "answer": [{"valueString": pair[1]}]}]} if pair[1] else {}),
)
_symptoms = st.lists(st.sampled_from(material.QUESTIONNAIRE["item"][11]["answerOption"]), unique_by=str).map(
    lambda chosen: [one for one in material.QUESTIONNAIRE["item"][11]["answerOption"] if one in chosen],
)
_kilograms = _decimals.map(lambda value: {"value": value, "unit": "千克", "system": "http://unitsofmeasure.org", "code": "kg"})
_group = st.tuples(_decimals, _maybe("valueQuantity", _kilograms), st.none() | st.integers(-9, 9)).map(
    lambda parts: {"linkId": "readings", "text": "测量", "item": [
        {"linkId": "systolic", "text": "收缩压", "answer": [{"valueDecimal": parts[0]}]},
        *([{"linkId": "weight", "text": "体重", "answer": parts[1]}] if parts[1] else []),
        *([{"linkId": "inner", "text": "内组", "item": [{"linkId": "deep", "text": "深", "answer": [{"valueInteger": parts[2]}]}]}] if parts[2] is not None else []),
    ]},
)
_stamps = st.datetimes().map(lambda when: f"{when.replace(microsecond=0).isoformat()}+08:00") | st.sampled_from(["1953", "1953-04"])
_responses = st.tuples(
    _leaf("visited", "随访日期", st.dates().map(lambda day: [{"valueDate": day.isoformat()}])),
    _leaf("started", "开始时间", _maybe("valueDateTime", _stamps)),
    _leaf("clock", "服药时间", _maybe("valueTime", st.times().map(lambda one: one.replace(microsecond=0).isoformat()))),
    _leaf("smokes", "吸烟", _maybe("valueBoolean", st.just(False))),
    _leaf("name", "填写人", _maybe("valueString", _words)),
    _leaf("phones", "电话", st.lists(_phone, max_size=3)),
    _leaf("salt", "盐", _maybe("valueCoding", st.just({"system": "urn:salt", "code": "high", "display": "多"}))),
    _leaf("symptoms", "症状", _symptoms),
    _leaf("drug", "药物", _maybe("valueString", _words) | _maybe("valueCoding", st.just(material.QUESTIONNAIRE["item"][12]["answerOption"][0]["valueCoding"]))),
    st.lists(_group, max_size=3),
).map(lambda parts: {
    "resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "https://kangyun.example/follow-up|1",
    "item": [item for part in parts for item in part],
})


@settings(max_examples=120, deadline=None)
@given(_responses)
def test_a_response_becomes_form_values_and_the_same_response_again(response: Node) -> None:
    reading = questionnaire.read(FORM, questionnaire.write(FORM, response))
    assert reading.response == response
    assert not reading.errors


@settings(max_examples=40, deadline=None)
@given(_responses)
def test_what_a_browser_sends_for_a_drawn_response_is_that_response(response: Node) -> None:
    page = drawn(values=questionnaire.write(FORM, response))
    assert questionnaire.read(FORM, sent(page)).response == response


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(["visited", "smokes", "cigarettes", "salt", "symptoms", "drug", "readings:0/systolic", "readings:7/weight", "x:y"]), st.lists(st.text(max_size=9), max_size=3)))
def test_nothing_that_is_sent_breaks_it(values: dict[str, list[str]]) -> None:
    cleaned = questionnaire.values_of((name, one) for name, many in values.items() for one in many)
    reading = questionnaire.read(FORM, cleaned)
    drawn(values=cleaned, errors=reading.errors)
