"""Searches, histories and their Bundles over HTTP: links that lead on, parts of resources, strictness."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from tests.fhir import FHIR_JSON, create, found, ids, link, observation, patient, refused

from kangyun.base.fhir.validation import validate


@pytest.fixture(scope="module")
async def people(api: httpx.AsyncClient) -> list[str]:
    """Twelve people of one family name, in the order of their births."""
    made = [
        await create(api, patient(name=[{"family": "欧阳", "given": [f"n{n:02}"]}], birthDate=f"19{n + 10}-01-01"))
        for n in range(12)
    ]
    return [person["id"] for person in made]


async def follow(api: httpx.AsyncClient, address: str) -> list[dict[str, Any]]:
    """All pages from an address on."""
    pages: list[dict[str, Any]] = []
    following: str | None = address
    while following:
        pages.append(found(await api.get(following)))
        assert [i for i in validate(pages[-1]) if i.severity == "error"] == []
        following = link(pages[-1], "next")
    return pages


def matches(pages: list[dict[str, Any]]) -> list[str]:
    """The ids of all matches of the pages."""
    return [e["resource"]["id"] for page in pages for e in page.get("entry", [])]


async def test_next_links_lead_through_all_matches_once(api: httpx.AsyncClient, people: list[str]) -> None:
    for query, expected in (("family=欧阳&_sort=birthdate", people), ("family=欧阳&_sort=-birthdate", people[::-1])):
        pages = await follow(api, f"/fhir/Patient?{query}&_count=5")
        assert [len(page["entry"]) for page in pages] == [5, 5, 2]
        assert matches(pages) == expected


async def test_self_first_and_next_links_say_the_same_as_was_asked(api: httpx.AsyncClient, people: list[str]) -> None:
    asked = "/fhir/Patient?family=欧阳&_count=4&_elements=gender&_sort=birthdate&_format=json"
    pages = await follow(api, asked)
    for page in pages:
        own = link(page, "self")
        assert own
        assert matches([found(await api.get(own))]) == matches([page])
        assert dict(parse_qsl(urlsplit(own).query)).items() >= {("family", "欧阳"), ("_elements", "gender"), ("_count", "4")}
        assert all("name" not in e["resource"] for e in page["entry"])
    first = link(pages[0], "first")
    assert first
    assert matches([found(await api.get(first))]) == people[:4]


async def test_a_self_link_names_what_was_used_and_leaves_out_what_was_not(api: httpx.AsyncClient, people: list[str]) -> None:
    answer = found(await api.get("/fhir/Patient?family=欧阳&nonsense=1&_summary=count"))
    own = link(answer, "self") or ""
    assert "nonsense" not in own
    assert found(await api.get(own))["total"] == len(people)
    assert "_summary=count" in own


async def test_a_page_is_not_moved_by_what_is_written_meanwhile(api: httpx.AsyncClient) -> None:
    tag = {"meta": {"tag": [{"system": "urn:t", "code": "moving"}]}}
    made = [(await create(api, patient(**tag)))["id"] for _ in range(6)]
    first = found(await api.get("/fhir/Patient?_tag=urn:t|moving&_count=3"))
    await create(api, patient(**tag))
    await api.delete(f"/fhir/Patient/{made[0]}")
    rest = await follow(api, link(first, "next") or "")
    assert set(made) <= set(matches([first, *rest]))
    assert len(matches([first, *rest])) == len(set(matches([first, *rest])))


async def test_a_search_is_posted_as_a_form_or_asked_by_get(api: httpx.AsyncClient, people: list[str]) -> None:
    got = ids(await api.get("/fhir/Patient?family=欧阳&_sort=birthdate"))
    posted = await api.post("/fhir/Patient/_search", data={"family": "欧阳", "_sort": "birthdate"})
    both = await api.post("/fhir/Patient/_search?family=欧阳", data={"_sort": "birthdate"})
    system = await api.post("/fhir/_search", data={"_type": "Patient", "_id": people[0]})
    assert got == ids(posted) == ids(both) == people
    assert ids(system) == ids(await api.get(f"/fhir?_type=Patient&_id={people[0]}")) == people[:1]
    refused(await api.post("/fhir/Patient/_search", json={"family": "欧阳"}), 415)
    empty = await api.post("/fhir/Patient/_search?family=欧阳&_sort=birthdate")
    assert ids(empty) == people


async def test_unknown_parameters_are_told_or_refused(api: httpx.AsyncClient, people: list[str]) -> None:
    lenient = found(await api.get(f"/fhir/Patient?_id={people[0]}&nonsense=1"))
    assert [e["search"]["mode"] for e in lenient["entry"]] == ["match", "outcome"]
    assert validate(lenient["entry"][1]["resource"]) == []
    refused(await api.get("/fhir/Patient?nonsense=1", headers={"prefer": "handling=strict"}), 400)
    refused(await api.get("/fhir/Patient?gender:nonsense=1"), 400)
    refused(await api.get("/fhir?_type=Nonsense"), 400)


@pytest.mark.parametrize("query", [
    "birthdate=nonsense", "birthdate=xx2020", "_count=-1", "_count=x", "_total=x", "_summary=x", "_sort=nonsense",
    "_include=nonsense", "_cursor=nonsense", "gender=%ff", "name=%00", "_lastUpdated=2020-13-01", "_has:x=1",
    "_sort=", "_has:Observation:subject:code", "organization.nonsense=1", "birthdate=2020-02-30",
])
async def test_malformed_values_are_refused_without_repeating_them(api: httpx.AsyncClient, query: str) -> None:
    headers = {"prefer": "handling=strict"}
    response = await api.get(f"/fhir/Patient?{query}", headers=headers)
    if query not in {"_sort=", "_has:Observation:subject:code"}:
        refused(response, 400)
    assert response.status_code in {200, 400}
    assert "2020-02-30" not in response.text


@pytest.mark.parametrize("summary", ["true", "text", "data", "false", "count"])
async def test_summaries_leave_valid_resources(api: httpx.AsyncClient, summary: str) -> None:
    text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">x</div>'}
    stored = await create(api, patient(text=text, photo=[{"title": "x"}], birthDate="1960-01-01"))
    answer = found(await api.get(f"/fhir/Patient?_id={stored['id']}&_summary={summary}"))
    assert answer["total"] == 1
    if summary == "count":
        assert "entry" not in answer
        return
    resource = answer["entry"][0]["resource"]
    assert validate(resource) == []
    assert found(await api.get(f"/fhir/Patient/{stored['id']}?_summary={summary}")) == resource
    has = {name: name in resource for name in ("text", "photo", "birthDate")}
    assert has == {
        "true": {"text": False, "photo": False, "birthDate": True},
        "text": {"text": True, "photo": False, "birthDate": False},
        "data": {"text": False, "photo": True, "birthDate": True},
        "false": {"text": True, "photo": True, "birthDate": True},
    }[summary]
    tags = resource["meta"].get("tag", [])
    assert any(tag["code"] == "SUBSETTED" for tag in tags) == (summary != "false")


async def test_elements_keep_what_is_mandatory(api: httpx.AsyncClient) -> None:
    person = (await create(api, patient()))["id"]
    stored = await create(api, observation(person, effectiveDateTime='"2026-01-02"'))
    for address in (f"Observation/{stored['id']}?", f"Observation?_id={stored['id']}&"):
        answer = found(await api.get(f"/fhir/{address}_elements=effective"))
        resource = answer["entry"][0]["resource"] if "entry" in answer else answer
        assert resource.keys() == {"resourceType", "id", "meta", "status", "code", "effectiveDateTime"}
    twice = found(await api.get(f"/fhir/Observation/{stored['id']}?_elements=value&_elements=effective"))
    assert {"valueQuantity", "effectiveDateTime"} <= twice.keys()


async def test_the_history_of_one_has_every_version_newest_first(api: httpx.AsyncClient) -> None:
    stored = await create(api, patient())
    address = f"/fhir/Patient/{stored['id']}"
    for gender in ("male", "other", "unknown"):
        await api.put(address, json={**stored, "gender": gender})
    answer = found(await api.get(f"{address}/_history"))
    assert answer["type"] == "history"
    assert answer["total"] == 4
    assert [e["resource"]["gender"] for e in answer["entry"]] == ["unknown", "other", "male", "female"]
    assert [e["request"]["method"] for e in answer["entry"]] == ["PUT", "PUT", "PUT", "POST"]
    assert [e["response"]["etag"] for e in answer["entry"]] == [f'W/"{n}"' for n in (4, 3, 2, 1)]
    pages = await follow(api, f"{address}/_history?_count=3")
    assert [len(page["entry"]) for page in pages] == [3, 1]
    since = answer["entry"][1]["resource"]["meta"]["lastUpdated"]
    assert len(found(await api.get(f"{address}/_history", params={"_since": since}))["entry"]) == 2
    assert found(await api.get(f"{address}/_history?_count=0"))["total"] == 4
    at = found(await api.get(f"{address}/_history", params={"_at": since}))
    assert [e["resource"]["gender"] for e in at["entry"]] == ["other"]


async def test_histories_of_a_type_and_of_all_page_over_equal_moments(api: httpx.AsyncClient) -> None:
    entries = [{"request": {"method": "POST", "url": "Basic"}, "resource": {"resourceType": "Basic", "code": {"text": str(n)}}}
               for n in range(25)]
    body = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    written = found(await api.post("/fhir", json=body))
    mine = {e["response"]["location"].split("/")[-3] for e in written["entry"]}
    since = written["entry"][0]["response"]["lastModified"]
    for address in ("Basic/_history", "_history"):
        pages = await follow(api, f"/fhir/{address}?_count=10&_since={since}")
        seen = [e["resource"]["id"] for page in pages for e in page.get("entry", [])]
        assert set(seen) >= mine
        assert len(seen) == len(set(seen))


@pytest.mark.parametrize("query", ["_since=x", "_count=x", "_cursor=x", "_at=x", "_cursor=WzEsMiwzXQ", "_since=2026-01-01T00:00:00"])
async def test_a_history_refuses_what_it_cannot_read(api: httpx.AsyncClient, query: str) -> None:
    for address in ("Patient/_history", "_history"):
        response = await api.get(f"/fhir/{address}?{query}")
        assert response.status_code in {200, 400}
        if query.endswith("x"):
            refused(response, 400)


async def test_everything_of_a_resident(api: httpx.AsyncClient) -> None:
    person, other = (await create(api, patient()))["id"], (await create(api, patient()))["id"]
    own = {(await create(api, observation(person)))["id"] for _ in range(5)}
    stranger = (await create(api, observation(other)))["id"]
    doctor = (await create(api, {"resourceType": "Practitioner", "active": True}))["id"]
    visit = await create(api, {
        "resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"},
        "subject": {"reference": f"Patient/{person}"}, "participant": [{"individual": {"reference": f"Practitioner/{doctor}"}}],
    })
    pages = await follow(api, f"/fhir/Patient/{person}/$everything?_count=4")
    assert len(pages) > 1
    assert set(matches(pages)) == own | {person, doctor, visit["id"]}
    assert all(len(matches([page])) == len(set(matches([page]))) for page in pages)
    only = await follow(api, f"/fhir/Patient/{person}/$everything?_type=Observation")
    assert set(matches(only)) >= own
    assert stranger not in matches(pages)
    refused(await api.get("/fhir/Patient/nobody/$everything"), 404)
    refused(await api.get(f"/fhir/Patient/{person}/$everything?nonsense=1"), 400)
    assert {person, other} <= set(matches(await follow(api, "/fhir/Patient/$everything?_count=100")))


async def test_answers_are_indented_when_asked(api: httpx.AsyncClient, people: list[str]) -> None:
    for address in (f"Patient/{people[0]}", "Patient", "metadata", "Patient/_history", "_history"):
        text = (await api.get(f"/fhir/{address}?_pretty=true")).text
        assert text.startswith('{\n  "resourceType"'), address


async def test_includes_come_with_their_mode(api: httpx.AsyncClient) -> None:
    person = (await create(api, patient()))["id"]
    result = (await create(api, observation(person)))["id"]
    answer = found(await api.get(f"/fhir/Observation?_id={result}&_include=Observation:subject"))
    assert [(e["search"]["mode"], e["resource"]["resourceType"]) for e in answer["entry"]] == [
        ("match", "Observation"), ("include", "Patient")]
    assert answer["entry"][0]["fullUrl"] == f"http://kangyun.test/fhir/Observation/{result}"


async def test_addresses_in_answers_follow_the_host_of_the_caller(api: httpx.AsyncClient, people: list[str]) -> None:
    response = await api.get(f"/fhir/Patient?_id={people[0]}", headers={"host": "health.example:8443"})
    assert found(response)["entry"][0]["fullUrl"].startswith("http://health.example:8443/fhir/")
    assert (await api.post("/fhir/Patient", content=b'{"resourceType":"Patient"}', headers=FHIR_JSON)).status_code == 201
