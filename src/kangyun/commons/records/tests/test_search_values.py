"""Search values as R4's own tables and texts state them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pytest

from kangyun.base.database import Database
from kangyun.base.errors import Problem
from kangyun.commons.records.decisions.index import dates
from kangyun.commons.records.tests.shelf import ids, page, parse, put

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"


def coded(code: str, system: str | None = LOINC, **more: Any) -> dict[str, Any]:
    coding = {"code": code, **({"system": system} if system else {}), **more}
    return {"coding": [coding]}


def observation(id_: str, **fields: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": id_, "status": "final", "code": coded("x"), **fields}


def quantity(value: float, unit: str = "mg", **more: Any) -> dict[str, Any]:
    return {"value": value, "system": UCUM, "code": unit, "unit": unit, **more}


PEOPLE = [
    {"resourceType": "Patient", "id": "wang", "active": True, "gender": "male", "birthDate": "1980-02-29",
     "identifier": [{"system": "urn:id", "value": "A1", "type": coded("NI", "urn:kind")}, {"value": "bare"}],
     "name": [{"family": "王", "given": ["小明"]}],
     "telecom": [{"system": "phone", "value": "138 0013-8000"}, {"system": "email", "value": "Wang@Example.org"}],
     "address": [{"text": "云州市海曙区大河街道南路8号", "city": "云州市", "district": "海曙区"}],
     "maritalStatus": coded("M", "urn:m"), "generalPractitioner": [{"reference": "Practitioner/zhao"}]},
    {"resourceType": "Patient", "id": "shan", "gender": "female", "birthDate": "1980-02",
     "name": [{"text": "单 雄信", "family": "单", "given": ["雄信"]}], "deceasedBoolean": False,
     "generalPractitioner": [{"identifier": {"system": "urn:doc", "value": "7"}}]},
    {"resourceType": "Patient", "id": "yuchi", "birthDate": "1980", "name": [{"text": "尉迟恭"}],
     "deceasedDateTime": "2020-01-01"},
    {"resourceType": "Patient", "id": "lu", "active": False, "name": [{"text": "吕布"}], "deceasedBoolean": True},
    {"resourceType": "Patient", "id": "homophone", "name": [{"text": "王晓明"}]},
    {"resourceType": "Patient", "id": "marche", "name": [{"family": "du Marché", "given": ["Ángela", "Ro\\se, $ann|e"]}]},
]  # fmt: skip
DATED = [
    observation("midnight", effectiveDateTime="2013-01-14T00:00:00Z"),
    observation("morning", effectiveDateTime="2013-01-14T10:00:00Z"),
    observation("next", effectiveDateTime="2013-01-15T00:00:00Z"),
    observation("day", effectiveDateTime="2013-01-14"),
    observation("month", effectiveDateTime="2013-01"),
    observation("east", effectiveDateTime="2013-01-14T07:00:00+08:00"),
    observation("noons", effectivePeriod={"start": "2013-01-13T12:00:00Z", "end": "2013-01-14T12:00:00Z"}),
    observation("from_january", effectivePeriod={"start": "2013-01-21"}),
    observation("until_january", effectivePeriod={"end": "2013-01-21"}),
    observation("from_march", effectivePeriod={"start": "2013-03-15"}),
    observation("timing", effectiveTiming={"event": ["2011-01-01", "2011-06-01"]}),
]
MEASURED = [
    observation("five", valueQuantity=quantity(5.4)),
    observation("five_word", valueQuantity={"value": 5.4, "unit": "毫克", "system": UCUM, "code": "mg"}),
    observation("five_bare", valueQuantity={"value": 5.4, "unit": "mg"}),
    observation("gram", valueQuantity=quantity(5.4, "g")),
    observation("near", valueQuantity=quantity(5.36)),
    observation("hundred", valueQuantity=quantity(100)),
    observation("less", valueQuantity=quantity(2, comparator="<")),
    observation("concept", valueCodeableConcept={**coded("red", "urn:c", display="Deep Red"), "text": "Rouge"}),
    observation("string", valueString="Café au lait"),
    observation("pressure", code=coded("85354-9"), component=[
        {"code": coded("8480-6"), "valueQuantity": quantity(150, "mm[Hg]")},
        {"code": coded("8462-4"), "valueQuantity": quantity(90, "mm[Hg]")}]),
]  # fmt: skip
RISKS = [
    {"resourceType": "RiskAssessment", "id": "fixed", "prediction": [{"probabilityDecimal": 100.4}]},
    {"resourceType": "RiskAssessment", "id": "wide", "prediction": [
        {"probabilityRange": {"low": {"value": 10}, "high": {"value": 200}}}]},
]  # fmt: skip
DEFINED = [
    {"resourceType": "ValueSet", "id": "deep", "url": "http://acme.org/fhir/ValueSet/123", "status": "active"},
    {"resourceType": "ValueSet", "id": "shallow", "url": "http://acme.org/fhir", "status": "draft"},
    {"resourceType": "ValueSet", "id": "other", "url": "http://acme.org/fhirish", "status": "active"},
    {"resourceType": "ValueSet", "id": "urn", "url": "urn:oid:1.2.3", "status": "active",
     "useContext": [{"code": {"system": "urn:u", "code": "age"}, "valueRange": {"low": {"value": 1}, "high": {"value": 5}}},
                    {"code": {"system": "urn:u", "code": "sex"}, "valueCodeableConcept": coded("F", "urn:g")}]},
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _utc() -> Iterator[None]:
    dates.set_zone(ZoneInfo("UTC"))
    yield
    dates.set_zone(None)


@pytest.fixture(scope="module", autouse=True)
async def _world(database: Database, _utc: None) -> None:
    await put(database, [*PEOPLE, *DATED, *MEASURED, *RISKS, *DEFINED])


@pytest.mark.parametrize(("query", "expected"), [
    ("eq2013-01-14", "midnight morning day"),
    ("2013-01-14", "midnight morning day"),
    ("2013-01", "midnight morning next day month east noons"),
    ("ne2013-01-14", "next month east noons from_january until_january from_march timing"),
    ("lt2013-01-14T10:00", "midnight day month east noons until_january timing"),
    ("gt2013-01-14T10:00", "next day month noons from_january until_january from_march"),
    ("ge2013-03-14", "from_january from_march"),
    ("le2013-01-13", "month east until_january timing"),
    ("sa2013-03-14", "from_march"),
    ("sa2013-01-14", "next from_january from_march"),
    ("eb2013-03-14", "midnight morning next day month east noons until_january timing"),
    ("eb2013-01-14", "east timing"),
    ("2013-01-13T23:00:00Z", "east"),
    ("2013-01-14T07:00:00%2B08:00", "east"),
    ("2013-01-14T07:00:00+08:00", "east"),
    ("ge2013-01-15,eb2012", "next month from_january until_january from_march timing"),
    ("ge2013-01-14&date=lt2013-01-15", "midnight morning day month until_january"),
    ("ap2013-03-14", "midnight morning next day month noons from_january until_january from_march east"),
    ("ap2026-11-01", "from_january from_march"),
])  # fmt: skip
async def test_it_finds_dates_as_r4_says(database: Database, query: str, expected: str) -> None:
    found = await ids(database, f"Observation?date={query}")
    assert sorted(found) == sorted(expected.split())


@pytest.mark.parametrize(("query", "expected"), [
    ("value-quantity=5.4", "five five_word five_bare gram near"),
    ("value-quantity=5.40", "five five_word five_bare gram"),
    ("value-quantity=5", "five five_word five_bare gram near"),
    (f"value-quantity=5.4|{UCUM}|mg", "five five_word near"),
    ("value-quantity=5.4||mg", "five five_word five_bare near"),
    ("value-quantity=5.4||%E6%AF%AB%E5%85%8B", "five_word"),
    ("value-quantity=5.40e0", "five five_word five_bare gram"),
    ("value-quantity=1e2", "hundred"),
    ("value-quantity=100.0", "hundred"),
    ("value-quantity=ne5.4", "hundred less"),
    ("value-quantity=gt5.4", "hundred"),
    ("value-quantity=ge5.4", "five five_word five_bare gram hundred"),
    ("value-quantity=lt5.4", "near less"),
    ("value-quantity=le2", "less"),
    ("value-quantity=sa5.4", "hundred"),
    ("value-quantity=eb5.4", "near less"),
    ("value-quantity=ap5", "five five_word five_bare gram near"),
    ("value-quantity:missing=false", "five five_word five_bare gram near hundred less"),
    ("combo-value-quantity=gt120", "pressure"),
    ("component-value-quantity=90||mm[Hg]", "pressure"),
    ("code-value-quantity=x$5.4", "five five_word five_bare gram near"),
    (f"code-value-quantity={LOINC}|x$5.4||g", "gram"),
    ("component-code-value-quantity=8480-6$gt140", "pressure"),
    (f"component-code-value-quantity={LOINC}|8480-6$gt140", "pressure"),
    ("component-code-value-quantity=8462-4$gt140", ""),
    ("combo-code-value-quantity=8480-6$gt140", "pressure"),
    ("combo-code-value-quantity=x$gt50", "hundred"),
    ("combo-code=8462-4", "pressure"),
    ("combo-code=85354-9", "pressure"),
    ("code-value-concept=x$red", "concept"),
    ("value-concept:text=deep", "concept"),
    ("value-concept:text=rou", "concept"),
    ("value-string=cafe", "string"),
    ("value-string=rouge", "concept"),
    ("value-string:contains=AU", "string"),
    ("value-string:exact=Caf%C3%A9%20au%20lait", "string"),
    ("value-string:exact=Cafe%20au%20lait", ""),
])  # fmt: skip
async def test_it_finds_values_of_observations(database: Database, query: str, expected: str) -> None:
    assert sorted(await ids(database, f"Observation?{query}")) == sorted(expected.split())


@pytest.mark.parametrize(("query", "expected"), [
    ("name=王", "wang homophone"),
    ("name=小明", "wang"),
    ("name=王小明", "wang"),
    ("name=明", "wang homophone"),
    ("name=wangxiaoming", "wang homophone"),
    ("name=wang xiao", "wang homophone"),
    ("name=Wáng", "wang homophone"),
    ("name=xiaoming", "wang homophone"),
    ("name=ming", "wang homophone"),
    ("name=wxm", "wang homophone"),
    ("name=xm", "wang homophone"),
    ("family=wang", "wang"),
    ("given=xiaoming", "wang"),
    ("given=wang", ""),
    ("name=shan", "shan"),
    ("name=shanxiongxin", "shan"),
    ("name=单雄信", "shan"),
    ("name=雄信", "shan"),
    ("name=yuchi", "yuchi"),
    ("name=ycg", "yuchi"),
    ("name=lvbu", "lu"),
    ("name=lyu", "lu"),
    ("name=lǚ bù", "lu"),
    ("name:exact=吕布", "lu"),
    ("name:exact=吕", ""),
    ("name:contains=布", "lu"),
    ("phonetic=王小鸣", "wang homophone"),
    ("name=du marche", "marche"),
    ("name=DU MARCHÉ", "marche"),
    ("name=marche", ""),
    ("name:contains=arc", "marche"),
    ("given=angela", "marche"),
    ("name=王,尉迟", "wang homophone yuchi"),
    ("name=王&given=小明", "wang"),
    ("address=海曙", "wang"),
    ("address=大河街道", "wang"),
    ("address-city=云州", "wang"),
    ("address:contains=8号", "wang"),
])  # fmt: skip
async def test_it_finds_names_by_character_pinyin_and_initials(database: Database, query: str, expected: str) -> None:
    assert sorted(await ids(database, f"Patient?{query}")) == sorted(expected.split())


@pytest.mark.parametrize(("query", "expected"), [
    ("identifier=A1", "wang"),
    ("identifier=urn:id|A1", "wang"),
    ("identifier=|A1", ""),
    ("identifier=|bare", "wang"),
    ("identifier=urn:id|", "wang"),
    ("identifier=a1", ""),
    ("identifier:of-type=urn:kind|NI|A1", "wang"),
    ("identifier:of-type=urn:kind|XX|A1", ""),
    ("identifier:missing=false", "wang"),
    ("active=true", "wang"),
    ("active:missing=true", "shan yuchi homophone marche"),
    ("active:not=true", "shan yuchi lu homophone marche"),
    ("gender=male,female", "wang shan"),
    ("gender=http://hl7.org/fhir/administrative-gender|male", "wang"),
    ("gender=urn:other|male", ""),
    ("gender=http://hl7.org/fhir/administrative-gender|", "wang shan"),
    ("gender:not=male", "shan yuchi lu homophone marche"),
    ("gender:in=http://hl7.org/fhir/ValueSet/administrative-gender", "wang shan"),
    ("gender:not-in=http://hl7.org/fhir/ValueSet/administrative-gender", "yuchi lu homophone marche"),
    ("phone=13800138000", "wang"),
    ("phone=wang@example.org", ""),
    ("email=wang@example.org", "wang"),
    ("telecom=phone|13800138000", "wang"),
    ("email:missing=true", "shan yuchi lu homophone marche"),
    ("deceased=true", "yuchi lu"),
    ("deceased=false", "wang shan homophone marche"),
    ("death-date=2020", "yuchi"),
    ("birthdate=1980", "wang shan yuchi"),
    ("birthdate=1980-02", "wang shan"),
    ("birthdate=1980-02-29", "wang"),
    ("birthdate:missing=true", "lu homophone marche"),
    ("general-practitioner=Practitioner/zhao", "wang"),
    ("general-practitioner=zhao", "wang"),
    ("general-practitioner:Practitioner=zhao", "wang"),
    ("general-practitioner:Organization=zhao", ""),
    ("general-practitioner:identifier=urn:doc|7", "shan"),
    ("general-practitioner:missing=true", "yuchi lu homophone marche"),
    ("_id=wang,lu", "wang lu"),
    ("_id=wang&name=lu", ""),
    ("_lastUpdated=ge2026", "wang shan yuchi lu homophone marche"),
    ("_lastUpdated=lt2026-11-22T08:00:00Z", ""),
    ("_lastUpdated=2026-11-22", "wang shan yuchi lu homophone marche"),
    (r"given=ro\\se\, \$ann\|e", "marche"),
])  # fmt: skip
async def test_it_finds_tokens_references_and_the_rest(database: Database, query: str, expected: str) -> None:
    assert sorted(await ids(database, f"Patient?{query}")) == sorted(expected.split())


@pytest.mark.parametrize(("query", "expected"), [
    ("RiskAssessment?probability=100", "fixed"),
    ("RiskAssessment?probability=100.0", ""),
    ("RiskAssessment?probability=gt150", "wide"),
    ("RiskAssessment?probability=eb9", ""),
    ("ValueSet?url=http://acme.org/fhir", "shallow"),
    ("ValueSet?url:below=http://acme.org/fhir", "shallow deep"),
    ("ValueSet?url:below=http://acme.org/fhir/", "shallow deep"),
    ("ValueSet?url:above=http://acme.org/fhir/ValueSet/123/x", "shallow deep"),
    ("ValueSet?url=urn:oid:1.2.3", "urn"),
    ("ValueSet?context-quantity=3", ""),
    ("ValueSet?context-quantity=gt3", "urn"),
    ("ValueSet?context-type-quantity=age$gt3", "urn"),
    ("ValueSet?context-type-quantity=sex$gt3", ""),
    ("ValueSet?context-type-value=urn:u|sex$urn:g|F", "urn"),
    ("ValueSet?context-type-value=age$F", ""),
    ("ValueSet?status:not=draft", "deep other urn"),
])  # fmt: skip
async def test_it_pairs_composites_and_walks_addresses(database: Database, query: str, expected: str) -> None:
    assert sorted(await ids(database, query)) == sorted(expected.split())


@pytest.mark.parametrize("address", [
    "Patient?birthdate=1980-13", "Patient?birthdate=yesterday", "Patient?birthdate=1980-02-30",
    "Patient?birthdate=xx1980", "Patient?active=maybe", "Patient?name:sounds=x", "Patient?name=%20",
    "Patient?gender:missing=perhaps", "Patient?_count=-1", "Patient?_count=many", "Patient?_total=all",
    "Patient?_sort=nothing", "Patient?_include=Patient", "Patient?_include=Patient:name", "Patient?identifier=a|b|c",
    "Patient?identifier=|", "Patient?general-practitioner=a/b/c", "Patient?unknown=1", "Patient?_text=x",
    "Patient?_content=x", "Patient?_filter=x", "Location?near=1|2", "Observation?value-quantity=five",
    "Observation?value-quantity=5|mg", "Observation?code-value-quantity=x", "Observation?code-value-quantity=x$",
    "Observation?code:above=x", "Observation?code:in=http://nowhere", "Patient?birthdate:exact=1980",
    "Patient?general-practitioner.unknown=x", "Patient?name.family=x", "Patient?_has:Observation:patient:unknown=x",
    "Patient?_has:Nothing:patient:code=x", "Patient?_has:Observation=x", "ValueSet?url:below=urn:oid:1.2",
    "RiskAssessment?probability=1e", "Patient?name=a%00b", "?_type=Nothing", "?name=x", "Patient?_cursor=abc",
])  # fmt: skip
async def test_it_refuses_what_is_malformed_and_names_the_parameter(database: Database, address: str) -> None:
    with pytest.raises(Problem) as refusal:
        await page(database, address)
    assert refusal.value.status == 400
    assert refusal.value.issues[0].params["name"]


async def test_it_ignores_unknown_parameters_when_lenient() -> None:
    query = parse("Patient?colour=red&name=x&gender=", strict=False)
    assert query.ignored == ("colour", "gender")
    assert query.params == (("name", "x"),)


def test_addresses_are_quoted() -> None:
    assert quote("王")  # the queries above hold Chinese as a browser's address line does
