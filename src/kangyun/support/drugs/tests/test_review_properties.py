"""Whatever comes in, the review answers; and what is worse is never found less."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kangyun.support.drugs.decisions import review, shipped
from kangyun.support.drugs.decisions.findings import kinds as kinds_known
from kangyun.support.drugs.model import Allergy, Diagnosis, Line, Patient, Prescriber, Prescription, Taken
from kangyun.support.drugs.tests.prescriptions import ADULT, DOCTOR, found, line, sheet

CODES = sorted(shipped().drugs)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e9, max_value=1e9) | st.sampled_from([0, 1, 2.5, 500])
WORDS = st.text(max_size=12) | st.sampled_from(["mg", "g", "片", "ml", "U", "qd", "tid", "qw", "po", "iv", "top", "negative", "asked"])
DATES = st.dates(date(1900, 1, 1), date(2100, 1, 1))
ICD = st.sampled_from(["I10", "E11.9", "J45", "K25.0", "O20", "C34", "", "？", "z99", "1", "i10"]) | st.text(max_size=6)

LINES = st.builds(
    Line, st.sampled_from(CODES) | st.text(max_size=8), NUMBERS, WORDS, WORDS, WORDS, NUMBERS, NUMBERS, WORDS, WORDS,
    st.sampled_from([*CODES[:5], "", "glucose-5-250"]), NUMBERS, st.integers(0, 2), WORDS, st.text(max_size=5), st.text(max_size=5))
SHEETS = st.builds(
    Prescription, st.sampled_from(["western", "herbal", "?"]), st.lists(LINES, max_size=7).map(tuple),
    st.lists(st.builds(Diagnosis, ICD, st.text(max_size=5)), max_size=3).map(tuple), DATES,
    setting=st.sampled_from(["outpatient", "internet", "emergency", "inpatient", "moon"]), sheet=WORDS, reason=st.text(max_size=5), long_term=st.booleans(),
    assessed=st.booleans(), pain=st.booleans(), syndrome=st.text(max_size=5), doses=st.integers(-3, 100), valid_days=st.integers(-3, 40),
    missing=st.lists(st.text(max_size=5), max_size=2).map(tuple), consulted=st.booleans(), number=st.text(max_size=3))
PATIENTS = st.builds(
    Patient, st.none() | DATES, st.sampled_from(["male", "female", "", "other"]), st.none() | NUMBERS, st.none() | NUMBERS,
    st.sampled_from(["", "A", "B", "C", "X"]), st.none() | NUMBERS, st.none() | st.integers(-5, 60), st.booleans(),
    st.lists(st.builds(Allergy, st.text(max_size=8) | st.sampled_from(["青霉素", "sulfa", ""]), st.text(max_size=4), st.booleans()), max_size=3).map(tuple),
    st.lists(st.builds(Taken, st.text(max_size=5), st.sampled_from(CODES) | st.text(max_size=5), st.text(max_size=8), st.none() | DATES), max_size=4).map(tuple),
    st.lists(ICD, max_size=3).map(tuple), st.booleans(), st.booleans(), st.booleans())
DOCTORS = st.builds(
    Prescriber, st.text(max_size=3), st.text(max_size=5) | st.sampled_from(["resident", "chief"]),
    st.frozensets(st.sampled_from(["prescribe", "narcotic", "special", "nonsense"])), st.booleans(), st.integers(-1, 5), st.booleans())


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SHEETS, PATIENTS, DOCTORS)
def test_the_review_answers_whatever_comes_in(said: Prescription, patient: Patient, doctor: Prescriber) -> None:
    told = review(said, patient, doctor, shipped())
    for one in told:
        assert one.kind in kinds_known()
        assert one.level in {"stop", "confirm", "advise"}
        assert all(0 <= place < len(said.lines) for place in one.lines)
        assert one.text["zh"]
        assert one.text["en"]
    assert told == review(said, patient, doctor, shipped()), "the same facts give the same findings"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(CODES), min_size=2, max_size=5, unique=True), st.randoms(use_true_random=False))
def test_the_order_of_lines_changes_nothing(codes: list[str], random: Random) -> None:
    other = [*codes]
    random.shuffle(other)

    def told(order: list[str]) -> list[tuple[str, str, tuple[str, ...]]]:
        said = sheet(*(line(code) for code in order))
        return sorted((one.kind, one.level, tuple(sorted(order[place] for place in one.lines))) for one in found(said))

    assert told(codes) == told(other)


@settings(max_examples=50, deadline=None)
@given(st.sampled_from([code for code, drug in shipped().drugs.items() if not drug.herb]), st.floats(1, 20))
def test_a_larger_dose_is_never_found_less(code: str, times: float) -> None:
    drug = shipped().drugs[code]

    def over(dose: float) -> set[str]:
        return {one.kind for one in found(sheet(line(code, dose=dose, skin_test="negative"))) if one.kind in {"single-over", "daily-over", "dose-extreme"}}

    assert bool(over(drug.dose.single * times * 1.01)) >= bool(over(drug.dose.single))
    assert over(drug.dose.single * 4), "four times the most is always told"


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(CODES), st.lists(st.sampled_from(CODES), max_size=4))
def test_knowing_more_of_a_patient_never_takes_away_a_finding(code: str, taken: list[str]) -> None:
    said = sheet(line(code))
    less = {one.kind for one in found(said, ADULT)} - {"no-indication", "caution"}
    more = replace(ADULT, takes=tuple(Taken(one, one) for one in taken), conditions=("K25.0", "J45.9", "N18.5"), egfr=20, liver="C", drinks=True)
    assert less <= {one.kind for one in found(said, more, DOCTOR)}
