"""Chains, _has, includes, sorting, paging, totals, restrictions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from kangyun.base.database import Database
from kangyun.base.errors import Problem
from kangyun.base.fhir import definitions
from kangyun.commons.records.model import key_of
from kangyun.commons.records.queries import search
from kangyun.commons.records.queries.search import chains
from kangyun.commons.records.tests.shelf import NOW, change, ids, page, parse, put


def to(address: str) -> dict[str, str]:
    return {"reference": address}


def observation(id_: str, code: str, subject: str, **fields: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": id_, "status": "final", "code": {"coding": [{"code": code}]},
            "subject": to(subject), **fields}  # fmt: skip


WORLD: list[dict[str, Any]] = [
    {"resourceType": "Organization", "id": "city", "name": "云州市第一医院"},
    {"resourceType": "Organization", "id": "ward", "name": "Ward 3", "partOf": to("Organization/city")},
    {"resourceType": "Organization", "id": "bed", "name": "Bed 7", "partOf": to("Organization/ward")},
    {"resourceType": "Practitioner", "id": "zhao", "name": [{"text": "赵云"}]},
    {"resourceType": "Practitioner", "id": "qian", "name": [{"family": "Qian"}]},
    {"resourceType": "Patient", "id": "p1", "name": [{"text": "王小明"}], "birthDate": "1980-01-01", "gender": "male",
     "generalPractitioner": [to("Practitioner/zhao")], "managingOrganization": to("Organization/ward"),
     "meta": {"tag": [{"system": "urn:t", "code": "vip"}], "profile": ["http://x/p/a"], "source": "http://his/1",
              "security": [{"system": "urn:s", "code": "R"}]}},
    {"resourceType": "Patient", "id": "p2", "name": [{"text": "李娜", "family": "李"}], "birthDate": "1990-05",
     "generalPractitioner": [to("Practitioner/qian")], "gender": "female"},
    {"resourceType": "Patient", "id": "p3", "name": [{"family": "Abbot"}], "gender": "male"},
    {"resourceType": "Group", "id": "p1", "type": "person", "actual": True, "member": [{"entity": to("Patient/p2")}]},
    observation("o1", "glucose", "Patient/p1", effectiveDateTime="2020-01-03", performer=[to("Practitioner/zhao")]),
    observation("o2", "glucose", "Patient/p2", effectiveDateTime="2020-01-01", performer=[to("Practitioner/qian")]),
    observation("o3", "weight", "Patient/p1", effectiveDateTime="2020-01-02", derivedFrom=[to("Observation/o1")]),
    observation("o4", "weight", "Group/p1"),
    observation("o5", "height", "Patient/p1", effectivePeriod={"start": "2019-01-01", "end": "2020-02-01"},
                hasMember=[to("Observation/o3")]),
    {"resourceType": "Encounter", "id": "e1", "status": "finished", "class": {"code": "AMB"},
     "subject": to("Patient/p1"), "serviceProvider": to("Organization/bed")},
    {"resourceType": "Provenance", "id": "v1", "recorded": "2020-01-01T00:00:00Z", "target": [to("Observation/o1")],
     "agent": [{"who": to("Practitioner/zhao")}]},
    {"resourceType": "Questionnaire", "id": "q", "url": "http://x/q", "version": "2", "title": "Follow-up", "status": "active"},
    {"resourceType": "QuestionnaireResponse", "id": "r", "questionnaire": "http://x/q|2", "status": "completed",
     "subject": to("Patient/p1")},
    {"resourceType": "List", "id": "l", "status": "current", "mode": "working", "entry": [{"item": to("Patient/p2")}]},
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
async def _world(database: Database) -> None:
    await put(database, WORLD)


@pytest.fixture(params=[(1000, 1000), (0, 1000), (0, 0)], ids=["few", "some", "many"])
def _each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chains are answered in three ways that must agree; zeros make every inner search one of many."""
    few, some = request.param
    monkeypatch.setattr(chains, "FEW", few)
    monkeypatch.setattr(chains, "SOME", some)


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize(("address", "expected"), [
    ("Observation?subject:Patient.name=王", "o1 o3 o5"),
    ("Observation?patient.name=wxm", "o1 o3 o5"),
    ("Observation?subject.name=nobody", ""),
    ("Observation?subject.gender=female", "o2"),
    ("Observation?subject:Patient.general-practitioner.name=zhaoyun", "o1 o3 o5"),
    ("Observation?patient.general-practitioner:Practitioner.family=qian,zhao", "o2"),
    ("Observation?patient.organization.partof.name=云州", "o1 o3 o5"),
    ("Observation?patient.organization.partof.name=一医院", "o1 o3 o5"),
    ("Encounter?service-provider.partof.partof.name=yunzhou", "e1"),
    ("Observation?subject:Group.member.name=李", "o4"),
    ("Observation?patient._id=p2", "o2"),
    ("Observation?patient.birthdate=ge1985&code=glucose", "o2"),
    ("Observation?patient.gender:not=female&code=glucose", "o1"),
    ("Patient?_has:Observation:patient:code=glucose", "p1 p2"),
    ("Patient?_has:Observation:patient:code=height", "p1"),
    ("Patient?_has:Observation:patient:code=height,glucose&gender=female", "p2"),
    ("Patient?_has:Observation:subject:date=2020-01-01", "p2"),
    ("Patient?_has:Observation:patient:performer.name=赵", "p1"),
    ("Patient?_has:Observation:patient:_has:Provenance:target:agent=Practitioner/zhao", "p1"),
    ("Practitioner?_has:Patient:general-practitioner:_has:Observation:patient:code=height", "zhao"),
    ("Observation?patient._has:Encounter:patient:class=AMB", "o1 o3 o5"),
    ("Patient?_has:Group:member:_id=p1", "p2"),
    ("Patient?_list=l", "p2"),
    ("Organization?_has:Organization:partof:name=bed", "ward"),
    ("QuestionnaireResponse?questionnaire.title=follow", "r"),
    ("Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed", ""),
    ("QuestionnaireResponse?questionnaire=http://x/q", "r"),
    ("QuestionnaireResponse?questionnaire=http://x/q|2", "r"),
    ("QuestionnaireResponse?questionnaire=http://x/q|3", ""),
    ("Observation?subject=p1", "o1 o3 o4 o5"),
    ("Observation?patient=p1", "o1 o3 o5"),
    ("Observation?subject=Group/p1", "o4"),
    ("Observation?patient:missing=true", "o4"),
    ("Observation?subject:missing=true", ""),
    ("Patient?_tag=urn:t|vip", "p1"),
    ("Patient?_tag:not=vip", "p2 p3"),
    ("Patient?_profile=http://x/p/a", "p1"),
    ("Patient?_profile:below=http://x/p", "p1"),
    ("Patient?_security=R", "p1"),
    ("Patient?_source=http://his/1", "p1"),
    ("?_tag=vip", "p1"),
    ("?_type=Patient,Group&_id=p1", "p1 p1"),
])  # fmt: skip
async def test_it_follows_references(database: Database, address: str, expected: str) -> None:
    assert sorted(await ids(database, address)) == expected.split()


@pytest.mark.parametrize(("address", "expected"), [
    ("Observation?_id=o1&_include=Observation:subject", "Patient/p1"),
    ("Observation?_id=o1,o4&_include=Observation:subject", "Group/p1 Patient/p1"),
    ("Observation?_id=o1,o4&_include=Observation:subject:Group", "Group/p1"),
    ("Observation?_id=o1,o4&_include=Observation:patient", "Patient/p1"),
    ("Observation?_id=o1&_include=Observation:subject&_include=Observation:performer", "Patient/p1 Practitioner/zhao"),
    ("Observation?_id=o1&_include=*", "Patient/p1 Practitioner/zhao"),
    ("Observation?_id=o1&_include=Observation:*", "Patient/p1 Practitioner/zhao"),
    ("Observation?_id=o1&_include=Observation:patient&_include:iterate=Patient:*&_include:iterate=Organization:partof",
     "Organization/city Organization/ward Patient/p1 Practitioner/zhao"),
    ("Observation?_id=o1&_include=Observation:patient&_include=Patient:organization", "Patient/p1"),
    ("Observation?_id=o5&_include:iterate=Observation:has-member&_include:iterate=Observation:derived-from",
     "Observation/o1 Observation/o3"),
    ("Observation?_id=o5&_include=Observation:has-member", "Observation/o3"),
    ("Patient?_id=p1&_revinclude=Observation:subject", "Observation/o1 Observation/o3 Observation/o5"),
    ("Patient?_id=p1&_revinclude=Observation:subject&_revinclude:iterate=Provenance:target",
     "Observation/o1 Observation/o3 Observation/o5 Provenance/v1"),
    ("Patient?_id=p1&_revinclude=*",
     "Encounter/e1 Observation/o1 Observation/o3 Observation/o5 QuestionnaireResponse/r"),
    ("Organization?_id=city&_revinclude:iterate=Organization:partof", "Organization/bed Organization/ward"),
    ("QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire", "Questionnaire/q"),
    ("Questionnaire?_revinclude=QuestionnaireResponse:questionnaire", "QuestionnaireResponse/r"),
    ("Observation?code=glucose&_include=Observation:patient", "Patient/p1 Patient/p2"),
])  # fmt: skip
async def test_it_includes_each_once(database: Database, address: str, expected: str) -> None:
    result = await page(database, address)
    assert sorted(f"{row.type}/{row.id}" for row in result.included) == expected.split()


@pytest.mark.parametrize(("address", "expected"), [
    ("Observation?_sort=date", "o5 o2 o3 o1 o4"),
    ("Observation?_sort=-date", "o1 o3 o2 o5 o4"),
    ("Observation?_sort=-date&patient=p1", "o1 o3 o5"),
    ("Observation?_sort=code,-date", "o1 o2 o5 o3 o4"),
    ("Observation?_sort=-code,date", "o3 o4 o5 o2 o1"),
    ("Observation?_sort=-_id", "o5 o4 o3 o2 o1"),
    ("Observation?_sort=subject,_id", "o4 o1 o3 o5 o2"),
    ("Patient?_sort=birthdate", "p1 p2 p3"),
    ("Patient?_sort=-birthdate", "p2 p1 p3"),
    ("Patient?_sort=name", "p3 p2 p1"),
    ("Patient?_sort=-name", "p1 p2 p3"),
    ("Patient?_sort=gender,-birthdate", "p2 p1 p3"),
    ("Patient?_sort=_tag", "p1 p2 p3"),
    ("Patient?_sort=_lastUpdated", "p1 p2 p3"),
    ("Patient?_sort=-_lastUpdated", "p3 p2 p1"),
])  # fmt: skip
@pytest.mark.parametrize("count", [1, 2, 100])
async def test_it_sorts_over_all_pages(database: Database, address: str, expected: str, count: int) -> None:
    assert await ids(database, f"{address}&_count={count}") == expected.split()


async def test_it_refuses_to_sort_by_what_has_no_order(database: Database) -> None:
    with pytest.raises(Problem):
        await page(database, "Observation?_sort=code-value-quantity")


async def test_it_counts_as_asked(database: Database) -> None:
    assert (await page(database, "Observation?_count=2")).total is None
    assert (await page(database, "Observation?code=glucose&_count=1")).total == 2
    assert (await page(database, "Observation?_count=2&_total=accurate")).total == 5
    assert (await page(database, "Observation?_count=2&_total=none")).total is None
    assert (await page(database, "Observation?_total=none")).total is None
    assert (await page(database, "Observation?_count=100")).total == 5
    assert (await page(database, "Observation?_count=1&_total=estimate")).total is not None
    nothing = await page(database, "Observation?_count=0")
    assert (nothing.total, nothing.rows, nothing.next) == (5, [], None)
    assert (await page(database, "Patient?gender=unknown")).total == 0


async def test_it_pages_steadily_while_others_write(database: Database) -> None:
    await put(database, [observation(f"s{n:02}", "steady", "Patient/p3", effectiveDateTime=f"2021-01-{n + 1:02}") for n in range(20)])
    for sort in ("", "&_sort=-date", "&_sort=date", "&_sort=_id", "&_sort=code,-date"):
        before = await ids(database, f"Observation?code=steady{sort}&_count=50")
        query, seen = parse(f"Observation?code=steady{sort}&_count=4"), list[str]()
        for turn in range(100):
            async with database.connection() as connection:
                result = await search.run(connection, query)
            seen += [row.id for row in result.rows]
            if result.next is None:
                break
            name = f"x{sort.strip('&_=-,')}{turn}"
            await put(database, [observation(name, "steady", "Patient/p3", effectiveDateTime="2021-01-10")])
            await change(database, observation("o2", "glucose", "Patient/p2", effectiveDateTime="2020-01-01"))
            query = search.parse("Observation", result.next, strict=True, now=NOW)
        assert [id_ for id_ in seen if id_ in before] == before
        assert len(seen) == len(set(seen))


async def test_it_refuses_a_cursor_of_another_search_or_a_changed_one(database: Database) -> None:
    result = await page(database, "Patient?_count=1&_sort=name")
    cursor = dict(result.next or [])["_cursor"]
    assert "wang" not in cursor
    for address in (f"Patient?_count=1&_sort=-name&_cursor={cursor}", f"Patient?_count=1&_sort=name&_cursor=A{cursor[1:]}x"):
        with pytest.raises(Problem) as refusal:
            await page(database, address)
        assert refusal.value.status == 400
    assert (await page(database, f"Patient?_count=1&_sort=name&_cursor={cursor}")).rows


async def test_it_shows_only_what_the_restriction_allows(database: Database) -> None:
    async def seen(address: str, residents: set[int] | None = None, types: set[str] | None = None) -> list[str]:
        theirs = search.All(()) if residents is None else search.compartment(residents)
        own = search.compartment_types()
        allowed = types if types is not None else set(definitions.load().resources)
        restriction = search.Restriction({type_: theirs if type_ in own else search.All(()) for type_ in allowed})
        async with database.connection() as connection:
            result = await search.run(connection, parse(address).restrict(restriction))
        return sorted(f"{row.type}/{row.id}" for row in [*result.rows, *result.included])

    p1 = {key_of("Patient", "p1")}
    assert await seen("Observation?code=glucose", residents=p1) == ["Observation/o1"]
    assert await seen("Patient?", residents=p1) == ["Patient/p1"]
    assert await seen("Organization?", residents=p1) == ["Organization/bed", "Organization/city", "Organization/ward"]
    assert await seen("Organization?_has:Patient:organization:name=李", residents=p1) == []
    assert await seen("Practitioner?_revinclude=Patient:general-practitioner", residents=p1) == [
        "Patient/p1", "Practitioner/qian", "Practitioner/zhao"]
    assert await seen("Observation?code=glucose&_include=Observation:subject", types={"Observation"}) == [
        "Observation/o1", "Observation/o2"]
    assert await seen("Observation?patient.name=王", types={"Observation"}) == []
    assert await seen("Patient?", types={"Observation"}) == []
    assert await seen("Patient?", residents=set()) == []
    assert await seen("?_id=p1", residents={key_of("Patient", "p2")}) == ["Group/p1"]


async def test_it_finds_a_whole_compartment(database: Database) -> None:
    async with database.connection() as connection:
        query = search.parse(None, [("_count", "100")], strict=True, now=NOW, compartment=key_of("Patient", "p1"))
        found = {f"{row.type}/{row.id}" for row in (await search.run(connection, query)).rows}
    assert found == {"Patient/p1", "Observation/o1", "Observation/o3", "Observation/o5", "Encounter/e1",
                     "QuestionnaireResponse/r"}  # fmt: skip


async def test_it_finds_the_new_values_of_a_changed_resource_only(database: Database) -> None:
    await put(database, [observation("c1", "old", "Patient/p3", effectiveDateTime="1999-01-01")])
    await change(database, observation("c1", "new", "Patient/p2"), NOW + timedelta(seconds=1))
    assert await ids(database, "Observation?code=old") == []
    assert await ids(database, "Observation?code=new&date:missing=true&patient=p2") == ["c1"]
    assert await ids(database, "Observation?date=1999") == []
    assert await ids(database, "Observation?_lastUpdated=gt2026-11-22T08:00:00.5Z") == ["c1"]


def test_it_states_what_it_supports() -> None:
    stated = search.supported()
    patient = {param["name"]: param for param in stated["types"]["Patient"]["params"]}
    assert patient["name"]["modifiers"] == ["contains", "exact", "missing"]
    assert "_text" not in patient
    assert len(stated["types"]) == 146
    location = [param["name"] for param in stated["types"]["Location"]["params"]]
    assert "near" not in location
