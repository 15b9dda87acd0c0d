"""$validate, the CapabilityStatement that must be true, and the languages of refusals."""

from __future__ import annotations

import random
from typing import Any

import httpx
import pytest
from tests.fhir import FHIR_JSON, create, entry, found, patient, refused, told

from kangyun.app.web import route_table
from kangyun.base.errors import messages
from kangyun.base.fhir import definitions
from kangyun.base.fhir.validation import validate
from kangyun.commons.records.api.operations import offered


async def validation(api: httpx.AsyncClient, body: Any, address: str = "Patient/$validate") -> list[dict[str, Any]]:
    """The issues of $validate."""
    response = await api.post(f"/fhir/{address}", json=body, headers={"accept-language": "en"})
    assert response.status_code == 200, response.text
    told(response)
    return response.json()["issue"]


def parameters(**given: Any) -> dict[str, Any]:
    """A Parameters resource; names that begin with value are given as name=(kind, value)."""
    return {"resourceType": "Parameters", "parameter": [
        {"name": name, "resource": value} if isinstance(value, dict) else {"name": name, value[0]: value[1]}
        for name, value in given.items()]}


async def test_validate_says_what_is_right_and_what_is_wrong(api: httpx.AsyncClient) -> None:
    good = await validation(api, patient())
    assert (good[-1]["severity"], good[-1]["code"]) == ("information", "informational")
    assert "error" not in {i["severity"] for i in good}
    bad = await validation(api, patient(gender="x", contact=[{"name": "x"}], birthDate="2020-02-30"))
    assert {i["expression"][0] for i in bad if i["severity"] == "error"} >= {
        "Patient.gender", "Patient.contact[0].name", "Patient.birthDate"}
    [wrong, *_] = await validation(api, {"resourceType": "Group", "type": "person", "actual": True})
    assert wrong["severity"] == "error"


async def test_validate_takes_parameters_modes_and_profiles(api: httpx.AsyncClient) -> None:
    good = await validation(api, parameters(resource=patient(), mode=("valueCode", "create")))
    assert good[-1]["severity"] == "information"
    issues = await validation(api, parameters(resource=patient(), profile=("valueUri", "http://example.org/p")))
    assert ("warning", "not-supported") in {(i["severity"], i["code"]) for i in issues}
    issues = await validation(api, patient(), "Patient/$validate?profile=http://example.org/p")
    assert ("warning", "not-supported") in {(i["severity"], i["code"]) for i in issues}
    stored = await create(api, patient())
    for mode, address, severity in (
        ("update", f"Patient/{stored['id']}/$validate", "information"),
        ("delete", f"Patient/{stored['id']}/$validate", "information"), ("delete", "Patient/nobody/$validate", "error"),
    ):
        issues = await validation(api, parameters(resource=stored, mode=("valueCode", mode)), address)
        assert issues[-1]["severity"] == severity, (mode, address)
    refused(await api.post("/fhir/Patient/$validate", json=parameters(mode=("valueCode", "create"))), 400, "required")
    own = parameters(x=("valueString", "y"))
    assert (await validation(api, own, "Parameters/$validate"))[-1]["severity"] == "information"
    assert ids_of(await api.get("/fhir/Patient?gender=nonsense")) == []


def ids_of(response: httpx.Response) -> list[str]:
    """The ids of a searchset."""
    return [e["resource"]["id"] for e in found(response).get("entry", [])]


async def test_validate_is_nothing_for_unreadable_input(api: httpx.AsyncClient) -> None:
    for body in (b"", b"[]", b"{", b'{"resourceType":"Parameters","parameter":7}', b'{"resourceType":"Parameters","parameter":[{"name":[]}]}',
                 b'{"resourceType":"Parameters","parameter":[{"name":"mode","valueCode":[]},{"name":"resource","resource":7}]}'):
        response = await api.post("/fhir/Patient/$validate", content=body, headers=FHIR_JSON)
        assert response.status_code in {200, 400}, response.text
        told(response)


async def test_unknown_operations_are_refused(api: httpx.AsyncClient) -> None:
    for method, address in (("GET", "Patient/$nonsense"), ("POST", "Patient/1/$nonsense"), ("POST", "$nonsense"), ("GET", "$meta"),
                            ("POST", "Patient/1/$everything/x")):
        response = await api.request(method, f"/fhir/{address}")
        assert response.status_code in {404, 405}, address
        told(response)


@pytest.fixture(scope="module")
async def statement(api: httpx.AsyncClient) -> dict[str, Any]:
    return found(await api.get("/fhir/metadata"))


async def test_the_capability_statement_is_valid_and_complete(statement: dict[str, Any]) -> None:
    assert [i for i in validate(statement) if i.severity == "error"] == []
    assert statement["fhirVersion"] == "4.0.1"
    known = {name for name, t in definitions.load().types.items() if t.kind == "resource" and not t.abstract}
    assert {r["type"] for r in statement["rest"][0]["resource"]} == known


async def test_every_claimed_search_parameter_is_answered(api: httpx.AsyncClient, statement: dict[str, Any]) -> None:
    values = {"date": "2020", "number": "1", "quantity": "1", "reference": "Patient/1", "uri": "http://x", "token": "x", "string": "x",
              "composite": "x$1", "special": "x"}
    chance = random.Random(7)
    for resource in chance.sample(statement["rest"][0]["resource"], 40):
        claimed = chance.sample(resource["searchParam"], min(4, len(resource["searchParam"])))
        for parameter in claimed:
            value = values[parameter["type"]]
            response = await api.get(f"/fhir/{resource['type']}?{parameter['name']}={value}", headers={"prefer": "handling=strict"})
            if response.status_code != 200:
                # Some tokens are booleans, some composites begin with a date: the parameter is known, only "x" is wrong.
                assert refused(response, 400)["diagnostics"] == "records.search-value", (resource["type"], parameter)
        if len(resource["interaction"]) == 2:
            # Answered from the audit trail: there is nothing to include.
            continue
        include = chance.choice(resource["searchInclude"])
        strict = {"prefer": "handling=strict"}
        assert (await api.get(f"/fhir/{resource['type']}?_include={include}&_count=1", headers=strict)).status_code == 200, include
        reverse = chance.choice(resource.get("searchRevInclude", ["*"]))
        assert (await api.get(f"/fhir/{resource['type']}?_revinclude={reverse}&_count=1", headers=strict)).status_code == 200, reverse


async def test_every_claimed_interaction_is_there_for_any_type(api: httpx.AsyncClient, statement: dict[str, Any]) -> None:
    [rest] = statement["rest"]
    assert {i["code"] for i in rest["interaction"]} == {"transaction", "batch", "search-system", "history-system"}
    for resource in random.Random(11).sample(rest["resource"], 12):
        kind = resource["type"]
        assert {i["code"] for i in resource["interaction"]} == {
            "read", "vread", "update", "delete", "history-instance", "history-type", "create", "search-type"}
        assert (await api.get(f"/fhir/{kind}/none")).status_code == 404
        assert (await api.get(f"/fhir/{kind}/none/_history/1")).status_code == 404
        assert (await api.get(f"/fhir/{kind}/_history?_count=1")).status_code == 200
        assert (await api.get(f"/fhir/{kind}?_count=1")).status_code == 200
        assert (await api.put(f"/fhir/{kind}/none", json={"resourceType": kind, "id": "none", "x": 1})).status_code == 422
        assert (await api.post(f"/fhir/{kind}", json={"resourceType": kind, "x": 1})).status_code == 422
        assert (await api.delete(f"/fhir/{kind}/none")).status_code == 204
        assert (await api.post(f"/fhir/{kind}/$validate", json={"resourceType": kind})).status_code == 200


def test_nothing_is_claimed_that_is_refused(statement: dict[str, Any]) -> None:
    [rest] = statement["rest"]
    assert statement["format"] == ["json", "application/fhir+json"]
    for resource in rest["resource"]:
        assert not {"patch"} & {i["code"] for i in resource["interaction"]}
        names = {
            "Patient": {"validate", "everything", "match", "ihe-pix", "summary"}, "Person": {"validate", "everything"},
            "ConceptMap": {"validate", "translate"},
        }
        if len(resource["interaction"]) == 2:
            assert "operation" not in resource, "what another room answers for is not validated here"
            continue
        claimed = {o["name"] for o in resource["operation"]}
        there = {name for type_, name in offered(entry.path for entry in route_table()) if type_ == resource["type"]}
        assert names.get(resource["type"], {"validate"}) <= claimed <= there | {"validate", "everything"}


@pytest.mark.parametrize(("accept", "language"), [
    ("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en-GB,en;q=0.9", "en"), ("", "zh"), ("fr", "zh"), ("en;q=0.1, zh;q=0.9", "zh"),
    ("fr, en;q=0.5", "en"), ("garbage;;;q=x,,", "zh"),
])
async def test_refusals_speak_the_callers_language_and_carry_the_other(
    api: httpx.AsyncClient, accept: str, language: str,
) -> None:
    text = messages()["records.not-found"]
    issue = refused(await api.get("/fhir/Patient/nobody", headers={"accept-language": accept}), 404)
    assert issue["details"]["text"] == text[language].format(type="Patient")
    other = issue["details"]["_text"]["extension"][0]["extension"]
    assert other[1]["valueString"] == text["en" if language == "zh" else "zh"].format(type="Patient")


async def test_no_refusal_repeats_what_stands_in_the_record(api: httpx.AsyncClient) -> None:
    secret = "欧阳秘密990101195001011234"
    person = patient(name=[{"family": secret}], identifier=[{"value": secret, "use": secret}], gender=secret, birthDate=secret,
                     contact=[{"name": secret}], link=[{"other": {"reference": secret}, "type": secret}], text=secret)
    answers = [
        await api.post("/fhir/Patient", json=person),
        await api.put("/fhir/Patient/a", json={**person, "id": secret}),
        await api.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": [entry("POST", "Patient", person)]}),
        await api.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": [entry("GET", f"Patient/{secret}")]}),
        await api.get(f"/fhir/Patient?birthdate={secret}"),
        await api.get(f"/fhir/Patient?_sort={secret}&_count={secret}"),
        await api.get(f"/fhir/Patient/{secret}"),
        await api.delete(f"/fhir/Patient/{secret}"),
        await api.post("/fhir/Patient", content=f'{{"resourceType":"Patient","birthDate":"{secret}'.encode(), headers=FHIR_JSON),
        await api.post("/fhir/Patient", json=patient(), headers={"if-none-exist": "birthdate=secret"}),
        await api.get(f"/fhir/Patient?_cursor={secret}"),
        await api.get(f"/fhir/Patient/_history?_since={secret}"),
    ]
    for number, answer in enumerate(answers):
        assert answer.status_code >= 400, number
        told(answer)
        assert secret not in answer.text, number
        assert "秘密" not in str(answer.headers), number
