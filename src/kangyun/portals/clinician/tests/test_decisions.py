"""What the doctor's page makes of plain resources."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from kangyun.base.web.display import written_unit
from kangyun.portals.clinician.decisions import naming, people, results, summaries, timeline

Node = dict[str, Any]


def visit(id_: str, start: str, code: str = "AMB", **more: Any) -> Node:
    return {
        "resourceType": "Encounter", "id": id_, "class": {"code": code}, "period": {"start": start},
        "serviceProvider": {"display": "第一人民医院"}, **more,
    }


def inside(id_: str, kind: str, place: str, **more: Any) -> Node:
    return {"resourceType": kind, "id": id_, "encounter": {"reference": f"Encounter/{place}"}, **more}


def named(text: str, *codings: tuple[str, str, str]) -> Node:
    return {"text": text, "coding": [{"system": system, "code": code, "display": display} for system, code, display in codings]}


def measured(value: Any, when: str = "2026-03-05", **more: Any) -> Node:
    return {
        "resourceType": "Observation", "id": when, "status": "final", "code": named("血糖", ("http://loinc.org", "2339-0", "Glucose")),
        "effectiveDateTime": when, "valueQuantity": {"value": value, "unit": "mmol/L", "code": "mmol/L"}, **more,
    }


# Names


@pytest.mark.parametrize(("language", "text"), [("zh", "2型糖尿病"), ("en", "Type 2 diabetes")])
def test_a_concept_speaks_the_readers_language(language: str, text: str) -> None:
    assert naming.concept(named("2型糖尿病", ("urn:icd", "E11", "Type 2 diabetes (disorder)")), language) == text


def test_a_code_is_shown_only_when_there_are_no_words() -> None:
    assert naming.concept({"text": "02", "coding": [{"code": "02"}]}, "zh") == "02"
    assert naming.words({"text": "02", "coding": [{"code": "02"}]}, "zh") == ""
    assert naming.concept(named("高血压", ("urn:icd", "I10", "")), "en") == "高血压"
    assert naming.concept(None, "en") == ""


@pytest.mark.parametrize(
    ("names", "written"),
    [
        ([{"use": "official", "family": "欧阳", "given": ["娜娜"]}], "欧阳娜娜"),
        ([{"family": "Haley", "given": ["Chung", "J"]}], "Chung J Haley"),
        ([{"use": "old", "text": "旧"}, {"use": "official", "text": "新"}], "新"),
        ([], ""),
    ],
)
def test_people_are_named_as_people_do(names: list[Node], written: str) -> None:
    assert naming.person(names) == written


def test_the_source_is_the_institution_and_not_the_doctor() -> None:
    observation = inside("o", "Observation", "v", performer=[{"display": "龙华", "identifier": {"value": "7"}}])
    assert naming.source_of(observation, {}, {"Encounter/v": visit("v", "2026")}) == "第一人民医院"
    assert naming.source_of(observation, {}) == "龙华"
    stated = inside("o", "Observation", "v", performer=[{"reference": "Organization/3"}])
    assert naming.source_of(stated, {"Organization/3": "中医医院"}, {"Encounter/v": visit("v", "2026")}) == "中医医院"
    assert naming.source_of({"resourceType": "AllergyIntolerance", "id": "a"}, {"AllergyIntolerance/a": "卫生院"}) == "卫生院"


# People


def test_a_resident_shows_the_citizens_number_first() -> None:
    one = people.resident({
        "resourceType": "Patient", "id": "1", "name": [{"text": "李娜"}], "birthDate": "1953-01-02", "gender": "female",
        "identifier": [{"system": "urn:mr", "value": "8"}, {"system": people.CITIZEN_NUMBER, "value": "990101195301020022"}],
        "telecom": [{"system": "email", "value": "x"}, {"system": "phone", "value": "12900000000"}],
        "address": [{"city": "云州市", "line": ["府前街1号"]}],
    })
    assert (one.name, one.sex, one.identifier, one.phone, one.address) == ("李娜", "female", "990101195301020022", "12900000000", "云州市府前街1号")
    assert people.resident({"resourceType": "Patient", "id": "2"}).name == "—"


def test_merged_records_are_not_listed() -> None:
    merged: Node = {"id": "1", "link": [{"type": "replaced-by", "other": {"reference": "Patient/2"}}]}
    assert people.distinct([merged, {"id": "2"}, {"id": "2"}, {"id": "3", "active": False}]) == [{"id": "2"}]


@pytest.mark.parametrize(("text", "number"), [("990101195301020022", True), ("129 0000 0000", True), ("99010119530102002x", True), ("李娜", False), ("zgl", False), ("123", False)])
def test_numbers_are_told_from_names(text: str, number: bool) -> None:
    assert people.is_number(text) is number


# Timeline


def test_a_life_is_told_by_visits_newest_first() -> None:
    life = [
        visit("a", "2024-03-05T08:00:00+08:00"), visit("b", "2026-01-02", "IMP"),
        inside("c", "Condition", "a", code=named("高血压")), inside("m", "MedicationRequest", "a", medicationCodeableConcept=named("氨氯地平")),
        inside("i", "Immunization", "nowhere", vaccineCode=named("流感疫苗"), occurrenceDateTime="2025-10-01"),
    ]
    told = timeline.entries(life, {}, "zh")
    assert [(entry.shape, entry.title, entry.source) for entry in told] == [
        ("stay", "", "第一人民医院"), ("immunization", "流感疫苗", ""), ("visit", "高血压", "第一人民医院"),
    ]
    assert [part.text for part in told[2].parts] == ["高血压", "氨氯地平"]


def test_a_report_that_holds_an_abnormal_result_is_marked_and_hides_its_single_results() -> None:
    high = {"interpretation": [{"coding": [{"code": "H"}]}]}
    life = [
        visit("a", "2024-03-05"), inside("o", "Observation", "a", **high), inside("p", "Observation", "a"),
        inside("r", "DiagnosticReport", "a", code=named("血常规"), result=[{"reference": "Observation/o"}]),
    ]
    parts = timeline.entries(life, {}, "zh")[0].parts
    assert [(part.kind, part.text, part.abnormal) for part in parts] == [("result", "血常规", True), ("measured", "1", False)]
    assert parts[0].href == "DiagnosticReport/r"


def test_a_paper_sent_as_report_and_as_document_stands_once() -> None:
    life = [
        visit("a", "2024-03-05"), inside("r", "DiagnosticReport", "a", code=named("出院小结")),
        {"resourceType": "DocumentReference", "id": "d", "type": named("出院小结"), "context": {"encounter": [{"reference": "Encounter/a"}]}},
    ]
    assert [part.kind for part in timeline.entries(life, {}, "zh")[0].parts] == ["document"]


def test_filters_keep_one_kind_and_show_only_its_parts() -> None:
    life = [visit("a", "2024-03-05"), visit("b", "2025-03-05"), inside("m", "MedicationRequest", "a", medicationCodeableConcept=named("氨氯地平")), inside("p", "Procedure", "a", code=named("心电图"))]
    told = timeline.entries(life, {}, "zh")
    assert [[part.text for part in entry.parts] for entry in timeline.chosen(told, "medicine")] == [["氨氯地平"]]
    assert len(timeline.chosen(told, "visit")) == 2
    assert timeline.chosen(told, "nonsense") == told
    assert timeline.counts_by_kind(told)["procedure"] == 1


def test_whole_years_are_shown_until_enough() -> None:
    told = timeline.entries([visit(str(n), f"{2000 + n // 2}-01-0{n % 2 + 1}") for n in range(10)], {}, "zh")
    years = timeline.by_year(told)
    shown, rest = timeline.first_years(years, 3)
    assert [year.year for year in shown] == [2004, 2003]
    assert rest == 2002
    shown, rest = timeline.first_years(years, 99, before=2001)
    assert ([year.year for year in shown], rest) == ([2001, 2000], None)


def test_years_are_those_of_china() -> None:
    told = timeline.entries([visit("a", "2025-12-31T20:00:00Z")], {}, "zh")
    assert timeline.by_year(told)[0].year == 2026


def test_the_lifeline_counts_every_year_from_birth_to_now() -> None:
    told = timeline.entries([visit("a", "2024-03-05"), visit("b", "2024-05-05", "IMP"), visit("c", "2022-05-05")], {}, "zh")
    bars = timeline.lifeline(told, "2020-01-01", 2026)
    assert [(bar.year, bar.count, bar.stays) for bar in bars] == [(2020, 0, 0), (2021, 0, 0), (2022, 1, 0), (2023, 0, 0), (2024, 2, 1), (2025, 0, 0), (2026, 0, 0)]
    assert timeline.lifeline([], "2020", 2026) == []


def test_entries_without_a_date_or_made_in_error_are_left_out() -> None:
    assert timeline.entries([visit("a", ""), visit("b", "2024", status="entered-in-error")], {}, "zh") == []


# Results


def test_a_result_keeps_its_digits_unit_range_and_mark() -> None:
    one = results.results([measured(Decimal("7.10"), referenceRange=[{"low": {"value": 3.9}, "high": {"value": 6.1}, "text": "3.9--6.1"}])], {}, "zh")[0]
    assert (one.shown, one.unit, one.range, one.mark) == ("7.10", "mmol/L", "3.9–6.1", "high")


@pytest.mark.parametrize(("code", "mark"), [("H", "high"), ("LL", "low"), ("A", "abnormal"), ("N", "")])
def test_the_laboratorys_own_mark_is_believed(code: str, mark: str) -> None:
    observation = measured(99, interpretation=[{"coding": [{"code": code}]}], referenceRange=[{"high": {"value": 6.1}}])
    assert results.results([observation], {}, "zh")[0].mark == mark
    assert results.is_abnormal(observation) is bool(mark)


def test_components_are_results_of_their_own() -> None:
    pressure: Node = {
        "resourceType": "Observation", "id": "p", "status": "final", "code": named("血压"), "effectiveDateTime": "2026-03-05",
        "component": [{"code": named("收缩压", ("http://loinc.org", "8480-6", "")), "valueQuantity": {"value": 150, "unit": "mm[Hg]"}}],
    }
    told = results.results([pressure], {}, "zh")
    assert [(one.name, one.shown, one.unit) for one in told] == [("收缩压", "150", "mmHg")]


def test_cancelled_and_empty_results_are_left_out() -> None:
    assert results.results([measured(5, status="cancelled"), measured(None)], {}, "zh") == []


@pytest.mark.parametrize(
    ("unit", "written"), [("10*9/L", "10⁹/L"), ("kg/m2", "kg/m²"), ("mL/min/{1.73_m2}", "mL/min/1.73 m²"), ("Cel", "℃"), ("umol/L", "μmol/L"), ("mmol/L", "mmol/L")],
)
def test_units_are_written_for_people(unit: str, written: str) -> None:
    assert written_unit(unit) == written


def test_hospitals_results_of_one_item_make_one_trend_and_the_abnormal_stands_first() -> None:
    other = {"code": named("葡萄糖", ("urn:local", "GLU", ""), ("http://loinc.org", "2339-0", ""))}
    weight = {"code": named("体重", ("http://loinc.org", "29463-7", ""))}
    observations = [
        measured(60, "2026-03-01", **weight), measured(61, "2026-04-01", **weight),
        measured(5, "2025-01-01"), measured(9, "2026-01-01", **other, referenceRange=[{"low": {"value": 3.9}, "high": {"value": 6.1}}]),
    ]
    made = results.trends(results.results(observations, {}, "zh"))
    assert [(trend.name, len(trend.results), trend.latest.mark) for trend in made] == [("葡萄糖", 2, "high"), ("体重", 2, "")]
    assert made[0].chart
    assert made[0].chart.band


def test_the_latest_results_stand_by_category() -> None:
    lab = [{"coding": [{"code": "laboratory"}]}]
    told = results.latest(results.results([measured(5, "2025-01-01", category=lab), measured(6, "2026-01-01", category=lab)], {}, "zh"))
    assert [(category, [one.shown for one in group]) for category, group in told] == [("laboratory", ["6"])]


def test_chart_data_is_oldest_first() -> None:
    data = results.chart_data(results.results([measured(5, "2025-01-01"), measured(6, "2026-01-01")], {}, "zh"))
    assert data["values"] == [5.0, 6.0]
    assert data["times"] == sorted(data["times"])


# Short lists


def condition(text: str, place: str, **more: Any) -> Node:
    status = {"coding": [{"code": "active"}]}
    category = [{"coding": [{"code": "encounter-diagnosis"}]}]
    return inside(text + place, "Condition", place, code=named(text), clinicalStatus=status, category=category, onsetDateTime="2026-01-01", **more)


def test_a_diagnosis_of_a_single_visit_is_past_and_a_repeated_one_lasts() -> None:
    told = summaries.problems([condition("感冒", "a"), condition("高血压", "a"), condition("高血压", "b")], {}, "zh", {})
    assert [(line.text, line.active, line.count) for line in told] == [("高血压", True, 2), ("感冒", False, 1)]


def test_a_listed_problem_lasts_and_a_reason_for_contact_does_not() -> None:
    listed = condition("糖尿病", "a") | {"category": [{"coding": [{"code": "problem-list-item"}]}]}
    checkup = condition("健康体检", "a") | {"code": named("健康体检", ("http://hl7.org/fhir/sid/icd-10", "Z00.0", "")), "category": []}
    refuted = condition("误诊", "a", verificationStatus={"coding": [{"code": "refuted"}]})
    told = summaries.problems([listed, checkup, refuted], {}, "zh", {})
    assert [(line.text, line.active) for line in told] == [("糖尿病", True), ("健康体检", False)]


def test_allergies_of_several_hospitals_are_one_line_and_severe_ones_lead() -> None:
    def allergy(text: str, **more: Any) -> Node:
        return {"resourceType": "AllergyIntolerance", "id": text, "code": named(text), **more}

    told = summaries.allergies([allergy("青霉素"), allergy("花生"), allergy("花生", criticality="high", reaction=[{"manifestation": [{"text": "休克"}]}])], {}, "zh", {})
    assert [(line.text, line.severe, line.count) for line in told] == [("花生", True, 2), ("青霉素", False, 1)]


@pytest.mark.parametrize(
    ("instruction", "chinese", "english"),
    [
        ({"text": "每日一次"}, "每日一次", "每日一次"),
        ({"timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}, "doseAndRate": [{"doseQuantity": {"value": 5, "unit": "mg"}}]}, "5 mg，每日 2 次", "5 mg · 2 × per day"),
        ({"timing": {"repeat": {"frequency": 1, "period": 8.0, "periodUnit": "h"}}}, "每8小时 1 次", "1 × per 8 h"),
        ({}, "", ""),
    ],
)
def test_doses_are_written_out(instruction: Node, chinese: str, english: str) -> None:
    assert summaries.dosage([instruction], "zh") == chinese
    assert summaries.dosage([instruction], "en") == english


def test_papers_are_listed_once_and_empty_ones_not_at_all() -> None:
    document: Node = {"resourceType": "DocumentReference", "id": "d", "type": named("小结"), "date": "2026-01-01", "content": [{"attachment": {"contentType": "application/pdf"}}]}
    report: Node = {"resourceType": "DiagnosticReport", "id": "r", "code": named("小结"), "effectiveDateTime": "2026-01-01", "presentedForm": [{"contentType": "text/plain"}]}
    empty: Node = {"resourceType": "DiagnosticReport", "id": "e", "code": named("血常规")}
    told = summaries.documents([document, report, empty], {}, "zh", {})
    assert [one.reference for one in told] == ["DocumentReference/d"]
    assert summaries.is_plain_text("text/plain; charset=utf-8")
