"""Whatever valid resource is written is read back as it was; whatever else is sent is refused, never a fault of ours."""

from __future__ import annotations

import json
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kangyun.base.fhir.validation import validate
from tests.fhir import FHIR_JSON, bundle, entry, found

Json = dict[str, Any]
FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

# What XML and therefore a FHIR string may hold; it is never blank.
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn", "Co"]), min_size=1, max_size=40).filter(str.strip)
DATE = st.dates().filter(lambda day: day.year > 1000).map(str)
CODE = st.from_regex(r"[a-zA-Z0-9]{1,10}(-[a-z]{1,5})?", fullmatch=True)
DECIMAL = st.from_regex(r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,8})?", fullmatch=True)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """An object with at least one of the fields."""
    return st.fixed_dictionaries({}, optional=fields).filter(bool)


EXTENSION = st.fixed_dictionaries({"url": CODE.map("urn:x:{}".format), "valueString": TEXT})
IDENTIFIER = some(system=CODE.map("urn:s:{}".format), value=TEXT, use=st.sampled_from(["usual", "official", "old"]))
NAME = some(
    family=TEXT, given=st.lists(TEXT, min_size=1, max_size=3), text=TEXT, use=st.sampled_from(["official", "nickname"]),
    period=some(start=DATE), extension=st.lists(EXTENSION, min_size=1, max_size=2),
)
PATIENT = st.fixed_dictionaries({"resourceType": st.just("Patient")}, optional={
    "name": st.lists(NAME, min_size=1, max_size=3), "identifier": st.lists(IDENTIFIER, min_size=1, max_size=3),
    "gender": st.sampled_from(["male", "female", "other", "unknown"]), "birthDate": DATE, "active": st.booleans(),
    "multipleBirthInteger": st.integers(1, 9), "extension": st.lists(EXTENSION, min_size=1, max_size=3),
    "telecom": st.lists(some(system=st.sampled_from(["phone", "email"]), value=TEXT, rank=st.integers(1, 9)), min_size=1, max_size=2)
    .filter(lambda contacts: all("system" in c or "value" not in c for c in contacts)),
    "maritalStatus": some(text=TEXT, coding=st.lists(some(system=CODE.map("urn:c:{}".format), code=CODE, display=TEXT), min_size=1, max_size=2)),
})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-10**20, 10**20) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["resourceType", "id", "meta", "name", "extension", "url", "contained", "text", "reference", "entry", "request", "x"])
        | st.text(max_size=6), inner, max_size=4),
    max_leaves=15,
)


def without_head(resource: Json) -> Json:
    """The resource without what the server adds."""
    return {name: value for name, value in resource.items() if name not in {"id", "meta"}}


@FEW
@given(first=PATIENT, second=PATIENT)
async def test_what_is_written_is_read_back_and_its_history_is_kept(api: httpx.AsyncClient, first: Json, second: Json) -> None:
    assert [i for i in validate(first) if i.severity == "error"] == []
    made = await api.post("/fhir/Patient", json=first)
    stored = found(made)
    address = f"/fhir/Patient/{stored['id']}"
    assert without_head(stored) == first
    changed = await api.put(address, json={**second, "id": stored["id"]}, headers={"if-match": made.headers["etag"]})
    assert without_head(found(changed)) == second
    assert without_head(found(await api.get(address))) == second
    versions = found(await api.get(f"{address}/_history"))["entry"]
    assert [without_head(e["resource"]) for e in versions] == [second, first]
    search = found(await api.get(f"/fhir/Patient?_id={stored['id']}"))
    assert without_head(search["entry"][0]["resource"]) == second


@FEW
@given(value=DECIMAL, text=TEXT)
async def test_every_digit_of_a_decimal_is_kept(api: httpx.AsyncClient, value: str, text: str) -> None:
    body = (
        '{"resourceType":"Observation","status":"final","code":{"text":' + json.dumps(text) + '},"valueQuantity":{"value":' + value + "}}"
    )
    answer = await api.post("/fhir/Observation", content=body.encode(), headers=FHIR_JSON)
    assert answer.status_code == 201, answer.text
    again = await api.get(f"/fhir/Observation/{answer.json()['id']}")
    assert again.text.endswith('"valueQuantity":{"value":' + value + "}}")


@settings(FEW, max_examples=150)
@given(body=VALUES, kind=st.sampled_from(["Patient", "Observation", "Bundle", "Basic"]), known=st.booleans())
async def test_garbage_is_never_a_fault_of_ours(api: httpx.AsyncClient, body: Any, kind: str, known: bool) -> None:
    if known and isinstance(body, dict):
        body["resourceType"] = kind
    for address in (f"/fhir/{kind}", "/fhir", f"/fhir/{kind}/$validate"):
        answer = await api.post(address, json=body)
        assert answer.status_code < 500, answer.text
        assert answer.json()["resourceType"]


@settings(FEW, max_examples=80)
@given(inner=VALUES, kind=st.sampled_from(["batch", "transaction"]), method=st.sampled_from(["POST", "PUT", "DELETE", "GET"]), url=st.text(max_size=20))
async def test_garbage_in_a_bundle_is_never_a_fault_of_ours(
    api: httpx.AsyncClient, inner: Any, kind: str, method: str, url: str,
) -> None:
    resource: Any = {"resourceType": "Patient", "extension": inner}
    entries = [entry(method, f"Patient/{url}", resource), entry(method, url, resource), {"request": inner}, inner]
    for one in entries:
        answer = await api.post("/fhir", json=bundle(kind, one))
        assert answer.status_code < 500, answer.text
        assert "exception" not in answer.text


@settings(FEW, max_examples=150)
@given(raw=st.binary(max_size=60), cut=st.integers(0, 80))
async def test_any_bytes_are_never_a_fault_of_ours(api: httpx.AsyncClient, raw: bytes, cut: int) -> None:
    whole = json.dumps({"resourceType": "Patient", "name": [{"text": "欧阳娜娜"}], "birthDate": "1960-01-01"}).encode()
    for body in (raw, whole[:cut] + raw + whole[cut:]):
        answer = await api.post("/fhir/Patient", content=body, headers=FHIR_JSON)
        assert answer.status_code < 500, answer.text


@settings(FEW, max_examples=120)
@given(name=st.sampled_from(["name", "birthdate", "identifier", "_sort", "_include", "_has", "_cursor", "_since", "organization.name", "_id", "phonetic"])
       | st.text(max_size=10), value=st.text(max_size=20))
async def test_any_search_is_answered_or_refused(api: httpx.AsyncClient, name: str, value: str) -> None:
    try:
        params = httpx.QueryParams({name: value})
    except UnicodeEncodeError:
        return
    for address in ("/fhir/Patient", "/fhir", "/fhir/_history", "/fhir/Patient/x/$everything"):
        answer = await api.get(address, params=params)
        assert answer.status_code < 500, answer.text
