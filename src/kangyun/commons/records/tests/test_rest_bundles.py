"""Batch and transaction over HTTP (FHIR R4, RESTful API 3.1.0.11)."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from tests.fhir import FHIR_JSON, bundle, create, entry, found, ids, observation, patient, refused

DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><a href="urn:uuid:11111111-1111-4111-8111-111111111111">她</a></div>'
PERSON = "urn:uuid:11111111-1111-4111-8111-111111111111"


def basic(**more: Any) -> dict[str, Any]:
    """A small resource that belongs to nobody."""
    return {"resourceType": "Basic", "code": {"text": "x"}, **more}


def result(subject: str, **more: Any) -> dict[str, Any]:
    """A result of somebody."""
    return {"resourceType": "Observation", "status": "final", "code": {"text": "K"}, "subject": {"reference": subject}, **more}


async def post(api: httpx.AsyncClient, kind: str, *entries: dict[str, Any], **headers: str) -> httpx.Response:
    """Post a Bundle."""
    return await api.post("/fhir", json=bundle(kind, *entries), headers=headers)


def places(response: httpx.Response) -> list[str]:
    """Type/id of each entry's location."""
    return ["/".join(e["response"]["location"].split("/")[-4:-2]) for e in found(response)["entry"]]


async def test_new_resources_find_each_other_by_their_full_urls(api: httpx.AsyncClient) -> None:
    text = {"status": "generated", "div": DIV}
    extension = [{"url": "urn:x", "valueUri": PERSON}, {"url": "urn:y", "valueString": PERSON}]
    response = await post(
        api, "transaction",
        entry("POST", "Observation", result(PERSON, text=text, extension=extension), fullUrl="urn:uuid:22222222-2222-4222-8222-222222222222"),
        entry("POST", "Patient", patient(), fullUrl=PERSON),
        entry("POST", "Basic", basic(extension=[{"url": "urn:z", "valueUrl": PERSON}, {"url": "urn:w", "valueOid": "urn:oid:1.2"}])),
    )
    seen, person, other = places(response)
    stored = found(await api.get(f"/fhir/{seen}"))
    assert stored["subject"]["reference"] == person
    assert f'href="{person}"' in stored["text"]["div"]
    assert stored["extension"][0]["valueUri"] == person
    assert stored["extension"][1]["valueString"] == PERSON, "a plain text is not a link"
    assert found(await api.get(f"/fhir/{other}"))["extension"][0]["valueUrl"] == person


async def test_relative_references_follow_full_urls_of_another_server(api: httpx.AsyncClient) -> None:
    response = await post(
        api, "transaction",
        entry("POST", "Patient", patient(id="77"), fullUrl="http://other.example/fhir/Patient/77"),
        entry("POST", "Observation", result("Patient/77"), fullUrl="http://other.example/fhir/Observation/78"),
        entry("POST", "Observation", result("http://other.example/fhir/Patient/77")),
        entry("POST", "Observation", result("Patient/77"), fullUrl="http://third.example/fhir/Observation/81"),
    )
    person, relative, absolute, foreign = places(response)
    for one in (relative, absolute):
        assert found(await api.get(f"/fhir/{one}"))["subject"]["reference"] == person
    assert found(await api.get(f"/fhir/{foreign}"))["subject"]["reference"] == "Patient/77", "another server's 77"


async def test_an_unknown_urn_is_left_or_refused_never_half_resolved(api: httpx.AsyncClient) -> None:
    response = await post(api, "transaction", entry("POST", "Observation", result("urn:uuid:99999999-9999-4999-8999-999999999999")))
    assert response.status_code in {200, 400, 422}


async def test_conditional_references_need_exactly_one(api: httpx.AsyncClient) -> None:
    identifier = [{"system": "urn:test", "value": "cr"}]
    asked = entry("POST", "Observation", result("Patient?identifier=urn:test|cr"))
    issue = refused(await post(api, "transaction", asked), 412, "not-found")
    assert issue["expression"][0].startswith("Bundle.entry[0].resource")
    person = (await create(api, patient(identifier=identifier)))["id"]
    [place] = places(await post(api, "transaction", asked))
    assert found(await api.get(f"/fhir/{place}"))["subject"]["reference"] == f"Patient/{person}"
    await create(api, patient(identifier=identifier))
    refused(await post(api, "transaction", asked), 412, "multiple-matches")


async def test_a_conditional_reference_may_mean_a_resource_of_the_same_transaction(api: httpx.AsyncClient) -> None:
    body = patient(identifier=[{"system": "urn:test", "value": "same"}])
    made = entry("POST", "Patient", body, fullUrl=PERSON, ifNoneExist="identifier=urn:test|same")
    first, seen = places(await post(api, "transaction", made, entry("POST", "Observation", result(PERSON))))
    again, seen_again = places(await post(api, "transaction", made, entry("POST", "Observation", result(PERSON))))
    assert first == again
    assert seen != seen_again
    assert found(await api.get(f"/fhir/{seen_again}"))["subject"]["reference"] == first


async def test_the_order_is_delete_create_update_read(api: httpx.AsyncClient) -> None:
    gone, kept = (await create(api, patient()))["id"], await create(api, patient())
    code = "identifier=urn:test|order"
    response = await post(
        api, "transaction",
        entry("GET", f"Patient/{kept['id']}"),
        entry("PUT", f"Patient/{kept['id']}", {**kept, "gender": "male"}),
        entry("GET", f"Patient?{code}"),
        entry("POST", "Patient", patient(identifier=[{"system": "urn:test", "value": "order"}])),
        entry("DELETE", f"Patient/{gone}"),
    )
    answers = found(response)["entry"]
    assert [e["response"]["status"][:3] for e in answers] == ["200", "200", "200", "201", "204"]
    assert answers[0]["resource"]["gender"] == "male"
    assert answers[2]["resource"]["total"] == 1
    assert [list(e["response"]) for e in answers[1::2]] == [["status", "location", "etag", "lastModified"]] * 2
    assert answers[1]["response"]["etag"] == 'W/"2"'


async def test_what_a_transaction_deletes_no_longer_answers_a_condition(api: httpx.AsyncClient) -> None:
    body = patient(identifier=[{"system": "urn:test", "value": "swap"}])
    old = (await create(api, body))["id"]
    new = entry("POST", "Patient", body, ifNoneExist="identifier=urn:test|swap")
    answers = found(await post(api, "transaction", new, entry("DELETE", f"Patient/{old}")))["entry"]
    assert [e["response"]["status"][:3] for e in answers] == ["201", "204"]
    assert len(ids(await api.get("/fhir/Patient?identifier=urn:test|swap"))) == 1


async def test_one_bad_entry_undoes_all_and_is_named(api: httpx.AsyncClient) -> None:
    marks = [basic(identifier=[{"system": "urn:test", "value": "atom"}]) for _ in range(4)]
    bad = [entry("POST", "Basic", mark) for mark in marks]
    bad[3]["resource"] = patient(gender="nonsense")
    bad[3]["request"]["url"] = "Patient"
    issue = refused(await post(api, "transaction", *bad), 422)
    assert issue["expression"] == ["Bundle.entry[3].resource.gender"]
    conflict = [entry("POST", "Basic", mark) for mark in marks]
    stored = await create(api, patient())
    conflict[2] = entry("PUT", f"Patient/{stored['id']}", stored, ifMatch='W/"9"')
    issue = refused(await post(api, "transaction", *conflict), 412, "conflict")
    assert issue["expression"][0].startswith("Bundle.entry[2]")
    missing = [*(entry("POST", "Basic", mark) for mark in marks), entry("GET", "Patient/nobody")]
    refused(await post(api, "transaction", *missing), 404)
    assert ids(await api.get("/fhir/Basic?identifier=urn:test|atom")) == []


@pytest.mark.parametrize(("one", "place"), [
    ({}, "Bundle.entry[0].request"),
    ({"request": {"method": "POST"}}, "Bundle.entry[0].request"),
    ({"request": {"method": 1, "url": "Patient"}}, "Bundle.entry[0].request"),
    (entry("BREW", "Patient"), "Bundle.entry[0].request.method"),
    (entry("POST", "Nonsense", patient()), "Bundle.entry[0].request.url"),
    (entry("POST", "Patient"), "Bundle.entry[0].resource"),
    (entry("POST", "Patient", {"resourceType": "Group"}), "Bundle.entry[0].resource"),
    (entry("PUT", "Patient", patient(id="a")), "Bundle.entry[0].request.url"),
    (entry("PUT", "Patient/b", patient(id="a")), "Bundle.entry[0].resource.id"),
    (entry("PUT", "Patient/a_b", patient(id="a_b")), "Bundle.entry[0].resource.id"),
    (entry("DELETE", "Patient/a/b"), "Bundle.entry[0].request.url"),
    (entry("GET", "Nonsense/1"), "Bundle.entry[0].request.url"),
    (entry("GET", "Patient/1/2/3/4"), "Bundle.entry[0].request.url"),
    (entry("POST", "Patient", patient(name="x")), "Bundle.entry[0].resource.name"),
    (entry("PUT", "Patient/a", patient(id="a"), ifMatch="x"), "Bundle.entry[0].request.ifMatch"),
    (entry("POST", "Patient", patient(), ifNoneExist="nonsense=1"), "Bundle.entry[0].request"),
    (entry("POST", "Patient", patient(), ifNoneExist=7), "Bundle.entry[0].request.ifNoneExist"),
    ("text", "Bundle.entry[0].request"),
])
@pytest.mark.parametrize("kind", ["transaction", "batch"])
async def test_a_fault_is_named_by_its_place(api: httpx.AsyncClient, kind: str, one: Any, place: str) -> None:
    response = await post(api, kind, one)
    if kind == "transaction":
        assert response.status_code in {400, 412, 422}, response.text
        issue = refused(response, response.status_code)
    else:
        answer = found(response)["entry"][0]["response"]
        assert answer["status"][:1] == "4"
        issue = answer["outcome"]["issue"][0]
    assert issue["expression"][0].startswith(place)


async def test_the_same_resource_twice_is_refused(api: httpx.AsyncClient) -> None:
    stored = await create(api, patient(identifier=[{"system": "urn:test", "value": "twice"}]))
    put = entry("PUT", f"Patient/{stored['id']}", stored)
    for other in (put, entry("DELETE", f"Patient/{stored['id']}"), entry("PUT", "Patient?identifier=urn:test|twice", patient())):
        refused(await post(api, "transaction", put, other), 400, "duplicate")
    fresh = entry("POST", "Patient", patient(), ifNoneExist="identifier=urn:test|never")
    refused(await post(api, "transaction", fresh, fresh), 400, "duplicate")
    named = entry("POST", "Patient", patient(), fullUrl=PERSON)
    refused(await post(api, "transaction", named, named), 400)
    assert found(await api.get(f"/fhir/Patient/{stored['id']}"))["meta"]["versionId"] == "1"


async def test_versions_can_be_demanded_inside(api: httpx.AsyncClient) -> None:
    stored = await create(api, patient())
    address = f"Patient/{stored['id']}"
    good = await post(api, "transaction", entry("PUT", address, stored, ifMatch='W/"1"'))
    assert found(good)["entry"][0]["response"]["etag"] == 'W/"2"'
    refused(await post(api, "transaction", entry("DELETE", address, ifMatch='W/"1"')), 412)
    refused(await post(api, "transaction", entry("PUT", address, stored, ifNoneMatch="*")), 412)
    same = await post(api, "transaction", entry("GET", address, ifNoneMatch='W/"2"'))
    assert found(same)["entry"][0]["response"]["status"].startswith("304")


async def test_conditional_updates_and_deletes_inside(api: httpx.AsyncClient) -> None:
    body = patient(identifier=[{"system": "urn:test", "value": "inside"}])
    address = "Patient?identifier=urn:test|inside"
    [made] = places(await post(api, "transaction", entry("PUT", address, body, fullUrl=PERSON)))
    person, seen = places(await post(
        api, "transaction", entry("PUT", address, body, fullUrl=PERSON), entry("POST", "Observation", result(PERSON))))
    assert person == made
    assert found(await api.get(f"/fhir/{seen}"))["subject"]["reference"] == made
    found(await post(api, "transaction", entry("DELETE", address)))
    refused(await api.get(f"/fhir/{made}"), 410)


async def test_a_batch_goes_on_after_a_bad_entry(api: httpx.AsyncClient) -> None:
    response = await post(
        api, "batch", entry("POST", "Patient", patient()), entry("POST", "Patient", patient(gender="x")),
        entry("GET", "Patient/nobody"), entry("GET", "Patient?_count=1"), entry("GET", "Patient/nobody/_history/1"),
        entry("GET", "metadata"), entry("HEAD", "Patient?_count=1"),
    )
    answers = found(response)["entry"]
    assert response.json()["type"] == "batch-response"
    assert [e["response"]["status"][:3] for e in answers[:5]] == ["201", "422", "404", "200", "404"]
    assert answers[1]["response"]["outcome"]["issue"][0]["expression"] == ["Bundle.entry[1].resource.gender"]
    assert answers[3]["resource"]["type"] == "searchset"


async def test_history_and_search_can_be_read_inside(api: httpx.AsyncClient) -> None:
    stored = await create(api, patient())
    response = await post(api, "batch", entry("GET", f"Patient/{stored['id']}/_history"), entry("GET", "/Patient?_count=1"),
                          entry("GET", f"Patient/{stored['id']}/_history/1"))
    assert [e["response"]["status"][:3] for e in found(response)["entry"]] == ["200", "200", "200"]
    assert found(response)["entry"][0]["resource"]["type"] == "history"


async def test_prefer_decides_what_entries_return(api: httpx.AsyncClient) -> None:
    one = entry("POST", "Patient", patient())
    assert "resource" not in found(await post(api, "transaction", one))["entry"][0]
    whole = found(await post(api, "transaction", one, prefer="return=representation"))["entry"][0]
    assert whole["resource"]["resourceType"] == "Patient"
    assert whole["fullUrl"].endswith(whole["resource"]["id"])


async def test_decimals_survive_a_transaction(api: httpx.AsyncClient) -> None:
    text = '{"resourceType":"Bundle","type":"transaction","entry":[{"resource":%s,"request":{"method":"POST","url":"Observation"}}]}'
    answer = await api.post("/fhir", content=(text % observation("x", "1.50")).encode(), headers=FHIR_JSON | {"prefer": "return=representation"})
    assert '"value":1.50' in answer.text


async def test_only_bundles_of_two_types_are_taken(api: httpx.AsyncClient) -> None:
    for kind in ("collection", "history", "searchset", None, 7, ["batch"]):
        refused(await api.post("/fhir", json={"resourceType": "Bundle", "type": kind}), 400)
    refused(await api.post("/fhir", json=patient()), 400)
    refused(await api.post("/fhir", json={"resourceType": "Bundle", "type": "batch", "entry": {}}), 400)
    assert "entry" not in found(await api.post("/fhir/", json={"resourceType": "Bundle", "type": "transaction"}))
