"""What machines may ask of the index: PIXm, $match, $everything across a person's records."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.commons.access import Actor, Handle
from kangyun.commons.population import register
from kangyun.commons.population.model import ID_NUMBER_SYSTEM
from kangyun.commons.population.tests.people import ADDRESS, id_number, resident

NUMBER = id_number("1956-03-04", 42)


@pytest.fixture(scope="module")
async def known(services: Services) -> list[str]:
    """Two Patients of one person, and one of another."""
    handle: Handle = services.gate.system("test")
    at_home = {"phone": "13905741234", "address": ADDRESS}
    return [
        await register(handle, resident("A1", NUMBER, **at_home), "A"),
        await register(handle, resident("B1", NUMBER, **at_home), "B"),
        await register(handle, resident("C1", name="吴桂英", birthDate="1990-01-02", phone="13700000000"), "C"),
    ]


async def asked(api: httpx.AsyncClient, patient: dict[str, Any], *more: dict[str, Any]) -> list[dict[str, Any]]:
    parameters = [{"name": "resource", "resource": {"resourceType": "Patient", **patient}}, *more]
    answer = await api.post("/fhir/Patient/$match", json={"resourceType": "Parameters", "parameter": parameters})
    assert answer.status_code == 200, answer.text
    return answer.json().get("entry", [])


def grade(entry: dict[str, Any]) -> str:
    return entry["search"]["extension"][0]["valueCode"]


async def test_match_finds_a_person_once_with_score_and_grade(api: httpx.AsyncClient, known: list[str]):
    [found] = await asked(api, resident("", NUMBER))
    assert found["resource"]["id"] in known[:2]
    assert grade(found) == "certain"
    assert found["search"]["score"] > 0.99


async def test_match_leaves_out_what_is_not_certain_when_asked(api: httpx.AsyncClient, known: list[str]):
    doubtful = resident()
    [found] = await asked(api, doubtful)
    assert grade(found) in {"probable", "possible"}
    assert await asked(api, doubtful, {"name": "onlyCertainMatches", "valueBoolean": True}) == []
    assert await asked(api, doubtful, {"name": "count", "valueInteger": 0}) == []


@pytest.mark.parametrize("role", ["public_health", "researcher", "supervisor", "insurer", "courier", "system_admin", "security_admin", "audit_admin", "unbound"])
async def test_match_tells_nobody_who_may_not_search_people_that_somebody_is_there(services: Services, known: list[str], role: str):
    """Whether there is somebody of a name and a number is told neither by an answer nor by a refusal."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(build(services, {})), base_url="http://kangyun.test") as client:
        token = await services.entries.issue(Actor(f"user/{role}", role, "house", account=role), kind="token", lasts=600)
        for asked_for in (resident("", NUMBER), resident(name="郑克爽", birthDate="1933-03-03")):
            body = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": {"resourceType": "Patient", **asked_for}}]}
            assert (await client.post("/fhir/Patient/$match", json=body, headers={"authorization": f"Bearer {token}"})).status_code == 403


async def test_match_finds_nobody_for_a_stranger_and_refuses_what_is_no_patient(api: httpx.AsyncClient, known: list[str]):
    assert await asked(api, resident(name="郑克爽", birthDate="1933-03-03")) == []
    for body in ({"resourceType": "Parameters"}, {"resourceType": "Parameters", "parameter": 7}):
        assert (await api.post("/fhir/Patient/$match", json=body)).status_code == 400
    assert (await api.post("/fhir/Patient/$match", content=b"{", headers={"content-type": "application/json"})).status_code == 400


async def pix(api: httpx.AsyncClient, **query: str) -> httpx.Response:
    return await api.get("/fhir/Patient/$ihe-pix", params=query)


async def test_pix_tells_the_other_numbers_of_the_person(api: httpx.AsyncClient, known: list[str]):
    answer = await pix(api, sourceIdentifier="urn:hospital|A1")
    assert answer.status_code == 200
    told = answer.json()["parameter"]
    assert {one["valueIdentifier"]["value"] for one in told if one["name"] == "targetIdentifier"} == {NUMBER, "B1"}
    assert {one["valueReference"]["reference"] for one in told if one["name"] == "targetId"} == {f"Patient/{one}" for one in known[:2]}
    only = (await pix(api, sourceIdentifier="urn:hospital|A1", targetSystem=ID_NUMBER_SYSTEM)).json()["parameter"]
    assert [one["valueIdentifier"]["value"] for one in only if one["name"] == "targetIdentifier"] == [NUMBER]


@pytest.mark.parametrize(("query", "status"), [
    ({}, 400),
    ({"sourceIdentifier": "A1"}, 400),
    ({"sourceIdentifier": "urn:nobody|A1"}, 400),
    ({"sourceIdentifier": "urn:hospital|NONE"}, 404),
    ({"sourceIdentifier": "urn:hospital|A1", "targetSystem": "urn:nobody"}, 403),
])
async def test_pix_says_why_it_cannot_tell(api: httpx.AsyncClient, known: list[str], query: dict[str, str], status: int):
    answer = await pix(api, **query)
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_everything_crosses_the_records_of_a_person(api: httpx.AsyncClient, known: list[str]):
    for number, patient in enumerate(known):
        body = {"resourceType": "Condition", "subject": {"reference": f"Patient/{patient}"}, "code": {"text": f"C{number}"}}
        assert (await api.post("/fhir/Condition", json=body)).status_code == 201
    person = (await api.get("/fhir/Person", params={"link": f"Patient/{known[0]}"})).json()["entry"][0]["resource"]
    for address in (f"Patient/{known[0]}", f"Patient/{known[1]}", f"Person/{person['id']}"):
        found = (await api.get(f"/fhir/{address}/$everything?_count=100")).json()["entry"]
        resources = [one["resource"] for one in found]
        assert {one["code"]["text"] for one in resources if one["resourceType"] == "Condition"} == {"C0", "C1"}
        assert {one["id"] for one in resources if one["resourceType"] == "Patient"} == set(known[:2])
    assert (await api.get("/fhir/Person/none/$everything")).status_code == 404


async def test_the_operations_are_stated(api: httpx.AsyncClient):
    statement = (await api.get("/fhir/metadata")).json()
    by_type = {one["type"]: {operation["name"] for operation in one.get("operation", ())} for one in statement["rest"][0]["resource"]}
    assert by_type["Patient"] == {"validate", "everything", "match", "ihe-pix", "summary"}
    assert by_type["Person"] == {"validate", "everything"}


async def test_a_linkage_tells_which_patients_are_one_person(api: httpx.AsyncClient, known: list[str]):
    found = (await api.get("/fhir/Linkage", params={"item": f"Patient/{known[0]}"})).json()
    [linkage] = [one["resource"] for one in found["entry"]]
    parts = {(one["type"], one["resource"]["reference"]) for one in linkage["item"]}
    assert {("alternate", f"Patient/{one}") for one in known[:2]} | {("source", f"Person/{linkage['id']}")} == parts
    assert (await api.get(f"/fhir/Linkage/{linkage['id']}")).json() == linkage
    by_source = (await api.get("/fhir/Linkage", params={"source": f"Person/{linkage['id']}"})).json()
    assert by_source["total"] == 1
    assert (await api.get("/fhir/Linkage", params={"item": "Patient/nobody"})).json()["total"] == 0
    assert (await api.get("/fhir/Linkage/nobody")).status_code == 404
    assert (await api.get("/fhir/Linkage")).status_code == 400
