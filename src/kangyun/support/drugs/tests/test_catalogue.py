"""The catalogue is whole and consistent: enough drugs, enough pairs, and no word that means nothing."""

from __future__ import annotations

from collections import Counter

import pytest

from kangyun.base import rules
from kangyun.support.drugs.decisions import shipped
from kangyun.support.drugs.decisions.groups import names, prefixes
from kangyun.support.drugs.decisions.herbs import decoctions
from kangyun.support.drugs.decisions.knowledge import Knowledge, words
from kangyun.support.drugs.decisions.lines import frequencies, times_a_day
from kangyun.support.drugs.decisions.lookup import LETTERS, look_up, of_letter
from kangyun.support.drugs.decisions.naming import core

PACKAGE = "kangyun.support.drugs"


@pytest.fixture(scope="module")
def known() -> Knowledge:
    return shipped()


def test_there_are_at_least_300_drugs_of_different_names_beside_the_herbs(known: Knowledge) -> None:
    drugs = [one for one in known.drugs.values() if not one.herb]
    assert len({one.zh for one in drugs}) >= 300
    assert len({one.en for one in drugs}) >= 300
    assert len({one.atc for one in drugs if len(one.atc) == 7}) >= 300, "different substances, not only different packages"
    assert len([one for one in known.drugs.values() if one.herb]) >= 150
    assert len([one for one in drugs if one.kind == "patent"]) >= 50


def test_there_are_at_least_150_pairs_and_none_stands_twice(known: Knowledge) -> None:
    sides = [(frozenset(words(pair["a"])), frozenset(words(pair["b"]))) for pair in known.pairs]
    assert len(sides) >= 150
    assert [sides[n] for n, (a, b) in enumerate(sides) if (a, b) in sides[:n] or (b, a) in sides[:n]] == []


def test_every_pair_names_drugs_that_the_catalogue_has(known: Knowledge) -> None:
    meant = frozenset().union(*known.terms.values())
    assert sorted({word for pair in known.pairs for side in ("a", "b") for word in words(pair[side])} - meant) == []
    assert sorted(names() - meant) == [], "a group without a drug"


def test_every_pair_says_what_why_and_how_sure(known: Knowledge) -> None:
    for pair in known.pairs:
        assert pair["level"] in {"stop", "confirm", "advise"}
        assert pair["certainty"] in {"checked", "memory", "default"}
        assert pair["source"]
        assert all(pair[part][language].strip(" .。()（）") for part in ("effect", "advice") for language in ("zh", "en"))


def test_what_is_not_a_regions_own_says_that_it_is_a_demonstration(known: Knowledge) -> None:
    for drug in known.drugs.values():
        assert drug.national.startswith("DEMO"), drug.code
        assert drug.insurance_code.startswith("DEMO"), drug.code
        assert drug.certainty == "memory", "nothing was checked row by row, so nothing says so"
        assert "memory" in drug.source


def test_codes_and_numbers_are_given_once(known: Knowledge) -> None:
    for key in ("number", "national", "insurance_code"):
        twice = [value for value, count in Counter(getattr(one, key) for one in known.drugs.values()).items() if count > 1]
        assert twice == [], key
    # Two makers may have the same generic; their trade names tell them apart.
    assert [name for name, count in Counter((one.zh, one.trade) for one in known.drugs.values()).items() if count > 1] == []


def test_usual_doses_are_below_the_most_and_old_people_take_no_more(known: Knowledge) -> None:
    for drug in (one for one in known.drugs.values() if not one.herb):
        dose, often = drug.dose, times_a_day(drug.dose.frequency)
        assert often is not None, drug.code
        assert 0 < dose.usual <= dose.single <= dose.daily, drug.code
        if often >= 1 and not frequencies()[dose.frequency].get("needed"):
            assert dose.usual * often <= dose.daily * 1.001, f"{drug.code}: the usual dose is over the most of a day"
        if dose.elderly:
            assert dose.elderly[0] <= dose.single, drug.code
            assert dose.elderly[0] <= dose.elderly[1] <= dose.daily, drug.code
        assert dose.route in drug.routes, f"{drug.code}: {dose.route} is not a way of {drug.form}"


def test_classes_tiers_and_controls_are_of_the_words_that_are_known(known: Knowledge) -> None:
    for drug in known.drugs.values():
        assert drug.insurance in {"A", "B", "C"}
        assert (drug.first_pay > 0) == (drug.insurance == "B"), drug.code
        assert drug.tier in {"", "unrestricted", "restricted", "special"}
        assert drug.storage in {"room", "cold", "cool", "dark", "safe"}
        assert drug.pregnancy in {"ok", "care", "never"}
        assert not drug.decoction or drug.decoction in decoctions()
        assert not drug.contains or {*drug.contains} <= {*known.drugs}, f"{drug.code} holds a herb that is not in the list"
        assert all(one.act in {"avoid", "halve", "care"} for one in (*drug.renal, *drug.hepatic)), drug.code


def test_antibacterials_for_the_whole_body_have_a_tier(known: Knowledge) -> None:
    assert [one.code for one in known.drugs.values() if one.atc.startswith("J01") and not one.tier] == []


def test_all_eighteen_and_nineteen_are_there() -> None:
    rows = rules.load(PACKAGE, "herbs/opposed.yaml").table
    eighteen = {herb for row in rows if row["list"] == 18 for herb in (*row["a"], *row["b"])}
    assert {"gancao", "gansui", "jingdaji", "haizao", "yuanhua", "chuanwu", "caowu", "fuzi", "banxia", "gualou", "chuanbeimu", "bailian", "baiji",
            "lilu", "renshen", "beishashen", "danshen", "xuanshen", "kushen", "xixin", "baishao"} <= eighteen
    assert len([row for row in rows if row["list"] == 19]) == 9, "nine pairs, nineteen herbs"
    assert eighteen <= {*shipped().drugs}


@pytest.mark.parametrize(("typed", "code"), [
    ("氨氯地平", "amlodipine"), ("aldp", "amlodipine"), ("anlvdiping", "amlodipine"), ("络活喜", "amlodipine"), ("amlodipine", "amlodipine"),
    ("ejsg", "metformin"), ("二甲双胍", "metformin"), ("甘草", "gancao"), ("lianhua", "lianhua-qingwen"), ("lipitor", "atorvastatin"),
])
def test_a_drug_is_found_by_name_trade_name_pinyin_and_initials(known: Knowledge, typed: str, code: str) -> None:
    assert code in [one.code for one in look_up(known.drugs.values(), typed)]


def test_every_drug_stands_in_one_group_of_the_catalogue(known: Knowledge) -> None:
    grouped = Counter(one.code for letter in LETTERS for one in of_letter(known.drugs.values(), letter))
    assert {code for code in known.drugs if grouped[code] == 0} == set()
    assert of_letter(known.drugs.values(), "X") == []


def test_an_atc_code_is_told_with_the_levels_above_it() -> None:
    assert prefixes("C09AA02") == ["C", "C09", "C09A", "C09AA", "C09AA02"]
    assert prefixes("") == []


@pytest.mark.parametrize(("name", "substance"), [("苯磺酸氨氯地平片", "氨氯地平"), ("注射用青霉素钠", "青霉素"), ("阿司匹林肠溶片", "阿司匹林")])
def test_the_substance_is_read_out_of_a_name(name: str, substance: str) -> None:
    assert core(name) == substance
