"""Laboratory results: ranges, flags, printed decimals and believable courses."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest

from yunzhou import illness, laboratory
from yunzhou.body import Body
from yunzhou.laboratory import Range
from yunzhou.plans import CHINA
from yunzhou.tests.standard import homes

AT = datetime(2026, 3, 1, 9, 0, tzinfo=CHINA)


def _bodies() -> list[Body]:
    return [Body(7, person) for home in homes(120) for person in home.born(AT.date()) if person.age(AT.date()) > 20]


def test_every_panel_consists_of_known_items() -> None:
    catalogue = laboratory.catalogue()
    for panel in catalogue.panels.values():
        assert set(panel.items) <= set(catalogue.items)


def test_every_illness_uses_known_items_panels_and_drugs() -> None:
    from yunzhou.visits import pharmacy

    catalogue, model = laboratory.catalogue(), illness.catalogue()
    bodies = {"bmi", *catalogue.items}
    for sickness in [*model.chronic, *model.acute, *model.exacerbations.values(), model.pregnancy]:
        assert set(sickness.panels) <= set(catalogue.panels)
        assert set(sickness.effects) <= bodies
        assert {drug for drug, _ in sickness.drugs} <= set(pharmacy().medicines)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(2.7, "LL"), (3.8, "L"), (3.9, "N"), (6.1, "N"), (6.2, "H"), (22.2, "HH")],
)
def test_a_flag_follows_the_range(value: float, expected: str) -> None:
    assert laboratory.result("glu", value, "male", 40, AT).flag == expected


def test_the_flag_is_that_of_the_printed_value() -> None:
    result = laboratory.result("glu", 6.1499, "male", 40, AT)
    assert (result.value, result.flag) == ("6.1", "N")


def test_decimals_are_printed_in_full() -> None:
    result = laboratory.result("ldl", 2.5, "male", 40, AT)
    assert (result.value, result.high) == ("2.50", "3.40")


def test_ranges_depend_on_sex_and_age() -> None:
    creatinine = laboratory.catalogue().items["crea"]
    assert laboratory.reference(creatinine, "male", 40).high == 97
    assert laboratory.reference(creatinine, "female", 70).high == 81
    assert laboratory.reference(creatinine, "male", 8).high == 62
    assert laboratory.reference(laboratory.catalogue().items["height"], "male", 8) == Range()


def test_most_results_of_the_healthy_are_normal() -> None:
    healthy = [body for body in _bodies() if not body.active(AT)]
    rng = Random(3)
    items = ["glu", "crea", "tc", "hgb", "wbc", "alt", "sbp", "ua", "k"]
    flags = [result.flag for body in healthy for result in body.measure(items, AT, rng, {})]
    assert len(flags) > 300
    assert flags.count("N") / len(flags) > 0.85


def test_diabetes_shows_in_glucose_and_its_mean_in_hba1c() -> None:
    ill = [body for body in _bodies() if any(course.illness.key == "diabetes" for course in body.active(AT))]
    assert ill
    levels = [body.level("glu", AT) for body in ill]
    assert sum(levels) / len(levels) > 6.4
    rng = Random(5)
    for body in ill:
        (a1c,) = body.measure(["a1c"], AT, rng, {})
        assert float(a1c.value) == pytest.approx((body.level("glu", AT) * 1.08 + 2.59) / 1.59, abs=0.35)


def test_treatment_brings_a_level_down_again() -> None:
    body = next(b for b in _bodies() if any(c.illness.key == "diabetes" for c in b.active(AT)))
    course = next(c for c in body.courses if c.illness.key == "diabetes")
    first = datetime.combine(course.onset, datetime.min.time(), CHINA) + timedelta(days=1)
    assert body.rise("glu", first + timedelta(days=400)) < body.rise("glu", first)


def test_egfr_follows_the_equation_of_2021() -> None:
    # 88.4 umol/L are 1.0 mg/dL; a woman of 50 has then 69 mL/min/1.73 m2 by the published calculator.
    woman = next(b for b in _bodies() if b.person.sex == "female" and 49.5 < b.person.age(AT.date()) < 50.5)
    from yunzhou.body import DERIVED, Sample

    found = DERIVED["egfr"](Sample(woman, {"crea": 88.4}, AT, Random(1)))
    assert found == pytest.approx(69, abs=1)
