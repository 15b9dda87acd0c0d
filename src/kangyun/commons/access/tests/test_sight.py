"""What conditions let a caller see: the same for reads, searches, chains, includes, counts, histories and writes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from kangyun.app.services import Services
from kangyun.base.errors import Problem
from kangyun.commons.access import Actor, Handle, Write, key_of
from kangyun.commons.access.decisions import policy
from kangyun.commons.access.decisions.policy import Role, Where

CARE = Where("care", ("encounter", "contract", "referral", "task", "booking", "team"))
CLINICAL = ("Patient", "Person", "Observation", "Encounter", "Condition")


def role(name: str, **grants: dict[str, tuple[Where, ...]]) -> Role:
    return Role(name, {}, "staff", frozenset({"records.read", "records.write"}), grants)


def over(types: tuple[str, ...], *where: Where) -> dict[str, tuple[Where, ...]]:
    return dict.fromkeys(types, where)


ROLES = {
    "a-doctor": role("a-doctor", **{
        name: over(CLINICAL, CARE) | over(("Organization", "Practitioner"), Where("any")) for name in ("read", "search", "history")
    }, create=over(CLINICAL, CARE, Where("institution")), update=over(CLINICAL, CARE)),
    "a-clerk": role("a-clerk", **{name: over(("Patient",), Where("institution")) for name in policy.INTERACTIONS}),
    "a-resident": role("a-resident", **{name: over(CLINICAL, Where("own")) for name in ("read", "search", "history", "create")}),
    "a-group": role("a-group", read=over(CLINICAL, Where("consortium")), search=over(CLINICAL, Where("consortium"))),
    "a-counter": Role("a-counter", {}, "staff", frozenset(), {name: over(CLINICAL, Where("any")) for name in ("read", "search")}, mask="masked"),
    "an-addressee": role("an-addressee", read={"Task": (Where("addressed"),)}, search={"Task": (Where("addressed"),)}),
}


def ref(name: str) -> dict[str, str]:
    return {"reference": name}


def observation(id_: str, patient: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": id_, "status": "final", "code": {"text": "血压"}, "subject": ref(f"Patient/{patient}"), **more}


# The county hospital and the clinic of one group both know Wang, who is one Person; Li is only known in the city.
WORLD: list[dict[str, Any]] = [
    {"resourceType": "Organization", "id": "group", "name": "医共体"},
    {"resourceType": "Organization", "id": "county", "name": "县医院", "partOf": ref("Organization/group")},
    {"resourceType": "Organization", "id": "ward", "name": "内科", "partOf": ref("Organization/county")},
    {"resourceType": "Organization", "id": "clinic", "name": "村卫生室", "partOf": ref("Organization/group")},
    {"resourceType": "Organization", "id": "city", "name": "市医院"},
    {"resourceType": "Practitioner", "id": "doctor"},
    {"resourceType": "Patient", "id": "wang-county", "gender": "male", "managingOrganization": ref("Organization/county")},
    {"resourceType": "Patient", "id": "wang-clinic", "gender": "male", "managingOrganization": ref("Organization/clinic")},
    {"resourceType": "Patient", "id": "wang-city", "gender": "male", "managingOrganization": ref("Organization/city")},
    {"resourceType": "Patient", "id": "li", "gender": "male", "managingOrganization": ref("Organization/city"), "name": [{"family": "李"}], "birthDate": "1990-01-01",
     "identifier": [{"system": "urn:oid:2.16.156.10011.1.3", "value": "990101199001011234"}]},
    {"resourceType": "Person", "id": "wang", "link": [{"target": ref(f"Patient/wang-{at}")} for at in ("county", "clinic", "city")]},
    {"resourceType": "Person", "id": "li-person", "link": [{"target": ref("Patient/li")}]},
    {"resourceType": "Encounter", "id": "visit", "status": "in-progress", "class": {"code": "AMB"}, "subject": ref("Patient/wang-county"),
     "serviceProvider": ref("Organization/county")},
    {"resourceType": "Encounter", "id": "long-ago", "status": "finished", "class": {"code": "AMB"}, "subject": ref("Patient/li"),
     "serviceProvider": ref("Organization/county"), "period": {"start": "2019-01-01", "end": "2019-01-02"}},
    observation("at-clinic", "wang-clinic"), observation("in-city", "wang-city"), observation("of-li", "li"),
    {"resourceType": "Task", "id": "parcel", "status": "requested", "intent": "order", "for": ref("Patient/li"), "owner": ref("Organization/courier")},
    {"resourceType": "Task", "id": "other", "status": "requested", "intent": "order", "for": ref("Patient/li"), "owner": ref("Organization/else")},
]


@pytest.fixture(scope="module", autouse=True)
async def world(services: Services) -> AsyncIterator[None]:
    real = policy.roles
    policy.roles = lambda: {**real(), **ROLES}
    for cached in (policy.wheres, policy.unconditional, policy.may_touch, policy.may_enter):
        cached.cache_clear()
    await services.gate.system("test").commit([Write("update", r["resourceType"], r, r["id"]) for r in WORLD])
    yield
    policy.roles = real


@pytest.fixture
def doctor(services: Services) -> Handle:
    return services.gate.open(Actor("user/1", "a-doctor", "county", "doctor", account="1"))


async def ids(handle: Handle, type_: str, query: str = "") -> list[str]:
    page = await handle.search(type_, query)
    return sorted(r["id"] for r in [*page.resources, *page.included])


async def test_a_care_relation_opens_the_whole_record_of_the_person_and_nobody_elses(doctor: Handle) -> None:
    assert await ids(doctor, "Observation") == ["at-clinic", "in-city"]
    assert await ids(doctor, "Patient") == ["wang-city", "wang-clinic", "wang-county"]
    assert await doctor.read("Observation", "in-city")
    assert await doctor.read("Observation", "of-li") is None
    assert await doctor.read("Patient", "li") is None
    assert await ids(doctor, "Encounter") == ["visit"]
    assert (await doctor.search("Patient", "_total=accurate")).total == 3


async def test_chains_includes_and_counts_tell_nothing_of_what_is_hidden(doctor: Handle) -> None:
    assert await ids(doctor, "Organization", "_id=city&_revinclude=Patient:organization") == ["city", "wang-city"]
    assert await ids(doctor, "Organization", "_has:Patient:organization:name=李") == []
    assert await ids(doctor, "Observation", "patient.name=李") == []
    assert (await doctor.search("Observation", "_total=accurate&_count=1")).total == 2
    with pytest.raises(Problem) as refusal:
        await doctor.versions("Observation", None, {})
    assert refusal.value.status == 403
    with pytest.raises(Problem) as hidden:
        await doctor.versions("Observation", "of-li", {})
    with pytest.raises(Problem) as absent:
        await doctor.versions("Observation", "never-was", {})
    assert hidden.value.issues == absent.value.issues


async def test_a_file_is_seen_by_whoever_sees_a_document_that_names_it(services: Services) -> None:
    files = {"of-wang": "wang-city", "of-li": "li"}
    await services.gate.system("test").commit([
        write for id_, patient in files.items() for write in (
            Write("update", "Binary", {"resourceType": "Binary", "id": id_, "contentType": "text/plain", "data": "eA=="}, id_),
            Write("update", "DocumentReference", {
                "resourceType": "DocumentReference", "id": id_, "status": "current", "subject": ref(f"Patient/{patient}"),
                "content": [{"attachment": {"url": f"Binary/{id_}"}}]}, id_))])
    doctor = services.gate.open(Actor("user/1", "hospital_doctor", "county", "doctor", account="1"))
    assert await doctor.read("Binary", "of-wang")
    assert await doctor.read("Binary", "of-li") is None


async def test_what_is_hidden_can_neither_be_changed_nor_referred_to(doctor: Handle, services: Services) -> None:
    for refused in (
        Write("update", "Observation", observation("of-li", "li", note=[{"text": "x"}]), "of-li"),
        Write("update", "Observation", observation("never-was", "wang-county"), "never-was"),
        Write("create", "Observation", observation("", "li") | {"id": "x"}),
        Write("create", "Observation", observation("", "nobody") | {"id": "x"}),
        # Taking a visible one over to somebody who is not.
        Write("update", "Observation", observation("in-city", "li"), "in-city"),
    ):
        with pytest.raises(Problem) as refusal:
            await doctor.write([refused])
        assert refusal.value.status in {403, 404}
    system = services.gate.system("test")
    assert await ids(system, "Observation", "patient=Patient/li") == ["of-li"]
    assert (await system.read("Observation", "of-li") or {}).get("note") is None
    [written] = await doctor.write([Write("create", "Observation", observation("", "wang-county") | {"id": "x"})])
    assert written.status == 201


async def test_conditions_of_writes_find_only_what_is_seen(doctor: Handle) -> None:
    with pytest.raises(Problem):
        await doctor.write([Write("update", "Observation", observation("", "wang-county") | {"id": "of-li"}, condition="_id=of-li")])


async def test_an_institution_sees_its_own_and_those_below_it(services: Services) -> None:
    clerk = services.gate.open(Actor("user/2", "a-clerk", "county"))
    assert await ids(clerk, "Patient") == ["wang-county"]
    new = {"resourceType": "Patient", "gender": "female"}
    with pytest.raises(Problem):
        await clerk.write([Write("create", "Patient", new | {"managingOrganization": ref("Organization/city")})])
    [written] = await clerk.write([Write("create", "Patient", new | {"managingOrganization": ref("Organization/ward")})])
    assert await clerk.read("Patient", written.id)
    group = services.gate.open(Actor("user/3", "a-group", "clinic"))
    assert {"wang-county", "wang-clinic"} <= set(await ids(group, "Patient"))
    assert "wang-city" not in await ids(group, "Patient")


async def test_residents_see_themselves(services: Services) -> None:
    wang = services.gate.open(Actor("user/4", "a-resident", person="wang"))
    assert {"at-clinic", "in-city"} <= set(await ids(wang, "Observation"))
    assert await ids(wang, "Person") == ["wang"]
    assert await wang.read("Patient", "li") is None
    with pytest.raises(Problem):
        await wang.write([Write("create", "Observation", observation("", "li") | {"id": "x"})])
    unbound = services.gate.open(Actor("user/5", "a-resident"))
    assert await ids(unbound, "Patient") == []


async def test_who_is_addressed_sees_that_and_no_more(services: Services) -> None:
    courier = services.gate.open(Actor("user/6", "an-addressee", "courier"))
    assert await ids(courier, "Task") == ["parcel"]
    with pytest.raises(Problem):
        await courier.read("Patient", "li")


async def test_consents_classes_and_a_broken_glass_are_obeyed(services: Services, doctor: Handle) -> None:
    async with services.database.connection() as connection:
        await connection.execute(
            "INSERT INTO access_denial VALUES ($1, 1, 0, $2, NULL, NULL, NULL, '-infinity', 'infinity')",
            key_of("Patient", "wang-city"), key_of("Organization", "county"))
        # The county hospital keeps what it has recorded itself.
        assert await ids(services.gate.open(doctor.actor), "Patient") == ["wang-county"]
        await connection.execute(
            "INSERT INTO access_opening (resident, cause, part, kind, account, starts, ends) VALUES ($1, 2, 0, 'emergency', '1', '-infinity', 'infinity')",
            key_of("Patient", "wang-clinic"))
        assert await ids(services.gate.open(doctor.actor), "Patient") == ["wang-city", "wang-clinic", "wang-county"]
        await connection.execute("DELETE FROM access_denial")
        await connection.execute("DELETE FROM access_opening")


async def test_an_app_sees_what_its_scopes_leave_of_what_its_user_sees(services: Services, doctor: Handle) -> None:
    def app(scopes: str, patient: str | None = None) -> Handle:
        return services.gate.open(Actor("user/1", "a-doctor", "county", "doctor", account="1", scopes=scopes, patient=patient))

    mine = await ids(doctor, "Observation")
    assert await ids(app("user/Observation.rs"), "Observation") == mine
    assert await ids(app("patient/*.rs", "wang-city"), "Observation") == mine
    assert await ids(app("patient/*.rs", "li"), "Observation") == []
    assert await ids(app("patient/*.rs"), "Observation") == []
    assert await ids(app("user/Observation.rs?_id=in-city"), "Observation") == ["in-city"]
    assert await app("user/Observation.rs?_id=in-city").read("Observation", "at-clinic") is None
    assert await ids(app("user/Organization.rs"), "Organization", "_id=city&_revinclude=Patient:organization") == ["city"]
    for refused in (app("user/Patient.rs"), app(""), app("user/Observation.c")):
        with pytest.raises(Problem) as refusal:
            await refused.read("Observation", "in-city")
        assert refusal.value.status == 403
    with pytest.raises(Problem):
        await app("user/Observation.rs").write([Write("create", "Observation", observation("", "wang-county") | {"id": "x"})])


async def test_whoever_brings_something_learns_whom_to_find_and_no_number(services: Services) -> None:
    assert policy.roles()["courier"].mask == "delivery"
    ROLES["a-rider"] = replace(ROLES["a-counter"], name="a-rider", mask="delivery")
    seen = await services.gate.open(Actor("user/9", "a-rider")).read("Patient", "li")
    whole = await services.gate.system("test").read("Patient", "li")
    assert seen
    assert whole
    assert seen["name"] == whole["name"]
    assert "990101199001011234" in str(whole)
    assert "identifier" not in seen


async def test_who_sees_masked_can_neither_read_nor_find_nor_sort_by_what_is_masked(services: Services) -> None:
    handle = services.gate.open(Actor("user/9", "a-counter"))
    li = await handle.read("Patient", "li")
    assert li
    assert "birthDate" not in li or len(li["birthDate"]) == 7
    assert "990101199001011234" not in str(li)
    assert await ids(handle, "Observation", "patient=Patient/li") == ["of-li"]
    for asked in ("Patient?name=李", "Patient?_sort=birthdate", "Observation?patient.name=李", "Observation?subject:Patient.identifier=1"):
        type_, _, query = asked.partition("?")
        with pytest.raises(Problem) as refusal:
            await handle.search(type_, query)
        assert refusal.value.status == 403, asked


async def test_whoever_sees_masked_finds_nothing_out_by_writing(services: Services) -> None:
    writing = Role("a-window", {}, "staff", frozenset(), {name: over(CLINICAL, Where("institution")) for name in policy.INTERACTIONS}, mask="masked")
    ROLES["a-window"] = writing
    window = services.gate.open(Actor("user/10", "a-window", "city"))
    new = {"resourceType": "Observation", "status": "final", "code": {"text": "血压"}, "subject": ref("Patient/li")}
    number = "urn:oid:2.16.156.10011.1.3|990101199001011234"
    for refused in (
        Write("create", "Observation", new, condition=f"_id=of-li&patient.identifier={number}"),
        Write("update", "Observation", new, condition=f"_id=of-li&patient.identifier={number}"),
        Write("delete", "Observation", condition=f"_id=of-li&patient.identifier={number}"),
        Write("create", "Observation", new | {"subject": ref(f"Patient?identifier={number}")}),
    ):
        with pytest.raises(Problem) as refusal:
            await window.write([refused])
        assert refusal.value.status in {403, 412}
    [written] = await window.write([Write("create", "Observation", new | {"subject": ref("Patient/li") | {"display": "李建国"}})])
    assert written.stored
    assert "建国" not in str(written.stored.resource)


async def test_a_former_version_of_somebody_else_or_of_a_closed_class_stays_hidden(services: Services, doctor: Handle) -> None:
    """What a laboratory filed under the wrong resident, or named before it was found to be another thing, is not read in the history."""
    system = services.gate.system("test")
    for version in (observation("moved", "li"), observation("moved", "wang-city", code={"text": "梅毒"}), observation("moved", "wang-city")):
        await system.commit([Write("update", "Observation", version, "moved")])
    assert [one.version for one in (await doctor.versions("Observation", "moved", {})).versions] == [3]
    assert (await doctor.versions("Observation", "moved", {})).total is None
    assert await doctor.fetch_version("Observation", "moved", 3)
    assert await doctor.fetch_version("Observation", "moved", 2) is None
    assert await doctor.fetch_version("Observation", "moved", 1) is None
    assert len(await system.history("Observation", "moved")) == 3
    await system.commit([Write("update", "Observation", observation("moved", "wang-city", note=[{"text": "x"}]), "moved")])
    assert [one.version for one in (await doctor.versions("Observation", "moved", {})).versions] == [4, 3]
    narrow = services.gate.open(replace(doctor.actor, scopes="user/Observation.rs?code:text=血压"))
    assert [one.version for one in (await narrow.versions("Observation", "moved", {})).versions] == [4]


async def test_a_document_of_ones_own_opens_no_file_of_somebody_else(services: Services) -> None:
    await services.gate.system("test").commit([
        Write("update", "Binary", {"resourceType": "Binary", "id": "film", "contentType": "text/plain", "data": "eA=="}, "film")])
    doctor = services.gate.open(Actor("user/1", "hospital_doctor", "county", "doctor", account="1"))
    made = {"resourceType": "DocumentReference", "status": "current", "subject": ref("Patient/wang-county"), "content": [{"attachment": {"url": "Binary/film"}}]}
    with pytest.raises(Problem) as refusal:
        await doctor.write([Write("create", "DocumentReference", made)])
    assert refusal.value.status == 403
    [kept] = await doctor.write([Write("create", "DocumentReference", made | {"content": [{"attachment": {"url": "https://example.org/film"}}]})])
    with pytest.raises(Problem):
        await doctor.write([Write("update", "DocumentReference", made | {"id": kept.id}, kept.id)])
    assert await doctor.read("Binary", "film") is None
    # A file that one sees already may be named again.
    await services.gate.system("test").commit([Write("create", "DocumentReference", made | {"subject": ref("Patient/wang-city")})])
    [again] = await doctor.write([Write("create", "DocumentReference", made)])
    assert again.status == 201
