"""What two records of one person may look like, and what two people may look like."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kangyun.commons.population.decisions.matching import (
    Features,
    blocking_keys,
    dates,
    decode,
    encode,
    features,
    names,
    numbers,
    places,
    score,
    verdict,
    weights,
)
from kangyun.commons.population.decisions.matching.levels import near
from kangyun.commons.population.decisions.matching.names import spelling
from kangyun.commons.population.decisions.residents import id_check_digit
from kangyun.commons.population.model import ID_NUMBER_SYSTEM

HOME = {"text": "云州市东城区人民路街道幸福社区3组12号"}
PHONE = {"system": "phone", "value": "13905741234"}
HOUSE_LINE = {"system": "phone", "value": "0574-87654329"}
CARD = {"type": {"coding": [{"code": "MC"}]}, "system": "urn:insurance", "value": "0576959994"}


def number(birth: str, order: int) -> str:
    body = f"990121{birth.replace('-', '')}{order:03d}"
    return body + id_check_digit(body)


def patient(name: str = "周秀兰", birth: str = "1956-03-04", id_: str = "", **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"name": [{"text": name}], "gender": "female", "birthDate": birth, "telecom": [PHONE], "address": [HOME]}
    if id_:
        found["identifier"] = [{"system": ID_NUMBER_SYSTEM, "value": id_}]
    return {**found, **more}


def compare(one: dict[str, Any], other: dict[str, Any]) -> tuple[str, dict[str, str], str]:
    a, b = features(one), features(other)
    evidence = score(a, b)
    assert evidence.bits == score(b, a).bits
    return verdict(evidence), {found.field: found.level for found in evidence.fields}, evidence.barred


def meets(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return not set(blocking_keys(features(one))).isdisjoint(blocking_keys(features(other)))


@pytest.mark.parametrize(("field", "level", "one", "other"), [
    ("id_number", "same", {"id_": "11010519491231002X"}, {"id_": "110105491231002"}),
    ("id_number", "same", {"id_": "440524188001010014"}, {"id_": "４４０５２４ 18800101 0014"}),
    ("id_number", "misspelt", {"id_": "11010519491231002X"}, {"id_": "11010519491231003X"}),
    ("id_number", "misspelt", {"id_": "11010519491231002X"}, {"id_": "11010519492131002X"}),
    ("id_number", "misspelt", {"id_": "11010519491231002X"}, {"id_": "110105194912310021"}),
    ("id_number", "typo", {"id_": number("1956-03-04", 2)}, {"id_": number("1956-03-04", 4)[:6] + "560304004"}),   # of fifteen digits: perhaps a twin
    ("id_number", "different", {"id_": number("1956-03-04", 2)}, {"id_": number("1956-03-04", 4)}),
    ("id_number", "different", {"id_": number("1956-03-04", 2)}, {"id_": number("1958-07-04", 4)}),
    ("id_number", "unclear", {"id_": number("1956-03-04", 2)}, {"id_": number("1982-07-04", 4)}),   # a child's number
    ("id_number", "", {"id_": "11010519491231002X"}, {"id_": "111111111111111111"}),
    ("name", "same", {"name": "劉偉"}, {"name": "刘伟"}),
    ("name", "same", {"name": "买买提·艾力"}, {"name": "买买提 艾力"}),
    ("name", "same", {"name": "王芳（孕）"}, {"name": "王芳女士"}),
    ("name", "homophone", {"name": "王晓明"}, {"name": "王小铭"}),
    ("name", "called", {"name": "单雄信"}, {"name": "丹雄信"}),
    ("name", "loose", {"name": "李婷强"}, {"name": "李婷江"}),
    ("name", "shape", {"name": "王未"}, {"name": "王末"}),
    ("name", "pinyin", {"name": "李小明"}, {"name": "LI Xiaoming"}),
    ("name", "pinyin", {"name": "李小明"}, {"name": "Xiaoming, Li"}),
    ("name", "loose", {"name": "张敏"}, {"name": "章明"}),
    ("name", "near", {"name": "李建国"}, {"name": "李建军"}),
    ("name", "near", {"name": "买买提艾力"}, {"name": "买买提"}),
    ("name", "surname", {"name": "李建国"}, {"name": "李小红"}),
    ("name", "called", {"name": "李建国"}, {"name": "王建国"}),
    ("name", "given", {"name": "李建国"}, {"name": "王健国"}),
    ("name", "misread", {"name": "王文丽"}, {"name": "王交丽"}),
    ("name", "misread", {"name": "陈建国"}, {"name": "阵建国"}),
    ("name", "shape", {"name": "魏涛寿"}, {"name": "魏涛涛"}),
    ("name", "different", {"name": "李建国"}, {"name": "王小红"}),
    ("name", "", {"name": "无名氏"}, {"name": "王小红"}),
    ("birth", "same", {}, {}),
    ("birth", "swapped", {"birth": "1956-03-04"}, {"birth": "1956-04-03"}),
    ("birth", "lunar", {"birth": "1956-03-04"}, {"birth": "1956-01-22"}),
    ("birth", "slip", {"birth": "1956-03-04"}, {"birth": "1965-03-04"}),
    ("birth", "slip", {"birth": "1956-03-04"}, {"birth": "1956-03-14"}),
    ("birth", "year", {"birth": "1956-03-04"}, {"birth": "1956-01-01"}),
    ("birth", "year", {"birth": "1956-03-04"}, {"birth": "1956"}),
    ("birth", "same_year", {"birth": "1956-03-04"}, {"birth": "1956-11-25"}),
    ("birth", "different", {"birth": "1956-03-04"}, {"birth": "1989-11-25"}),
    ("birth", "slip_beside_number", {"birth": "1956-03-04"}, {"birth": "", "id_": number("1956-03-04", 2)}),
    ("birth", "slip_beside_number", {"birth": "1956-03-04"}, {"birth": "1956-03-14", "id_": number("1956-03-04", 2)}),
    ("birth", "in_number", {"birth": "1956-03-04"}, {"birth": "1957-11-25", "id_": number("1956-03-04", 2)}),
    ("phone", "own", {}, {"telecom": [{"system": "phone", "value": "+86 139 0574 1234"}]}),
    ("phone", "own", {"birth": "", "id_": number("1956-03-04", 2)}, {}),
    ("phone", "own", {"telecom": [{"system": "phone", "value": "12905741234"}]}, {"telecom": [{"system": "phone", "value": "8612905741234"}]}),
    ("phone", "same", {"birth": "2016-03-04"}, {"birth": "2016-03-04"}),   # a child's telephone is a parent's
    ("phone", "same", {"birth": ""}, {}),   # of whatever age
    ("phone", "same", {"telecom": [HOUSE_LINE]}, {"telecom": [HOUSE_LINE]}),
    ("phone", "slip", {}, {"telecom": [{"system": "phone", "value": "13905741243"}]}),
    ("phone", "", {}, {"telecom": [{"system": "phone", "value": "13800000000"}]}),
    ("address", "door", {}, {"address": [{"district": "东城区", "line": ["人民路街道幸福居委会三组12号"]}]}),
    ("address", "village", {}, {"address": [{"text": "东城区人民路街道幸福社区"}]}),
    ("address", "same_village", {}, {"address": [{"text": "东城区人民路街道幸福社区5组1号"}]}),
    ("address", "town", {}, {"address": [{"text": "东城区人民路街道"}]}),
    ("address", "same_town", {}, {"address": [{"text": "东城区人民路街道和平社区3组12号"}]}),
    ("address", "town", {"address": [{"text": "云岭省云州市临河市河口镇西桥村8组205号"}]}, {"address": [{"text": "临河市河口镇老街12号"}]}),
    ("address", "county", {}, {"address": [{"text": "云州市东城区安乐镇大石村12号"}]}),
    ("address", "different", {}, {"address": [{"text": "云州市西湖区安乐镇大石村3组12号"}]}),
])
def test_levels_of_agreement(field: str, level: str, one: dict[str, Any], other: dict[str, Any]) -> None:
    _, levels, _ = compare(patient(**one), patient(**other))
    assert levels[field] == level


@pytest.mark.parametrize(("one", "other", "expected"), [
    ({}, {"name": "周秀蘭", "birth": "1956-01-22"}, "link"),
    ({"id_": number("1956-03-04", 2)}, {"id_": number("1956-03-04", 2), "address": [], "telecom": []}, "link"),
    ({"id_": number("1956-03-04", 2)}, {"id_": number("1956-03-04", 2)[:6] + "560304002", "telecom": []}, "link"),
    ({"name": "李小明"}, {"name": "LI Xiaoming", "address": []}, "link"),
    # A number, and a name and a date that each have a slip.
    ({"id_": number("1956-03-04", 2)}, {"id_": number("1956-03-04", 2), "name": "周秀岚", "birth": "1956-03-14"}, "link"),
    # A child first registered with its mother's number.
    ({"birth": "2016-03-04", "id_": number("1986-05-04", 2)}, {"birth": "2016-03-04", "id_": number("2016-03-04", 2)}, "link"),
    # Nobody's brother bears the same given name.
    ({"name": "段建国"}, {"name": "明建国"}, "link"),
    ({"name": "周文丽"}, {"name": "周交丽"}, "link"),
    # Twins have each a telephone of their own when they are long grown up.
    ({"name": "周晓红"}, {"name": "周小红"}, "link"),
    ({"name": "魏涛寿", "identifier": [CARD]}, {"name": "魏涛涛", "identifier": [CARD]}, "link"),
    # A married name, known from another source.
    ({"id_": number("1956-03-04", 2)}, {"id_": number("1956-03-04", 2), "name": "陈周秀兰"}, "link"),
    # A number with one slip, of which the check digit tells that it is one.
    ({"id_": number("1956-03-04", 2)}, {"id_": number("1956-03-04", 2)[:15] + "7" + number("1956-03-04", 2)[16:], "address": [], "telecom": []}, "link"),
    # Nothing but name and birth date: there are namesakes born on one day.
    ({}, {"address": [], "telecom": []}, "review"),
    ({}, {"address": [{"text": "西湖区清溪镇大石村1组1号"}], "telecom": [{"system": "phone", "value": "13705740000"}]}, "review"),
])
def test_verdicts(one: dict[str, Any], other: dict[str, Any], expected: str) -> None:
    a, b = patient(**one), patient(**other)
    assert meets(a, b)
    assert compare(a, b)[0] == expected


@pytest.mark.parametrize(("one", "other", "reason"), [
    # Twins: the next number, one address, one telephone.
    ({"name": "周小红", "id_": number("1956-03-04", 22)}, {"name": "周小兰", "id_": number("1956-03-04", 24)}, "two-numbers"),
    ({"name": "周小红", "multipleBirthInteger": 1}, {"name": "周小兰", "multipleBirthInteger": 2}, "relatives"),
    ({"name": "周小红", "id_": number("1956-03-04", 22)}, {"name": "周小兰", "id_": number("1956-03-04", 24)[:6] + "560304024"}, "relatives"),
    ({"name": "周晓红", "gender": "male"}, {"name": "周小红"}, "twins"),
    ({"name": "魏涛寿", "id_": number("1956-03-04", 22)}, {"name": "魏涛涛"}, "twins"),   # both are names, alike to the eye
    # Twins whose names sound alike: a parent's telephone, a house line, one home, or none of it.
    ({"name": "周晓红", "birth": "2016-03-04"}, {"name": "周小红", "birth": "2016-03-04"}, "twins"),
    ({"name": "周晓红", "birth": "2016-03-04", "id_": number("2016-03-04", 22)}, {"name": "周小红", "birth": "2016-03-04"}, "twins"),
    ({"name": "周晓红", "telecom": [HOUSE_LINE]}, {"name": "周小红", "telecom": [HOUSE_LINE]}, "twins"),
    ({"name": "周晓红", "telecom": []}, {"name": "周小红"}, "twins"),
    ({"name": "周敏"}, {"name": "周明", "telecom": []}, "twins"),
    ({"name": "周莲敏", "birth": "1978-05-14"}, {"name": "周莲明", "birth": "1978-05-04"}, "twins"),   # it only sounds alike
    ({"name": "李婷强", "birth": "1988-03-30"}, {"name": "李婷江", "birth": "1988-03-30"}, "twins"),   # alike in a reading that nobody uses in a name
    ({"name": "田曦敏", "birth": "2004-11-28"}, {"name": "TIAN ximing", "birth": "2004-11-28"}, "twins"),   # in pinyin, and it only sounds alike
    # One village, a digit of the birthday: namesakes.
    ({"name": "王明新", "birth": "1968-07-06", "address": [{"text": "云州市石门县溪桥乡古高村"}]},
     {"name": "王明新", "birth": "1968-03-06", "address": [{"text": "云州市石门县溪桥乡古高村8组94号"}], "telecom": []}, "namesakes"),
    # One village or town, one birth date and another or no telephone: namesakes, until something else agrees.
    *[
        ({"name": "欧阳晓枫", "address": [{"text": one}]}, {"name": "欧阳晓枫", "address": [{"text": other}], "telecom": telecom}, "namesakes")
        for one, other in [("石门县溪桥乡古高村", "石门县溪桥乡古高村8组94号"), ("石门县溪桥乡古高村", "石门县溪桥乡古高村"),
                           ("石门县溪桥乡古高村8组94号", "石门县溪桥乡古高村3组1号"), ("石门县溪桥乡", "石门县溪桥乡古高村8组94号")]
        for telecom in ([], [{"system": "phone", "value": "13705740000"}])
    ],
    # Both under the insurance of their mother.
    ({"name": "周小红", "identifier": [CARD]}, {"name": "周小兰", "identifier": [CARD]}, "borrowed-number"),
    ({"name": "周建国", "birth": "1956-03-04", "identifier": [CARD]}, {"name": "周建国", "birth": "1981-07-14", "identifier": [CARD]}, "borrowed-number"),
    ({"name": "王芳之子", "multipleBirthInteger": 1}, {"name": "王芳之女", "multipleBirthInteger": 2}, ""),
    # Father and son at one address.
    ({"name": "周建国", "birth": "1956-03-04"}, {"name": "周建军", "birth": "1981-07-14"}, "relatives"),
    ({"name": "周建国", "birth": "1956-03-04"}, {"name": "周建国", "birth": "1981-07-14"}, "generations"),
    # A child registered with its mother's number.
    ({"id_": number("1956-03-04", 2)}, {"name": "王小红", "birth": "1990-05-06", "id_": number("1956-03-04", 2)}, "borrowed-number"),
])
def test_two_people_are_never_linked_by_a_program(one: dict[str, Any], other: dict[str, Any], reason: str) -> None:
    found, _, barred = compare(patient(**one), patient(**other))
    assert found != "link"
    assert not reason or barred == reason


def test_a_newborn_is_found_by_its_mother() -> None:
    mother = {"relationship": [{"coding": [{"code": "MTH"}]}], "name": {"text": "王芳"}}
    one = patient("王芳之女", "2026-03-04", address=[], telecom=[])
    other = patient("周小红", "2026-03-04", address=[], contact=[mother])
    assert meets(one, other)
    assert compare(one, other)[1]["parent"] == "same"


def test_a_name_of_characters_with_many_readings_has_a_few_sounds() -> None:
    """Two readings for each of forty characters are more sounds than any memory holds."""
    sounds = spelling("王" + "长" * 39).sounds
    assert 1 < len(sounds) <= 8
    assert len(set(sounds)) == len(sounds)


def test_one_slip() -> None:
    assert all(near(*pair) for pair in [("abc", "abc"), ("abc", "abd"), ("abc", "ab"), ("abc", "acb"), ("abc", "xabc")])
    assert not any(near(*pair) for pair in [("abc", "cba"), ("abc", "ade"), ("abc", "a"), ("abcd", "badc")])


def test_any_slip_in_an_id_number_leaves_a_key() -> None:
    whole = number("1956-03-04", 2)
    for place in range(17):
        slip = whole[:place] + str((int(whole[place]) + 3) % 10) + whole[place + 1 :]
        swap = whole[:place] + whole[place + 1] + whole[place] + whole[place + 2 :]
        for wrong in {slip, swap} - {whole}:
            one, other = (Features(id_number=text) for text in (whole, wrong))
            assert set(blocking_keys(one)) & set(blocking_keys(other)), wrong


def test_keys_are_few_and_fit_a_bigint() -> None:
    keys = blocking_keys(features(patient(id_=number("1956-03-04", 2))))
    assert 5 < len(keys) < 25
    assert all(-(2**63) <= key < 2**63 for key in keys)
    assert blocking_keys(features({})) == []


def test_features_survive_their_text() -> None:
    found = features(patient(id_=number("1956-03-04", 2)))
    assert decode(encode(found)) == found


def test_numbers_of_nobody_say_nothing() -> None:
    assert not features(patient(id_="000000")).id_number
    assert numbers.id_number("11010519491231002X").sure
    assert not numbers.id_number("110105194912310021").sure
    assert numbers.document("PPN", "无") == ""


def test_dates_and_places() -> None:
    assert dates.lunar("1956-03-04") == "1956-01-22"
    assert dates.swapped("1956-13-04") == ""
    assert places.place({"text": "浙江省云州市清溪县大石镇双河村十二组3号"}) == places.Place("清溪", "清溪/大石", "大石/双河", "双河//12-3")
    assert places.place({"text": "云岭省云州市临河市河口镇西桥村"}) == places.place({"text": "临河市河口镇西桥村"})
    assert names.spelling("欧阳娜娜").surname == "ouyan"


@pytest.mark.parametrize(("written", "latin"), [("张正兴", "ZHANG Zhengxing"), ("牛宁", "Ning Niu"), ("宫雄安", "gong xiongan"), ("章盛男", "SHENGNAN ZHANG")])
def test_a_name_in_pinyin_meets_the_one_in_characters_with_nothing_but_the_birth_date(written: str, latin: str) -> None:
    alone: dict[str, Any] = {"address": [], "telecom": []}
    assert meets(patient(written, **alone), patient(latin, **alone))


_TEXT = st.text(st.sampled_from("王小明李建国欧阳·()某之子*0123456789Xxab -省市县镇村号\u0000𠮷"), max_size=24)
_VALUE = st.recursive(_TEXT | st.none() | st.booleans() | st.integers(), lambda inner: st.lists(inner, max_size=3))
_RUBBISH = st.fixed_dictionaries({}, optional={
    "name": st.lists(st.dictionaries(st.sampled_from(["text", "family", "given", "use"]), _VALUE, max_size=3), max_size=3) | _VALUE,
    "birthDate": _VALUE, "gender": _VALUE, "deceasedDateTime": _VALUE, "multipleBirthInteger": _VALUE,
    "identifier": st.lists(st.fixed_dictionaries({"system": st.just(ID_NUMBER_SYSTEM), "value": _VALUE}), max_size=3) | _VALUE,
    "telecom": st.lists(st.fixed_dictionaries({"system": st.just("phone"), "value": _VALUE}), max_size=3) | _VALUE,
    "address": st.lists(st.dictionaries(st.sampled_from(["text", "line", "district", "city"]), _VALUE, max_size=3), max_size=3) | _VALUE,
    "contact": _VALUE, "extension": _VALUE,
})


@settings(max_examples=60, deadline=None)
@given(_RUBBISH, _RUBBISH)
def test_rubbish_is_no_error_and_the_score_is_symmetric(one: dict[str, Any], other: dict[str, Any]) -> None:
    a, b = features(one), features(other)
    blocking_keys(a)
    assert decode(encode(a)) == a
    forth, back = score(a, b), score(b, a)
    assert (forth.bits, forth.barred) == (back.bits, back.barred)


def test_the_score_of_equal_patients_is_the_highest() -> None:
    chance = random.Random(3)
    everybody = [patient(chance.choice("王李张") + chance.choice("明红军"), f"19{chance.randrange(40, 99)}-03-{chance.randrange(10, 29)}") for _ in range(50)]
    for one in everybody:
        mine = features(one)
        assert score(mine, mine).bits >= max(score(mine, features(other)).bits for other in everybody)


def test_every_hard_rule_names_levels_that_exist() -> None:
    by = weights()
    levels = {one.field: {level.name for level in one.levels} | {""} for one in by.comparisons}
    for bar in by.bars:
        assert all(found <= levels[field] for field, found in bar.levels.items()), bar.reason
