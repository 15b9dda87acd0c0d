"""The services of WS/T 790-2021 over real HTTP, as docs/how-to/wst790.md lists them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from lxml import etree
from tests.serving import Server

from kangyun.base import clock
from kangyun.commons.exchange.decisions.cda.building import build
from kangyun.commons.exchange.decisions.cda.headings import Edition
from kangyun.commons.exchange.decisions.cda.picking import Named, Record
from kangyun.commons.exchange.decisions.cda.sheet import documents

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ID_NUMBERS = "urn:oid:2.16.156.10011.1.3"
DOCUMENTS = "urn:oid:2.16.156.10011.2.4"


@pytest.fixture(scope="module")
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=60) as client:
        yield client


def person(number: str, name: str = "李娜") -> dict[str, Any]:
    """A Patient of an institution."""
    return {
        "resourceType": "Patient", "identifier": [{"system": ID_NUMBERS, "value": number}], "name": [{"text": name}], "gender": "female",
        "birthDate": "1988-05-04", "address": [{"text": "云州市"}], "telecom": [{"system": "phone", "value": "12913005521"}],
    }  # fmt: skip


def summary(number: str, set_id: str, version: int, code: str = "I10.x00") -> bytes:
    """An outpatient summary of WS/T 483.17, as an institution would send it."""
    diagnosis = {"resourceType": "Condition", "id": "c", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": code, "display": "某病"}]}}
    visit = {"resourceType": "Encounter", "id": "v", "class": {"code": "AMB"}, "period": {"start": "2026-10-30T09:30:00+08:00"}, "identifier": [{"value": set_id}]}
    record = Record(person(number), [diagnosis], visit, Named("D1", "王志远"), Named("H790", "云溪县医院"))
    return build(documents()["HSDC00.02"], record, Edition(f"{set_id}.{version}", set_id, version, "2026-11-01T12:00:00+08:00")).xml


def one(http: httpx.Client, kind: str, **query: str) -> dict[str, Any]:
    """The one resource that a search finds."""
    answer = http.get(f"/fhir/{kind}", params=query).json()
    assert answer["total"] == 1, answer
    return answer["entry"][0]["resource"]


def test_general_rules_are_published_and_errors_are_typed(http: httpx.Client) -> None:
    statement = http.get("/fhir/metadata").json()
    types = {one["type"] for one in statement["rest"][0]["resource"]}
    assert {"Patient", "Organization", "Practitioner", "CodeSystem", "DocumentReference", "Composition", "Appointment", "ServiceRequest"} <= types
    refused = http.post("/fhir/Patient", json={"resourceType": "Patient", "gender": "m"})
    assert (refused.status_code, refused.json()["resourceType"]) == (422, "OperationOutcome")


def test_every_answer_and_every_version_tells_the_time(http: httpx.Client) -> None:
    before = parsedate_to_datetime(http.get("/health/live").headers["date"])
    made = http.post("/fhir/Organization", json={"resourceType": "Organization", "name": "时间"})
    updated = datetime.fromisoformat(made.json()["meta"]["lastUpdated"])
    after = parsedate_to_datetime(http.get("/health/live").headers["date"])
    assert updated.tzinfo is not None
    # One clock: an hour apart would be two zones, and not a slow machine.
    assert abs(updated - before) < timedelta(hours=1)
    assert abs(updated - after) < timedelta(hours=1)


def test_a_resident_is_registered_found_and_updated(http: httpx.Client) -> None:
    number = "990101198805040024"
    told = person(number, "欧阳归属")
    first = http.post("/fhir/Patient", json=told, headers={"if-none-exist": f"identifier={ID_NUMBERS}|{number}"})
    assert first.status_code == 201
    again = http.post("/fhir/Patient", json=told, headers={"if-none-exist": f"identifier={ID_NUMBERS}|{number}"})
    assert again.status_code == 200
    resident = one(http, "Patient", identifier=f"{ID_NUMBERS}|{number}")
    moved = {**resident, "address": [{"text": "云溪县"}]}
    assert http.put(f"/fhir/Patient/{resident['id']}", json=moved, headers={"if-match": 'W/"1"'}).status_code == 200
    assert http.put(f"/fhir/Patient/{resident['id']}", json=moved, headers={"if-match": 'W/"1"'}).status_code == 412
    assert one(http, "Patient", name="欧阳归属", birthdate="1988-05-04")["address"] == [{"text": "云溪县"}]


def test_an_institution_is_registered_found_and_updated(http: httpx.Client) -> None:
    code = {"system": "urn:oid:2.16.156.10011.1.5", "value": "99000000-1"}
    body = {"resourceType": "Organization", "identifier": [code], "name": "柳河镇卫生院", "active": True}
    made = http.post("/fhir/Organization", json=body).json()
    http.put(f"/fhir/Organization/{made['id']}", json={**made, "active": False})
    found = one(http, "Organization", identifier=f"{code['system']}|{code['value']}")
    assert (found["active"], found["meta"]["versionId"]) == (False, "2")
    assert http.get(f"/fhir/Organization/{made['id']}/_history").json()["total"] == 2


def test_staff_are_registered_with_their_institution(http: httpx.Client) -> None:
    doctor = http.post("/fhir/Practitioner", json={
        "resourceType": "Practitioner", "identifier": [{"system": "urn:oid:2.16.156.10011.1.4", "value": "D790"}], "name": [{"text": "王志远"}],
    }).json()  # fmt: skip
    house = http.post("/fhir/Organization", json={"resourceType": "Organization", "name": "市医院"}).json()
    http.post("/fhir/PractitionerRole", json={
        "resourceType": "PractitionerRole", "practitioner": {"reference": f"Practitioner/{doctor['id']}"},
        "organization": {"reference": f"Organization/{house['id']}"}, "code": [{"text": "主治医师"}],
    })  # fmt: skip
    role = one(http, "PractitionerRole", **{"practitioner.identifier": "D790"})
    assert role["organization"]["reference"] == f"Organization/{house['id']}"


def test_terms_are_registered_and_found(http: httpx.Client) -> None:
    url = "urn:oid:2.16.156.10011.2.3.1.183"
    body = {
        "resourceType": "CodeSystem", "url": url, "status": "active", "content": "complete", "name": "FollowUpWay", "version": "2017",
        "concept": [{"code": "1", "display": "门诊"}, {"code": "2", "display": "家庭"}],
    }  # fmt: skip
    assert http.post("/fhir/CodeSystem", json=body).status_code == 201
    assert one(http, "CodeSystem", url=url, version="2017")["concept"][1]["display"] == "家庭"
    assert one(http, "CodeSystem", code="2", url=url)["url"] == url


def test_documents_are_stored_replaced_and_found(http: httpx.Client) -> None:
    number = "990101198805040032"
    first = http.post("/exchange/cda", content=summary(number, "S790", 1), headers={"content-type": "application/xml"})
    assert first.status_code == 201, first.text
    assert http.post("/exchange/cda", content=summary(number, "S790", 2, "E11.900"), headers={"content-type": "application/xml"}).status_code == 201
    current = one(http, "DocumentReference", identifier="S790", status="current")
    old = one(http, "DocumentReference", identifier="S790", status="superseded")
    assert current["relatesTo"][0]["target"]["reference"] == f"DocumentReference/{old['id']}"
    codes = [one["resource"]["code"]["coding"][0]["code"] for one in http.get("/fhir/Condition", params={"patient.identifier": number, "verification-status": "confirmed"}).json()["entry"]]
    assert codes == ["E11.900"]


def test_documents_are_looked_for_and_retrieved(http: httpx.Client) -> None:
    number = "990101198805040040"
    sent = summary(number, "R790", 1)
    http.post("/exchange/cda", content=sent, headers={"content-type": "application/xml"})
    entry = one(http, "DocumentReference", **{"patient.identifier": number, "type": f"{DOCUMENTS}|HSDC00.02"})
    address = entry["content"][0]["attachment"]["url"]
    binary = http.get(f"/fhir/{address}", headers={"accept": "application/fhir+json"}).json()
    assert base64.b64decode(binary["data"]) == sent
    patient = entry["subject"]["reference"].removeprefix("Patient/")
    issued = http.get("/exchange/cda/HSDC00.02", params={"patient": patient})
    assert issued.status_code == 200
    assert etree.fromstring(issued.content).tag == "{urn:hl7-org:v3}ClinicalDocument"
    whole = http.get(f"/fhir/Patient/{patient}/$everything").json()
    assert {"Composition", "Condition", "DocumentReference", "Encounter"} <= {one["resource"]["resourceType"] for one in whole["entry"]}


def test_an_appointment_is_booked_found_and_cancelled(http: httpx.Client) -> None:
    patient = http.post("/fhir/Patient", json=person("990101198805040059")).json()["id"]
    body = {
        "resourceType": "Appointment", "status": "booked", "start": "2026-12-01T08:30:00+08:00", "end": "2026-12-01T08:40:00+08:00",
        "participant": [{"actor": {"reference": f"Patient/{patient}"}, "status": "accepted"}],
    }  # fmt: skip
    made = http.post("/fhir/Appointment", json=body).json()
    assert one(http, "Appointment", patient=patient, date="2026-12-01")["id"] == made["id"]
    assert http.put(f"/fhir/Appointment/{made['id']}", json={**made, "status": "cancelled"}).status_code == 200
    assert one(http, "Appointment", patient=patient, status="cancelled")["meta"]["versionId"] == "2"


def test_a_number_is_found_booked_once_and_cancelled(http: httpx.Client) -> None:
    def ask(path: str, **values: str | int) -> httpx.Response:
        kinds = {str: "valueString", int: "valueInteger"}
        told = [{"name": name, kinds[type(value)]: value} for name, value in values.items()]
        return http.post(path, json={"resourceType": "Parameters", "parameter": told})

    http.put("/fhir/Organization/h790", json={"resourceType": "Organization", "id": "h790", "name": "云溪县医院"})
    schedule = ask("/fhir/Schedule/$arrange", institution="h790", kind="outpatient", department="03.10", title="老年病门诊").json()["id"]
    # As many weekdays as there are: one of them is tomorrow, which is open on site.
    for weekday in range(1, 8):
        assert ask(f"/fhir/Schedule/{schedule}/$template", weekday=weekday, begins="08:00", minutes=10, numbers=1).status_code == 201
    offers = [{part["name"]: part for part in one["part"]} for one in ask(f"/fhir/Schedule/{schedule}/$offers").json()["parameter"] if "part" in one]
    sitting = next(one["id"]["valueId"] for one in offers if one["opens"]["valueInstant"] <= clock.instant(clock.now()) and one["free"]["valueInteger"])
    found = ask("/fhir/Appointment/$find", department="03.10").json()
    assert found["entry"][0]["resource"]["description"] == "老年病门诊"
    first, second = [http.post("/fhir/Patient", json=person(number)).json()["id"] for number in ("990101198805040075", "990101198805040083")]
    booked = ask("/fhir/Appointment/$book", sitting=sitting, patient=first, key="1")
    assert (booked.status_code, booked.json()["status"]) == (201, "booked")
    assert ask("/fhir/Appointment/$book", sitting=sitting, patient=first, key="1").json()["id"] == booked.json()["id"]
    assert ask("/fhir/Appointment/$book", sitting=sitting, patient=second).status_code == 409
    assert http.get(f"/fhir/Slot/{sitting}.1").json()["status"] == "busy"
    assert ask(f"/fhir/Appointment/{booked.json()['id']}/$cancel").json()["status"] == "cancelled"
    assert http.get(f"/fhir/Slot/{sitting}.1").json()["status"] == "free"


def test_a_referral_goes_both_ways_as_a_document(http: httpx.Client) -> None:
    number = "990101198805040067"
    request = {"resourceType": "ServiceRequest", "id": "r", "status": "active", "reasonCode": [{"text": "需进一步检查"}], "performer": [{"display": "市医院"}]}
    diagnosis = {"resourceType": "Condition", "id": "c", "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "I10.x00", "display": "高血压"}]}}
    visit = {"resourceType": "Encounter", "id": "v", "class": {"code": "AMB"}, "period": {"start": "2026-10-30T09:30:00+08:00"}}
    record = Record(person(number), [request, diagnosis], visit, Named("D1", "王志远"), Named("H790", "云溪县医院"))
    sent = build(documents()["HSDC00.05"], record, Edition("T790.1", "T790", 1, "2026-11-01T12:00:00+08:00")).xml
    assert http.post("/exchange/cda", content=sent, headers={"content-type": "application/xml"}).status_code == 201
    referral = one(http, "ServiceRequest", **{"patient.identifier": number})
    assert (referral["reasonCode"][0]["text"], referral["performer"][0]["display"]) == ("需进一步检查", "市医院")
    patient = referral["subject"]["reference"].removeprefix("Patient/")
    again = http.get("/exchange/cda/HSDC00.05", params={"patient": patient}).text
    assert "需进一步检查" in again
    assert "市医院" in again
