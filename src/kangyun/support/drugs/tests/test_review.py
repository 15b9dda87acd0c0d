"""The review finds what the law and common knowledge say, and leaves a good prescription alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from kangyun.support.drugs.model import Line, Patient, Prescriber
from kangyun.support.drugs.tests.prescriptions import (
    ADULT,
    DOCTOR,
    EVERY_RIGHT,
    Allergy,
    Taken,
    child,
    found,
    kinds,
    line,
    sheet,
)

OLD_WOMAN = Patient(born=date(1958, 3, 1), sex="female", weight=60, egfr=75)


def test_a_good_prescription_is_left_alone() -> None:
    said = sheet(line("amlodipine"), line("metformin"), diagnoses=("I10", "E11.900"))
    assert found(said, OLD_WOMAN) == []


def test_every_finding_says_what_in_both_languages_with_its_source_and_how_sure_it_is() -> None:
    said = sheet(*[line(code) for code in ("warfarin", "ibuprofen", "amoxicillin", "simvastatin", "clarithromycin", "lithium")], diagnoses=())
    told = found(said, replace(OLD_WOMAN, egfr=20, liver="B", allergies=(Allergy("青霉素"),)))
    assert len(told) > 8
    for one in told:
        assert "{" not in one.text["zh"] + one.text["en"], one
        assert any("一" <= sign <= "龥" for sign in one.text["zh"])
        assert not any("一" <= sign <= "龥" for sign in one.text["en"].replace("青霉素", "")), one.text["en"]
        assert one.source, one.kind
        assert one.certainty in {"checked", "memory", "default"}
        assert one.comment, one.kind
    assert [one.level for one in told] == sorted((one.level for one in told), key=["stop", "confirm", "advise"].index)


# Legality.


def test_who_is_not_registered_or_has_no_right_prescribes_nothing() -> None:
    assert kinds(sheet(line("amlodipine")), doctor=replace(DOCTOR, registered=False))["not-registered"] == "stop"
    assert kinds(sheet(line("amlodipine")), doctor=replace(DOCTOR, rights=frozenset()))["no-right"] == "stop"


def test_narcotics_need_a_right_of_their_own_and_are_never_for_oneself() -> None:
    said = sheet(line("morphine-slow", days=7, quantity=2), diagnoses=("C34",), sheet="narcotic", pain=True)
    assert kinds(said)["no-special-right"] == "stop"
    assert "no-special-right" not in kinds(said, doctor=EVERY_RIGHT)
    assert kinds(said, doctor=replace(EVERY_RIGHT, is_patient=True))["for-oneself"] == "stop"


@pytest.mark.parametrize(("title", "code", "kind"), [
    ("resident", "amoxicillin", None), ("resident", "cefixime", "tier-above-title"), ("attending", "cefixime", None),
    ("attending", "linezolid", "tier-above-title"), ("chief", "linezolid", None),
])
def test_antimicrobial_tiers_follow_the_title(title: str, code: str, kind: str | None) -> None:
    said = sheet(line(code, skin_test="negative"), diagnoses=("J18",), setting="inpatient", consulted=True)
    assert ("tier-above-title" in kinds(said, doctor=replace(DOCTOR, title=title))) == (kind is not None)


def test_special_use_antimicrobials_are_never_for_outpatients_and_ask_an_expert_first() -> None:
    chief = replace(DOCTOR, title="chief")
    assert kinds(sheet(line("meropenem"), diagnoses=("J18",)), doctor=chief)["special-outpatient"] == "stop"
    assert kinds(sheet(line("meropenem"), diagnoses=("J18",), setting="inpatient"), doctor=chief)["special-consultation"] == "confirm"
    assert "special-consultation" not in kinds(sheet(line("meropenem"), diagnoses=("J18",), setting="inpatient", consulted=True), doctor=chief)


def test_in_an_emergency_one_tier_up_is_allowed_for_a_day() -> None:
    resident = replace(DOCTOR, title="resident")
    one_day = sheet(line("cefixime", days=1), diagnoses=("J18",), setting="emergency")
    assert kinds(one_day, doctor=resident)["tier-emergency"] == "confirm"
    assert kinds(sheet(line("cefixime", days=2), diagnoses=("J18",), setting="emergency"), doctor=resident)["tier-above-title"] == "stop"


@pytest.mark.parametrize("code", ["morphine", "methylphenidate-slow", "alprazolam", "tramadol"])
def test_controlled_drugs_are_not_prescribed_over_the_internet(code: str) -> None:
    assert kinds(sheet(line(code, days=3), setting="internet"), doctor=EVERY_RIGHT)["internet-control"] == "stop"


def test_a_child_under_six_on_the_internet_needs_guardian_and_specialist() -> None:
    said = sheet(line("amoxicillin-granules", dose=125, skin_test="negative"), diagnoses=("J03",), setting="internet")
    five = child(5, weight=18)
    assert kinds(said, five)["internet-child"] == "stop"
    assert kinds(said, replace(five, guardian=True))["internet-child"] == "stop"
    assert "internet-child" not in kinds(said, replace(five, guardian=True, specialist=True))
    assert "internet-child" not in kinds(said, child(6, 1, weight=20))


# Form.


def test_at_most_five_drugs_stand_on_a_sheet() -> None:
    codes = ["amlodipine", "metformin", "atorvastatin", "aspirin", "omeprazole", "vitamin-b1"]
    assert "too-many-drugs" not in kinds(sheet(*map(line, codes[:5])))
    assert kinds(sheet(*map(line, codes)))["too-many-drugs"] == "stop"


def test_decoction_pieces_stand_alone_and_may_be_more_than_five() -> None:
    herbs = [line(code, dose=9, quantity=63, quantity_unit="g") for code in ("huangqi", "dangshen", "fuling", "baishao", "danggui", "shanyao", "maidong")]
    herbal = sheet(*herbs, kind="herbal", syndrome="脾气虚证", doses=7)
    assert not {"herbs-mixed", "too-many-drugs"} & {*kinds(herbal)}
    assert kinds(sheet(*herbs, line("amlodipine")))["herbs-mixed"] == "stop"


@pytest.mark.parametrize(("setting", "days", "more", "kind", "level"), [
    ("outpatient", 7, {}, None, ""), ("outpatient", 8, {}, "days-over", "confirm"), ("outpatient", 14, {"reason": "高血压稳定"}, None, ""),
    ("outpatient", 29, {"reason": "高血压稳定"}, "days-need-long-term", "stop"),
    ("emergency", 3, {}, None, ""), ("emergency", 4, {}, "days-over", "confirm"), ("internet", 8, {}, "days-over", "confirm"),
    ("outpatient", 28, {"long_term": True}, None, ""), ("outpatient", 56, {"long_term": True}, "long-term-assessment", "confirm"),
    ("outpatient", 84, {"long_term": True, "assessed": True}, None, ""), ("outpatient", 85, {"long_term": True, "assessed": True}, "long-term-over", "stop"),
    ("inpatient", 30, {}, None, ""),
])
def test_days_are_limited(setting: str, days: int, more: dict[str, Any], kind: str | None, level: str) -> None:
    told = kinds(sheet(line("amlodipine", days=days, quantity=0), setting=setting, **more))
    about_days = {name: told[name] for name in told if name.startswith(("days-", "long-term"))}
    assert about_days == ({kind: level} if kind else {})


@pytest.mark.parametrize(("code", "diagnosis", "banned"), [
    ("amoxicillin", "J03", True), ("alprazolam", "F41", True), ("isoniazid", "A15", False), ("fluconazole", "B37", False),
    ("amlodipine", "I10", False), ("entecavir", "B18.1", False),
])
def test_long_term_prescriptions_leave_out_controlled_drugs_and_antimicrobials_but_not_those_of_tb_and_fungi(code: str, diagnosis: str, banned: bool) -> None:
    told = kinds(sheet(line(code, days=28, skin_test="negative"), diagnoses=(diagnosis,), long_term=True, sheet="psychotropic2"))
    assert (told.get("long-term-banned") == "stop") == banned


def test_what_is_missing_or_cannot_be_understood_is_told() -> None:
    assert kinds(sheet())["nothing-prescribed"] == "stop"
    assert kinds(sheet(line("amlodipine"), diagnoses=()))["diagnosis-missing"] == "stop"
    assert kinds(sheet(line("amlodipine"), missing=("医师签名",)))["part-missing"] == "stop"
    assert kinds(sheet(line("amlodipine"), valid_days=4))["valid-too-long"] == "stop"
    assert kinds(sheet(line("amlodipine")), Patient())["age-missing"] == "confirm"
    assert kinds(sheet(line("ibuprofen-suspension", dose=50), diagnoses=("R50",)), child(0, 8))["weight-missing"] == "confirm"
    assert kinds(sheet(Line("no-such", 1, "mg", "qd", "po", 7, name="神药")))["unknown-drug"] == "stop"
    assert kinds(sheet(line("amlodipine", frequency="遵医嘱")))["unknown-frequency"] == "stop"
    assert kinds(sheet(line("amlodipine", dose_unit="ml")))["unknown-dose"] == "stop"
    assert kinds(sheet(line("amlodipine", days=0)))["days-missing"] == "stop"


def test_more_packages_than_days_need_are_told_and_a_whole_package_is_not() -> None:
    assert "quantity-over" not in kinds(sheet(line("amlodipine", days=7, quantity=1)))
    assert kinds(sheet(line("amlodipine", days=7, quantity=3)))["quantity-over"] == "confirm"
    assert "quantity-over" not in kinds(sheet(line("metformin", days=28, quantity=3, frequency="bid"), reason="糖尿病", diagnoses=("E11",)))


# The maxima of controlled drugs, 处方管理办法 23 to 26.


@pytest.mark.parametrize(("code", "more", "setting", "pain", "over"), [
    ("morphine-injection", {"frequency": "once", "days": 1, "quantity": 1}, "outpatient", False, False),
    ("morphine-injection", {"frequency": "once", "days": 1, "quantity": 2}, "outpatient", False, True),
    ("morphine-slow", {"days": 7, "quantity": 2}, "outpatient", False, False),
    ("morphine-slow", {"days": 8, "quantity": 2}, "outpatient", False, True),
    ("morphine", {"days": 3}, "outpatient", False, False),
    ("morphine", {"days": 4}, "outpatient", False, True),
    ("morphine-injection", {"frequency": "q4h", "days": 3, "quantity": 18}, "outpatient", True, False),
    ("morphine-injection", {"frequency": "q4h", "days": 4, "quantity": 24}, "outpatient", True, True),
    ("morphine-slow", {"days": 15, "quantity": 3}, "outpatient", True, False),
    ("morphine-slow", {"days": 16, "quantity": 4}, "outpatient", True, True),
    ("morphine", {"days": 7}, "outpatient", True, False),
    ("morphine", {"days": 8}, "outpatient", True, True),
    ("morphine", {"days": 1}, "inpatient", False, False),
    ("morphine", {"days": 2}, "inpatient", False, True),
    ("pethidine-injection", {"days": 1, "quantity": 1}, "outpatient", False, False),
    ("pethidine-injection", {"days": 1, "quantity": 2}, "outpatient", True, True),
])
def test_narcotics_are_limited(code: str, more: dict[str, Any], setting: str, pain: bool, over: bool) -> None:
    said = sheet(line(code, **more), diagnoses=("C34",), setting=setting, pain=pain, sheet="narcotic", reason="癌痛")
    assert ("controlled-over" in kinds(said, doctor=EVERY_RIGHT)) == over


def test_methylphenidate_for_adhd_is_for_at_most_15_days() -> None:
    boy = child(9, weight=30)
    for days, over in ((15, False), (16, True)):
        said = sheet(line("methylphenidate-slow", days=days), diagnoses=("F90.0",), sheet="narcotic", reason="ADHD")
        assert ("controlled-over" in kinds(said, boy, EVERY_RIGHT)) == over
    other = sheet(line("methylphenidate-slow", days=8), diagnoses=("G47.4",), sheet="narcotic", reason="发作性睡病")
    assert "controlled-over" in kinds(other, doctor=EVERY_RIGHT), "without that diagnosis 7 days hold for slow release"


def test_psychotropics_of_class_two_are_for_7_days_and_longer_with_a_reason() -> None:
    def told(days: int, **more: Any) -> dict[str, str]:
        return kinds(sheet(line("alprazolam", days=days), diagnoses=("F41.1",), sheet="psychotropic2", **more))

    assert "psychotropic-reason" not in told(7)
    assert told(8)["psychotropic-reason"] == "confirm"
    assert "psychotropic-reason" not in told(14, reason="慢性失眠")


def test_dihydroetorphine_is_for_hospitals_of_grade_two_and_pethidine_stays_inside() -> None:
    said = sheet(line("dihydroetorphine", days=1, quantity=0), diagnoses=("C34",), sheet="narcotic", pain=True)
    assert kinds(said, doctor=replace(EVERY_RIGHT, grade=1))["grade-too-low"] == "stop"
    assert "grade-too-low" not in kinds(said, doctor=replace(EVERY_RIGHT, grade=2))
    outside = sheet(line("pethidine-injection", days=1), diagnoses=("C34",), sheet="narcotic", setting="internet")
    assert kinds(outside, doctor=EVERY_RIGHT)["outside-institution"] == "stop"


def test_a_controlled_drug_needs_its_own_sheet() -> None:
    assert kinds(sheet(line("alprazolam"), diagnoses=("F41",)))["sheet-wrong"] == "stop"
    assert "sheet-wrong" not in kinds(sheet(line("alprazolam"), diagnoses=("F41",), sheet="psychotropic2"))


# Suitability.


def test_a_skin_test_is_noted_and_its_result_counts() -> None:
    def told(state: str) -> dict[str, str]:
        return kinds(sheet(line("amoxicillin", skin_test=state), diagnoses=("J03",)))

    assert told("")["skin-test-missing"] == "stop"
    assert told("asked")["skin-test-open"] == "confirm"
    assert told("positive")["skin-test-positive"] == "stop"
    assert not {name for name in told("negative") if name.startswith("skin")}


@pytest.mark.parametrize(("allergen", "severe", "code", "kind", "level"), [
    ("青霉素", False, "amoxicillin", "allergy", "stop"), ("penicillin", False, "piperacillin-tazobactam", "allergy", "stop"),
    ("青霉素", False, "cefuroxime-axetil", "cross-allergy", "confirm"), ("头孢菌素", False, "amoxicillin", "cross-allergy", "confirm"),
    ("磺胺", False, "sulfamethoxazole-trimethoprim", "allergy", "stop"), ("磺胺", False, "furosemide", "cross-allergy", "advise"),
    ("磺胺", True, "furosemide", "cross-allergy", "confirm"), ("阿司匹林", False, "ibuprofen", "allergy", "stop"),
    ("阿司匹林哮喘", False, "celecoxib", "cross-allergy", "advise"), ("卡托普利", False, "enalapril", "allergy", "stop"),
    ("氨氯地平", False, "amlodipine", "allergy", "stop"), ("碘造影剂", False, "iohexol", "allergy", "stop"),
])
def test_allergies_and_what_may_cross_react(allergen: str, severe: bool, code: str, kind: str, level: str) -> None:
    told = kinds(sheet(line(code, skin_test="negative")), replace(ADULT, allergies=(Allergy(allergen, severe=severe),)))
    assert told.get(kind) == level


def test_an_allergy_to_pollen_says_nothing_of_drugs() -> None:
    told = kinds(sheet(line("amoxicillin", skin_test="negative"), diagnoses=("J03",)), replace(ADULT, allergies=(Allergy("花粉"), Allergy("鸡蛋"))))
    assert not {"allergy", "cross-allergy"} & {*told}


@pytest.mark.parametrize(("code", "dose", "patient", "kind"), [
    ("amlodipine", 10, ADULT, None), ("amlodipine", 15, ADULT, "single-over"), ("zolpidem", 10, ADULT, None), ("zolpidem", 10, OLD_WOMAN, "single-over"),
    ("digoxin", 0.25, ADULT, None), ("digoxin", 0.25, OLD_WOMAN, "single-over"), ("amlodipine", 50, ADULT, "dose-extreme"),
    ("paracetamol-drops", 150, child(2, weight=10), None), ("paracetamol-drops", 200, child(2, weight=10), "single-over"),
    ("ibuprofen-suspension", 100, child(2, weight=10), None), ("ibuprofen-suspension", 120, child(2, weight=10), "single-over"),
])
def test_doses_by_age_and_weight(code: str, dose: float, patient: Patient, kind: str | None) -> None:
    told = kinds(sheet(line(code, dose=dose), sheet="psychotropic2"), patient)
    over = {"single-over", "daily-over", "dose-extreme"} & {*told}
    assert (kind in over) if kind else not over


def test_a_days_dose_counts_how_often() -> None:
    assert kinds(sheet(line("paracetamol", dose=500, frequency="q6h"), diagnoses=("R50",))).get("daily-over") is None
    assert kinds(sheet(line("paracetamol", dose=1000, frequency="q6h"), diagnoses=("R50",)))["daily-over"] == "confirm"
    assert kinds(sheet(line("paracetamol", dose=2, dose_unit="片", frequency="qid"), diagnoses=("R50",)))["daily-over"] == "confirm", "tablets are counted out"


def test_methotrexate_every_day_instead_of_every_week_stops() -> None:
    assert kinds(sheet(line("methotrexate", frequency="qd"), diagnoses=("M06",)))["too-often"] == "stop"
    assert "too-often" not in kinds(sheet(line("methotrexate", frequency="qw"), diagnoses=("M06",)))


def test_what_is_not_for_children_is_told() -> None:
    assert kinds(sheet(line("levofloxacin"), diagnoses=("J18",)), child(10, weight=30))["too-young"] == "confirm"
    assert kinds(sheet(line("codeine", days=3), sheet="narcotic"), child(11, weight=35), EVERY_RIGHT)["too-young"] == "confirm"
    assert kinds(sheet(line("amoxicillin-granules", skin_test="negative"), diagnoses=("J03",)), child(5))["child-weight"] == "advise"


@pytest.mark.parametrize(("egfr", "kind"), [(90, None), (44, "renal-reduce"), (29, "renal-avoid")])
def test_metformin_by_the_kidney(egfr: float, kind: str | None) -> None:
    told = kinds(sheet(line("metformin", dose=1000, frequency="bid"), diagnoses=("E11",)), replace(ADULT, egfr=egfr))
    assert {name for name in told if name.startswith("renal")} == ({kind} if kind else set())


def test_half_a_dose_is_enough_of_a_reduction() -> None:
    told = kinds(sheet(line("metformin", dose=500, frequency="bid"), diagnoses=("E11",)), replace(ADULT, egfr=40))
    assert "renal-reduce" not in told


@pytest.mark.parametrize(("code", "liver", "kind"), [
    ("atorvastatin", "B", "hepatic-avoid"), ("atorvastatin", "A", None), ("metformin", "B", "hepatic-avoid"), ("valproate", "A", "hepatic-avoid"),
])
def test_the_liver(code: str, liver: str, kind: str | None) -> None:
    told = kinds(sheet(line(code)), replace(ADULT, liver=liver))
    assert {name for name in told if name.startswith("hepatic")} == ({kind} if kind else set())


def test_pregnancy_and_breast_feeding() -> None:
    woman = Patient(born=date(1996, 1, 1), sex="female", weight=60)
    assert kinds(sheet(line("enalapril")), replace(woman, pregnant=12))["pregnancy-never"] == "stop"
    assert kinds(sheet(line("amlodipine")), replace(woman, pregnant=0))["pregnancy-care"] == "advise"
    assert kinds(sheet(line("enalapril")), woman)["pregnancy-ask"] == "advise"
    assert "pregnancy-ask" not in kinds(sheet(line("enalapril")), OLD_WOMAN)
    assert kinds(sheet(line("atorvastatin"), diagnoses=("E78",)), replace(woman, lactating=True))["lactation-never"] == "confirm"


def test_diagnoses_for_and_against() -> None:
    assert kinds(sheet(line("amlodipine"), diagnoses=("J06.9",)))["no-indication"] == "advise"
    assert kinds(sheet(line("propranolol")), replace(ADULT, conditions=("J45.9",)))["contraindicated"] == "confirm"
    assert kinds(sheet(line("ibuprofen"), diagnoses=("M17",)), replace(ADULT, conditions=("K25.3",)))["caution"] == "advise"
    assert kinds(sheet(line("spironolactone")), replace(ADULT, potassium=5.9))["contraindicated"] == "confirm", "a potassium speaks like its diagnosis"


def test_an_indication_may_stand_in_the_record_and_not_on_the_sheet() -> None:
    assert "no-indication" not in kinds(sheet(line("metformin"), diagnoses=("I10",)), replace(ADULT, conditions=("E11.9",)))


def test_duplicates_within_a_prescription_and_with_what_is_taken() -> None:
    assert kinds(sheet(line("amlodipine"), line("valsartan-amlodipine")))["duplicate"] == "confirm"
    assert kinds(sheet(line("enalapril"), line("benazepril")))["duplicate"] == "confirm"
    assert kinds(sheet(line("paracetamol"), line("ganmaoling"), diagnoses=("J00",)))["duplicate"] == "confirm", "a patent medicine with paracetamol inside"
    assert "duplicate" not in kinds(sheet(line("insulin-glargine"), line("insulin-aspart"), diagnoses=("E10",)))
    takes = replace(ADULT, takes=(Taken("硝苯地平控释片", "nifedipine-gits"), Taken("阿托伐他汀", "atorvastatin")))
    assert kinds(sheet(line("rosuvastatin"), diagnoses=("E78",)), takes)["already-taken"] == "advise"
    over = replace(takes, takes=(Taken("阿托伐他汀", "atorvastatin", until=date(2026, 11, 1)),))
    assert "already-taken" not in kinds(sheet(line("rosuvastatin"), diagnoses=("E78",)), over)


def test_a_prescription_does_not_meet_itself_in_the_record() -> None:
    takes = replace(ADULT, takes=(Taken("阿托伐他汀", "atorvastatin", number="R1"),))
    assert "already-taken" in kinds(sheet(line("rosuvastatin"), diagnoses=("E78",), number="R2"), takes)
    assert "already-taken" not in kinds(sheet(line("rosuvastatin"), diagnoses=("E78",), number="R1"), takes)


def test_interactions_with_what_is_taken_and_with_alcohol() -> None:
    takes = replace(ADULT, takes=(Taken("华法林", "warfarin"),))
    [one] = [one for one in found(sheet(line("ibuprofen"), diagnoses=("M17",)), takes) if one.kind == "interaction"]
    assert (one.level, one.lines) == ("confirm", (0,))
    assert "华法林" in one.text["zh"]
    by_atc = replace(ADULT, takes=(Taken("Coumadin", atc="B01AA03"),))
    assert kinds(sheet(line("ibuprofen"), diagnoses=("M17",)), by_atc)["interaction"] == "confirm", "a drug of another catalogue is known by its ATC code"
    assert kinds(sheet(line("metronidazole"), diagnoses=("A06",)), replace(ADULT, drinks=True))["interaction"] == "stop"


def test_what_is_put_on_the_skin_interacts_with_nothing_inside() -> None:
    takes = replace(ADULT, takes=(Taken("华法林", "warfarin"),))
    assert "interaction" not in kinds(sheet(line("diclofenac-gel"), diagnoses=("M17",)), takes)


def test_of_several_pairs_the_gravest_is_told_once() -> None:
    told = [one for one in found(sheet(line("simvastatin"), line("clarithromycin"), diagnoses=("E78", "J18"))) if one.kind == "interaction"]
    assert [(one.level, one.lines) for one in told] == [("stop", (0, 1))]


def test_solvents_concentrations_and_mixtures() -> None:
    wrong = sheet(line("penicillin-g", route="ivgtt", solvent="glucose-5-250", volume=250, skin_test="negative"), diagnoses=("J18",), setting="inpatient")
    assert kinds(wrong)["solvent-wrong"] == "confirm"
    strong = sheet(line("potassium-chloride-injection", dose=3, solvent="sodium-chloride-500", volume=500), diagnoses=("E87.6",), setting="inpatient")
    assert kinds(strong)["concentration-over"] == "confirm"
    bag = sheet(line("ceftriaxone", set=1), line("calcium-gluconate", route="ivgtt", set=1), diagnoses=("J18",), setting="inpatient")
    assert kinds(bag)["mixture"] == "confirm"
    two_bags = sheet(line("ceftriaxone", set=1), line("calcium-gluconate", route="ivgtt", set=2), diagnoses=("J18",), setting="inpatient")
    assert "mixture" not in kinds(two_bags)


def test_the_way_fits_the_form() -> None:
    assert kinds(sheet(line("amlodipine", route="iv")))["route-wrong"] == "confirm"


# Decoction pieces.


def herbal(*codes: str, changed: dict[str, Any] | None = None, **more: Any) -> dict[str, str]:
    """What is found in a prescription of herbs; `changed` is said of the first."""
    first, *others = codes
    lines = [line(first, **(changed or {})), *map(line, others)]
    said: dict[str, Any] = {"kind": "herbal", "syndrome": "脾气虚证", "doses": 7, **more}
    return kinds(sheet(*lines, **said))


@pytest.mark.parametrize(("one", "other"), [
    ("gancao", "gansui"), ("gancao", "haizao"), ("fuzi", "banxia"), ("zhicaowu", "zhebeimu"), ("fuzi", "baiji"), ("lilu", "dangshen"), ("lilu", "chishao"),
    ("liuhuang", "mangxiao"), ("dingxiang", "yujin"), ("renshen", "wulingzhi"), ("rougui", "chishizhi"),
])
def test_opposed_herbs_ask_the_doctor_to_sign_again(one: str, other: str) -> None:
    assert herbal(one, other)["herb-opposed"] == "confirm"
    assert herbal(other, one)["herb-opposed"] == "confirm"


def test_herbs_that_go_together_are_left_alone() -> None:
    assert herbal("dangshen", "baizhu", "fuling", "gancao") == {}


def test_toxic_herbs_have_a_most_and_others_a_usual_amount() -> None:
    assert herbal("xixin", "gancao", changed={"dose": 6})["toxic-herb-over"] == "confirm"
    assert herbal("huangqi", changed={"dose": 60})["herb-over"] == "advise"


def test_special_decocting_is_written() -> None:
    assert herbal("bohe", changed={"decoction": ""})["decoction-missing"] == "advise"
    assert "decoction-missing" not in herbal("bohe")


def test_a_herbal_prescription_names_syndrome_and_number() -> None:
    assert herbal("huangqi", syndrome="")["syndrome-missing"] == "confirm"
    assert herbal("huangqi", doses=0)["doses-missing"] == "confirm"


def test_herbs_that_harm_an_unborn_child_stop() -> None:
    woman = Patient(born=date(1996, 1, 1), sex="female", weight=60, pregnant=10)
    assert kinds(sheet(line("ezhu"), kind="herbal", syndrome="血瘀证", doses=7), woman)["pregnancy-never"] == "stop"


def test_a_western_doctor_without_training_confirms_herbs() -> None:
    plain = Prescriber("dr", "attending", frozenset({"prescribe"}), registered=True, grade=3)
    assert kinds(sheet(line("huangqi"), kind="herbal", syndrome="气虚证", doses=7), doctor=plain)["no-herb-right"] == "confirm"


# The second signature.


def test_what_the_doctor_has_confirmed_with_a_reason_is_left_as_advice() -> None:
    said = sheet(line("amlodipine", dose=15, confirmed="难治性高血压，专家会诊意见"))
    [one] = [one for one in found(said) if one.kind == "single-over"]
    assert (one.level, one.facts["confirmed"]) == ("advise", "难治性高血压，专家会诊意见")


def test_nobody_confirms_away_what_stops() -> None:
    said = sheet(line("amoxicillin", skin_test="negative", confirmed="知情"), diagnoses=("J03",))
    assert kinds(said, replace(ADULT, allergies=(Allergy("青霉素"),)))["allergy"] == "stop"


def test_a_finding_on_two_lines_needs_both_confirmed() -> None:
    both = ("enalapril", "spironolactone")
    once = sheet(line(both[0], confirmed="监测血钾"), line(both[1]))
    twice = sheet(*(line(code, confirmed="监测血钾") for code in both))
    assert [one.level for one in found(once) if one.kind == "interaction"] == ["confirm"]
    assert [one.level for one in found(twice) if one.kind == "interaction"] == ["advise"]
