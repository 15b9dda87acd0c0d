"""One resource over HTTP: read, vread, create, update, delete and their headers (FHIR R4, RESTful API 3.1.0)."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import httpx
import pytest
from tests.fhir import FHIR_JSON, create, found, observation, patient, refused


async def test_it_creates_and_tells_where(api: httpx.AsyncClient) -> None:
    response = await api.post("/fhir/Patient", json=patient(id="mine"))
    stored = response.json()
    assert response.status_code == 201
    assert stored["id"] != "mine", "a create gives its own id"
    assert stored["meta"]["versionId"] == "1"
    assert response.headers["etag"] == 'W/"1"'
    assert response.headers["location"] == f"http://kangyun.test/fhir/Patient/{stored['id']}/_history/1"
    assert parsedate_to_datetime(response.headers["last-modified"])
    assert found(await api.get(response.headers["location"])) == stored


async def test_read_gives_the_current_version_and_head_only_its_headers(api: httpx.AsyncClient) -> None:
    stored = await create(api, patient())
    address = f"/fhir/Patient/{stored['id']}"
    read, head = await api.get(address), await api.head(address)
    assert found(read) == stored
    assert head.status_code == 200
    assert head.headers["etag"] == read.headers["etag"]


async def test_what_is_not_there_is_404(api: httpx.AsyncClient) -> None:
    for address in ("Patient/nobody", "Patient/nobody/_history/1", "Patient/nobody/_history", "Patient/a%20b",
                    "Patient/" + "x" * 300, "Patient/%00", "Patient/-/_history/0"):
        refused(await api.get(f"/fhir/{address}"), 404, "not-found")
    stored = await create(api, patient())
    for version in ("2", "0", "x", "99999999999999999999", "-1", "%E0%A5%A7"):
        refused(await api.get(f"/fhir/Patient/{stored['id']}/_history/{version}"), 404, "not-found")
    refused(await api.get("/fhir/Nonsense/1"), 404, "not-supported")
    refused(await api.get("/fhir/patient/1"), 404, "not-supported")
    refused(await api.get("/fhir/DomainResource/1"), 404, "not-supported")
    refused(await api.get("/fhir/a/b/c/d/e"), 404)


async def test_a_deleted_resource_is_410_its_old_versions_stay(api: httpx.AsyncClient) -> None:
    stored = await create(api, patient())
    address = f"/fhir/Patient/{stored['id']}"
    gone = await api.delete(address)
    assert (gone.status_code, gone.headers["etag"], gone.content) == (204, 'W/"2"', b"")
    refused(await api.get(address), 410, "deleted")
    refused(await api.get(f"{address}/_history/2"), 410, "deleted")
    assert found(await api.get(f"{address}/_history/1")) == stored
    assert (await api.delete(address)).status_code == 204
    assert (await api.delete("/fhir/Patient/never-was")).status_code == 204
    history = found(await api.get(f"{address}/_history"))
    assert [e["request"]["method"] for e in history["entry"]] == ["DELETE", "POST"]


async def test_a_deleted_resource_comes_back_by_update(api: httpx.AsyncClient) -> None:
    stored = await create(api, patient())
    address = f"/fhir/Patient/{stored['id']}"
    await api.delete(address)
    again = await api.put(address, json=patient(id=stored["id"]))
    assert (again.status_code, again.headers["etag"]) == (201, 'W/"3"')


async def test_an_update_makes_the_next_version(api: httpx.AsyncClient) -> None:
    stored = await create(api, patient())
    address = f"/fhir/Patient/{stored['id']}"
    response = await api.put(address, json={**stored, "gender": "male"})
    assert (response.status_code, response.headers["etag"]) == (200, 'W/"2"')
    assert response.headers["location"].endswith(f"{address}/_history/2")
    assert response.json()["gender"] == "male"
    assert found(await api.get(f"{address}/_history/1"))["gender"] == "female"
    assert found(await api.get(address))["meta"]["versionId"] == "2"


async def test_an_update_may_create(api: httpx.AsyncClient) -> None:
    response = await api.put("/fhir/Patient/chosen-1.a", json=patient(id="chosen-1.a"))
    assert (response.status_code, response.headers["etag"]) == (201, 'W/"1"')
    assert found(await api.get("/fhir/Patient/chosen-1.a"))["id"] == "chosen-1.a"


@pytest.mark.parametrize("id_", ["a b", "ä", "x" * 65, "a_b", "%2e%2e%2f", "a%00b", "'--"])
async def test_an_update_refuses_ids_that_fhir_does_not_allow(api: httpx.AsyncClient, id_: str) -> None:
    response = await api.put(f"/fhir/Patient/{id_}", json=patient(id=httpx.URL(f"http://x/{id_}").path[1:]))
    assert response.status_code in {400, 404, 405, 422}
    refused(response, response.status_code)


async def test_the_id_of_body_and_address_must_agree(api: httpx.AsyncClient) -> None:
    assert refused(await api.put("/fhir/Patient/one", json=patient(id="two")), 400)["expression"] == ["Patient.id"]
    assert refused(await api.put("/fhir/Patient/one", json=patient()), 400)["expression"] == ["Patient.id"]
    refused(await api.put("/fhir/Patient/1", json=patient(id=1)), 400)
    refused(await api.put("/fhir/Patient/one", json={"resourceType": "Group", "id": "one"}), 400, "value")
    refused(await api.post("/fhir/Patient", json={"id": "x"}), 400, "structure")
    refused(await api.post("/fhir/Patient", json={"resourceType": ["Patient"]}), 400, "structure")


async def test_if_match_lets_the_first_of_two_writers_win(api: httpx.AsyncClient) -> None:
    stored = await create(api, patient())
    address = f"/fhir/Patient/{stored['id']}"
    good = await api.put(address, json=stored, headers={"if-match": 'W/"1"'})
    assert good.status_code == 200
    refused(await api.put(address, json=stored, headers={"if-match": 'W/"1"'}), 412, "conflict")
    refused(await api.delete(address, headers={"if-match": 'W/"1"'}), 412, "conflict")
    refused(await api.put(address, json=stored, headers={"if-match": "nonsense"}), 400, "value")
    refused(await api.put("/fhir/Patient/new-1", json=patient(id="new-1"), headers={"if-match": 'W/"1"'}), 412)
    refused(await api.put("/fhir/Patient/new-1", json=patient(id="new-1"), headers={"if-match": "*"}), 412)
    assert (await api.put(address, json=stored, headers={"if-match": "*"})).status_code == 200
    assert (await api.delete(address, headers={"if-match": '"3"'})).status_code == 204


async def test_if_none_match_star_only_creates(api: httpx.AsyncClient) -> None:
    body = patient(id="only-new")
    assert (await api.put("/fhir/Patient/only-new", json=body, headers={"if-none-match": "*"})).status_code == 201
    refused(await api.put("/fhir/Patient/only-new", json=body, headers={"if-none-match": "*"}), 412, "conflict")


async def test_a_conditional_read_is_304(api: httpx.AsyncClient) -> None:
    stored = await create(api, patient())
    address = f"/fhir/Patient/{stored['id']}"
    last = (await api.get(address)).headers["last-modified"]
    for headers in ({"if-none-match": 'W/"1"'}, {"if-none-match": 'W/"7", W/"1"'}, {"if-modified-since": last}):
        response = await api.get(address, headers=headers)
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", 'W/"1"')
    for headers in ({"if-none-match": 'W/"2"'}, {"if-modified-since": "Thu, 01 Jan 1970 00:00:00 GMT"},
                    {"if-modified-since": "nonsense"}, {"if-none-match": 'W/"2"', "if-modified-since": last}):
        assert (await api.get(address, headers=headers)).status_code == 200
    version = await api.get(f"{address}/_history/1", headers={"if-none-match": 'W/"1"'})
    assert version.status_code in {200, 304}


async def test_prefer_says_what_a_write_returns(api: httpx.AsyncClient) -> None:
    minimal = await api.post("/fhir/Patient", json=patient(), headers={"prefer": "return=minimal"})
    assert (minimal.status_code, minimal.content) == (201, b"")
    assert minimal.headers["location"]
    whole = await api.post("/fhir/Patient", json=patient(), headers={"prefer": "return=representation"})
    assert whole.json()["resourceType"] == "Patient"
    for language in ("zh", "en"):
        headers = {"prefer": "return=OperationOutcome", "accept-language": language}
        issue = refused(await api.post("/fhir/Patient", json=patient(), headers=headers), 201, "informational")
        assert issue["severity"] == "information"


async def test_a_conditional_create_happens_once(api: httpx.AsyncClient) -> None:
    body = patient(identifier=[{"system": "urn:test", "value": "cc"}])
    header = {"if-none-exist": "identifier=urn:test|cc"}
    first = await api.post("/fhir/Patient", json=body, headers=header)
    again = await api.post("/fhir/Patient", json=body, headers=header)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert again.headers["location"] == first.headers["location"]
    await create(api, body)
    refused(await api.post("/fhir/Patient", json=body, headers=header), 412, "multiple-matches")
    refused(await api.post("/fhir/Patient", json=body, headers={"if-none-exist": "nonsense=1"}), 400)
    refused(await api.post("/fhir/Patient", json=body, headers={"if-none-exist": ""}), 412)


async def test_a_conditional_update_meets_none_one_or_many(api: httpx.AsyncClient) -> None:
    body = patient(identifier=[{"system": "urn:test", "value": "cu"}])
    address = "/fhir/Patient?identifier=urn:test|cu"
    first = await api.put(address, json=body)
    second = await api.put(address, json={**body, "gender": "male"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["id"] == first.json()["id"]
    refused(await api.put(address, json={**body, "id": "another"}), 400)
    refused(await api.put(address, json=body, headers={"if-match": 'W/"1"'}), 412)
    await create(api, body)
    refused(await api.put(address, json=body), 412, "multiple-matches")
    refused(await api.put("/fhir/Patient?", json=body), 412)
    refused(await api.put("/fhir/Patient?_count=5", json=body), 412)


async def test_a_conditional_delete_meets_none_one_or_many(api: httpx.AsyncClient) -> None:
    body = patient(identifier=[{"system": "urn:test", "value": "cd"}])
    address = "/fhir/Patient?identifier=urn:test|cd"
    stored = await create(api, body)
    assert (await api.delete(address)).status_code == 204
    refused(await api.get(f"/fhir/Patient/{stored['id']}"), 410)
    assert (await api.delete(address)).status_code == 204
    await create(api, body)
    await create(api, body)
    refused(await api.delete(address), 412, "multiple-matches")
    for empty in ("/fhir/Patient", "/fhir/Patient?", "/fhir/Patient?_count=1", "/fhir/Patient?identifier="):
        refused(await api.delete(empty), 412)


async def test_only_what_an_address_does_is_allowed(api: httpx.AsyncClient) -> None:
    for method, address in (("PATCH", "Patient/1"), ("POST", "Patient/1"), ("DELETE", ""), ("PUT", ""),
                            ("DELETE", "Patient/1/_history"), ("TRACE", "Patient/1"), ("NONSENSE", "Patient")):
        response = await api.request(method, f"/fhir/{address}".rstrip("/"))
        assert refused(response, 405, "not-supported")
        assert response.headers["allow"]


async def test_only_json_comes_in_and_goes_out(api: httpx.AsyncClient) -> None:
    stored = await create(api, patient())
    address = f"/fhir/Patient/{stored['id']}"
    for kind in ("application/xml", "application/fhir+xml", "text/turtle", "text/plain", "multipart/form-data"):
        refused(await api.post("/fhir/Patient", content=b"{}", headers={"content-type": kind}), 415, "not-supported")
        for asked in (address, "/fhir/Patient", "/fhir/metadata", f"{address}/_history", f"{address}/_history/1",
                      "/fhir/_history"):
            refused(await api.get(asked, headers={"accept": kind}), 406, "not-supported")
    refused(await api.get(address, params={"_format": "xml"}), 406)
    for kind in ("application/fhir+json", "application/json", "*/*", "application/fhir+json;fhirVersion=4.0"):
        assert found(await api.get(address, headers={"accept": kind})) == stored
    for name in ("json", "application/fhir+json", "application/json"):
        assert found(await api.get(address, params={"_format": name})) == stored


@pytest.mark.parametrize("indent", [False, True])
async def test_decimals_keep_their_digits_everywhere(api: httpx.AsyncClient, indent: bool) -> None:
    person = (await create(api, patient()))["id"]
    text = observation(person, "1.50")
    if indent:
        text = text.replace(",", " ,\n\t").replace(":{", " : {")
    stored = await api.post("/fhir/Observation", content=text.encode(), headers=FHIR_JSON)
    assert '"value":1.50' in stored.text
    id_ = stored.json()["id"]
    update = text.replace('"resourceType"', f'"id":"{id_}","resourceType"', 1)
    assert '"value":1.50' in (await api.put(f"/fhir/Observation/{id_}", content=update.encode(), headers=FHIR_JSON)).text
    for address in (f"Observation/{id_}", f"Observation/{id_}/_history", f"Observation?_id={id_}", f"Observation/{id_}/_history/1",
                    f"Observation/{id_}?_elements=value", f"Observation?_id={id_}&_elements=value", f"Patient/{person}/$everything",
                    f"Observation?_id={id_}&_summary=data", f"Observation/{id_}?_summary=true"):
        assert '"value":1.50' in (await api.get(f"/fhir/{address}")).text, address
    assert '"value": 1.50' in (await api.get(f"/fhir/Observation/{id_}?_pretty=true")).text
    assert '"value": 1.50' in (await api.get(f"/fhir/Observation?_id={id_}&_pretty=true")).text


@pytest.mark.parametrize("value", ["0.000000000000000001", "1E+3", "-0.0", "100000000000000000000.5", "1.0", "3.00e-2", "7"])
async def test_a_number_comes_back_as_it_came(api: httpx.AsyncClient, value: str) -> None:
    person = (await create(api, patient()))["id"]
    stored = await api.post("/fhir/Observation", content=observation(person, value).encode(), headers=FHIR_JSON)
    assert stored.status_code == 201
    sent, kept = value.lower().replace("e+", "e"), stored.text.partition('"value":')[2].partition(",")[0].lower().replace("e+", "e")
    assert kept == sent or (float(kept) == float(sent) and "e" in sent)


async def test_text_and_unknown_order_are_kept(api: httpx.AsyncClient) -> None:
    body = '{"birthDate":"1950-02-28","resourceType":"Patient","name":[{"text":"𠮷野家 \\u0041\\n é"}]}'
    stored = await api.post("/fhir/Patient", content=body.encode(), headers=FHIR_JSON)
    assert stored.json()["name"][0]["text"] == "𠮷野家 A\n é"


async def test_meta_is_ours_where_it_must_be(api: httpx.AsyncClient) -> None:
    meta = {"versionId": "77", "lastUpdated": "1999-01-01T00:00:00Z", "tag": [{"system": "urn:t", "code": "x"}],
            "profile": ["http://example.org/p"], "source": "urn:here"}
    stored = await create(api, patient(meta=meta))
    assert stored["meta"]["versionId"] == "1"
    assert not stored["meta"]["lastUpdated"].startswith("1999")
    assert {k: stored["meta"][k] for k in ("tag", "profile", "source")} == {k: meta[k] for k in ("tag", "profile", "source")}
