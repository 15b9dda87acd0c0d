"""What a resident reads of the visits to the record, a question about one, and what an auditor sees, finds, answers and exports."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from tests.fhir import patient
from tests.staffing import account

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.base import clock
from kangyun.base.fhir.validation import validate
from kangyun.commons.access import Post, Write
from kangyun.commons.access.actions import clients
from kangyun.commons.access.actions.anomalies import find
from kangyun.commons.access.decisions.clients import Registration
from kangyun.commons.access.decisions.visitors import Glass, visits
from kangyun.commons.access.model import SESSION_COOKIE, Actor, Event
from kangyun.commons.access.queries.trail import patient_key

MORNING = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
DAY = MORNING.date()


def look(minutes: float = 0, **more: Any) -> Event:
    """A doctor looks at a resident's results."""
    given: dict[str, Any] = {
        "name": "user/d1", "role": "hospital_doctor", "action": "read", "institution": "h1", "account": "d1", "types": ["Observation"],
        "resources": ["Observation/o1"], "residents": [patient_key("p1")], "purpose": "care", "address": "10.0.0.9"} | more
    return Event(MORNING + timedelta(minutes=minutes), **given)


@pytest.fixture(scope="module")
async def platform(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build(services, {}), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kangyun.test", headers={"accept": "text/html"}) as client:
        for id_ in ("p1", "p2"):
            assert (await client.put(f"/fhir/Patient/{id_}", json=patient(id=id_))).status_code == 201
        person = {"resourceType": "Person", "id": "n1", "link": [{"target": {"reference": "Patient/p1"}}]}
        assert (await client.put("/fhir/Person/n1", json=person)).status_code == 201
        hospital = {"resourceType": "Organization", "id": "h1", "name": "云州市第一人民医院"}
        assert (await client.put("/fhir/Organization/h1", json=hospital)).status_code == 201
        for event in (look(0), look(5, types=["Condition"]), look(6, name="user/x9", account="x9", residents=[patient_key("p2")]),
                      look(7, name="client/app1", role="site", account=None, action="search"),
                      look(8, action="emergency", purpose="emergency", role="nurse", name="user/n7", account="n7"),
                      look(9, name="job", role="system", account=None),
                      look(10, name="user/r5", role="resident", account="r5", institution=None, action="guardianship", purpose="login")):
            services.trail.note(event)
        await services.trail.settled()
        yield client


async def cookie(services: Services, role: str, **more: Any) -> dict[str, str]:
    """A session of somebody in a role."""
    account = f"{role}-1"
    actor = Actor(f"user/{account}", role, account=account, **more)
    return {"cookie": f"{SESSION_COOKIE}={await services.entries.issue(actor, kind='session', lasts=3600)}", "accept-language": "en"}


def token(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found
    return found[1]


def posted(response: httpx.Response, headers: dict[str, str], **form: str) -> dict[str, Any]:
    """The same browser posts a form of the page."""
    own = "; ".join(f"{name}={value}" for name, value in response.cookies.items())
    return {"headers": headers | {"cookie": "; ".join(filter(None, (headers["cookie"], own)))}, "data": {"csrf": token(response.text)} | form}


async def test_a_resident_sees_who_looked_and_asks_about_it(platform: httpx.AsyncClient, services: Services) -> None:
    resident = await cookie(services, "resident", person="n1", purpose="self")
    page = await platform.get("/resident/visitors", headers=resident)
    assert page.status_code == 200, page.text
    text = page.text
    assert "云州市第一人民医院" in text
    assert "results and images, diagnoses" in text.replace("diagnoses and allergies, results and images", "results and images, diagnoses")
    assert "2 times" in text
    assert "Emergency" in text
    assert "user/x9" not in text
    assert "Another resident" in text, "who asks to act for one is no part of the platform"
    assert "The whole platform · resident" not in text
    assert "For: logging in" not in text
    assert "job" not in re.findall(r'row-title">([^<]*)', text)

    [visit] = re.findall(r'id="visit-([0-9-]+)">\s*<div class="row-main">\s*<p class="row-title">云州市第一人民医院 · nurse', text, re.IGNORECASE)
    asking = posted(page, resident, visit=visit, words="我那天没有去医院")
    assert (await platform.post("/resident/visitors/ask", **asking)).status_code == 303
    assert (await platform.post("/resident/visitors/ask", **posted(page, resident, visit=visit, words=" "))).status_code == 422
    assert "我那天没有去医院" in (await platform.get("/resident/visitors", headers=resident)).text

    auditor = await cookie(services, "audit_admin", purpose="audit")
    listed = await platform.get("/audit/anomalies", headers=auditor)
    assert "我那天没有去医院" in listed.text
    [anomaly] = re.findall(r'name="anomaly" value="([0-9a-f]+)"', listed.text)
    wrong = await platform.post("/audit/anomalies/review", **posted(listed, auditor, anomaly=anomaly, state="explained", remark=""))
    assert wrong.status_code == 422
    done = posted(listed, auditor, anomaly=anomaly, state="explained", remark="护士为您核对了化验结果")
    assert (await platform.post("/audit/anomalies/review", **done)).status_code == 303
    assert (await platform.post("/audit/anomalies/review", **done)).status_code == 409
    assert "护士为您核对了化验结果" in (await platform.get("/resident/visitors", headers=resident)).text


async def test_nobody_asks_about_visits_to_others(platform: httpx.AsyncClient, services: Services) -> None:
    resident = await cookie(services, "resident", person="n1", purpose="self")
    page = await platform.get("/resident/visitors", headers=resident)
    async with services.database.connection() as connection:
        row = await connection.fetchrow("SELECT lane, seq FROM audit_event WHERE name = 'user/x9'")
    assert row
    for visit in (f"{row['lane']}-{row['seq']}", "1-99999999", "x"):
        answer = await platform.post("/resident/visitors/ask", **posted(page, resident, visit=visit, words="?"))
        assert answer.status_code == 404


async def test_an_account_without_a_person_is_told_how_to_bind_it(platform: httpx.AsyncClient, services: Services) -> None:
    page = await platform.get("/resident/visitors", headers=await cookie(services, "resident", purpose="self"))
    assert page.status_code == 200
    assert 'href="/account"' in page.text


async def test_an_auditor_searches_looks_closer_and_exports(platform: httpx.AsyncClient, services: Services) -> None:
    auditor = await cookie(services, "audit_admin", purpose="audit")
    page = await platform.get("/audit?patient=p1&from=2026-11-22&to=2026-11-22", headers=auditor)
    assert page.status_code == 200, page.text
    assert "user/d1" in page.text
    assert "user/x9" not in page.text
    event = re.findall(r'href="(/audit/events/[0-9-]+)"', page.text)[-1]
    shown = await platform.get(event, headers=auditor)
    assert "10.0.0.9" in shown.text
    assert (await platform.get("/audit/events/9-9", headers=auditor)).status_code == 404

    lines = (await platform.get("/audit/export?patient=p1&to=2026-11-22&name=d1&format=ndjson", headers=auditor)).text.splitlines()
    assert len(lines) == 2
    assert all(not [one for one in validate(json.loads(line)) if one.severity in {"error", "fatal"}] for line in lines)
    table = await platform.get("/audit/export?patient=p1&to=2026-11-22&name=d1&format=csv", headers=auditor)
    rows = list(csv.DictReader(io.StringIO(table.content.decode("utf-8-sig"))))
    assert [row["address"] for row in rows] == ["10.0.0.9", "10.0.0.9"]
    async with services.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM audit_event WHERE action = 'export'") == 2


async def test_an_id_number_never_stands_in_an_address(platform: httpx.AsyncClient, services: Services) -> None:
    number = "990102199003077715"
    resource = patient(id="p3", identifier=[{"system": "urn:oid:2.16.156.10011.1.3", "value": number}])
    assert (await platform.put("/fhir/Patient/p3", json=resource)).status_code == 201
    auditor = await cookie(services, "audit_admin", purpose="audit")
    page = await platform.get("/audit", headers=auditor)
    answer = await platform.post("/audit", **posted(page, auditor, patient=number))
    assert answer.headers["location"] == "/audit?patient=p3"


async def test_only_auditors_and_only_residents(platform: httpx.AsyncClient, services: Services) -> None:
    for role in ("hospital_doctor", "resident", "system_admin", "security_admin"):
        for path in ("/audit", "/audit/events/1-1", "/audit/export", "/audit/anomalies"):
            assert (await platform.get(path, headers=await cookie(services, role))).status_code == 403, (role, path)
    for role in ("hospital_doctor", "audit_admin"):
        assert (await platform.get("/resident/visitors", headers=await cookie(services, role))).status_code == 403


async def test_a_cell_is_never_a_formula(platform: httpx.AsyncClient, services: Services) -> None:
    services.trail.note(look(30, name="user/formula", more="=HYPERLINK(1)"))
    await services.trail.settled()
    table = await platform.get("/audit/export?name=formula&format=csv", headers=await cookie(services, "audit_admin"))
    assert "'=HYPERLINK(1)" in table.text


async def test_what_stands_out_in_a_day_is_found_once(platform: httpx.AsyncClient, services: Services) -> None:
    number = "990102198001011234"
    identifier = [{"system": "urn:oid:2.16.156.10011.1.3", "value": number}]
    own = patient(id="own", identifier=identifier, telecom=[{"system": "phone", "value": "13800001111"}])
    child = patient(id="child", telecom=[{"system": "phone", "value": "13800001111"}])
    star = patient(id="star", meta={"security": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "CEL"}]})
    for resource in (own, child, star, {"resourceType": "Practitioner", "id": "pr1", "identifier": identifier}):
        assert (await platform.put(f"/fhir/{resource['resourceType']}/{resource['id']}", json=resource)).status_code == 201
    async with services.database.connection() as connection:
        await connection.execute(
            "INSERT INTO account (id, kind, login, practitioner, state, made) VALUES ('d8', 'staff', 'd8', 'pr1', 'active', now());"
            "INSERT INTO membership (id, account, institution, role, starts) VALUES ('m8', 'd8', 'h8', 'nurse', now())")
    more: dict[str, Any] = {"institution": "h8"}
    services.trail.note(look(0, name="user/bulk", account="bulk", residents=list(range(1, 251)), **more))
    services.trail.note(look(-10 * 60, name="user/owl", account="owl", residents=list(range(1, 25)), purpose="operations", **more))
    for _ in range(20):
        services.trail.note(look(1, name="user/no", account="no", residents=[], outcome="refused", **more))
    services.trail.note(look(2, name="user/d8", account="d8", residents=[patient_key("own")], **more))
    services.trail.note(look(2, name="user/d8", account="d8", residents=[patient_key("child")], **more))
    services.trail.note(look(2, name="user/d9", account="d9", residents=[patient_key("own")], **more))
    services.trail.note(look(2, name="user/d9", account="d9", residents=[patient_key("star")], **more))
    await services.trail.settled()
    for day in (DAY, DAY - timedelta(days=1)):
        await find(services, day)
        assert await find(services, day) == 0
    async with services.database.connection() as connection:
        found = [(row["rule"], row["name"]) for row in await connection.fetch(
            "SELECT rule, name FROM audit_anomaly WHERE institution = 'h8' AND rule <> 'unrelated' ORDER BY 1, 2")]
        unrelated = await connection.fetchval("SELECT count(*) FROM audit_anomaly WHERE rule = 'unrelated' AND name = 'user/d9'")
    assert found == [
        ("bulk", "user/bulk"), ("celebrity", "user/d9"), ("colleague", "user/d9"), ("family", "user/d8"), ("family", "user/d8"),
        ("night", "user/owl"), ("refusals", "user/no")]
    assert unrelated == 2


def test_visits_of_a_day_are_told_once_and_a_broken_glass_is_marked() -> None:
    glass = Glass("d1", MORNING, MORNING + timedelta(hours=24))
    seen = [("3", look(60 * 30)), ("2", look(10)), ("1", look(0, action="search"))]
    [(late, one), (early, [two])] = visits(seen, "me", [glass])
    assert (late, early) == (DAY + timedelta(days=1), DAY)
    assert (two.times, two.id, two.emergency, two.actions) == (2, "2", True, ["read", "search"])
    assert not one[0].emergency
    [(_, [own])] = visits([("1", look(account="me", role="resident", name="user/me"))], "me", [])
    assert own.who == "oneself"


async def test_an_auditor_reads_who_it_is_beside_the_id(platform: httpx.AsyncClient, services: Services) -> None:
    handle = services.gate.system("tests")
    await handle.commit([Write("update", "Practitioner", {"resourceType": "Practitioner", "id": "zhao", "name": [{"text": "赵明"}]}, "zhao")])
    await handle.commit([Write("update", "Organization", {"resourceType": "Organization", "id": "named", "name": "有名医院"}, "named")])
    id_ = await account(services, "zhao.ming", Post("clerk", "named", "zhao"))
    program = await clients.add(services, Actor("local", "operator"), Registration("化验接口", "Laboratory link", "system/*.rs"))
    for name in (f"user/{id_}", f"client/{program.id}"):
        services.trail.note(Event(clock.now(), name, "clerk", "read", "named", purpose="care"))
    await services.trail.settled()
    auditor = await cookie(services, "audit_admin", purpose="audit")
    page = (await platform.get(f"/audit?name=user/{id_}", headers=auditor)).text
    assert "赵明 · zhao.ming" in page
    assert "有名医院" in page
    [event] = set(re.findall(r'href="(/audit/events/[0-9-]+)"', page))
    assert "赵明 · zhao.ming" in (await platform.get(event, headers=auditor)).text
    assert re.search("化验接口|Laboratory link", (await platform.get(f"/audit?name=client/{program.id}", headers=auditor)).text)
