"""The trail as AuditEvents: valid FHIR, found by the standard's parameters, for auditors only, written by nobody."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.fhir import bundle, entry, found, link, patient, refused

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.base.fhir.validation import validate
from kangyun.commons.access.decisions.audit_events import audit_event, span
from kangyun.commons.access.model import Actor, Event
from kangyun.commons.access.queries.trail import Place, patient_key

NOW = datetime(2026, 11, 22, 8, 0, 0, 123000, tzinfo=UTC)


@asynccontextmanager
async def caller(services: Services, role: str) -> AsyncGenerator[httpx.AsyncClient]:
    """A client on this machine that has a role."""
    changed = replace(services, settings=replace(services.settings, access_local_role=role))
    transport = httpx.ASGITransport(build(changed, {}), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kangyun.test") as client:
        yield client


def event(minutes: int, **more: Any) -> Event:
    given: dict[str, Any] = {
        "name": "user/a1", "role": "hospital_doctor", "action": "read", "institution": "org-1", "account": "a1", "session": "s1",
        "permission": "records.read", "types": ["Observation"], "resources": ["Observation/o1"], "residents": [patient_key("p1")],
        "purpose": "care", "address": "10.0.0.9"} | more
    return Event(NOW + timedelta(minutes=minutes), **given)


EVENTS = [
    event(0),
    event(1, name="user/b2", account="b2", institution="org-2", action="search", query="name=张三", types=["Patient"], resources=["Patient/p1"]),
    event(2, action="create update", outcome="refused", residents=[], resources=[]),
    event(3, name="user/c3", account="c3", role="resident", institution=None, action="login", purpose="login", outcome="failed", types=[],
          resources=["client/x"], residents=[], more="code"),
    event(4, action="read", purpose="emergency", residents=[patient_key("p1"), patient_key("p2")]),
    event(60 * 24, action="delete"),
]


@pytest.fixture(scope="module")
async def auditor(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    async with caller(services, "operator") as operator:
        for id_ in ("p1", "p2"):
            assert (await operator.put(f"/fhir/Patient/{id_}", json=patient(id=id_))).status_code == 201
    for one in EVENTS:
        services.trail.note(one)
    await services.trail.settled()
    async with caller(services, "audit_admin") as client:
        yield client


async def actions(client: httpx.AsyncClient, query: str) -> list[str]:
    """The letters of the events of EVENTS that a search finds, newest first."""
    answer = found(await client.get(f"/fhir/AuditEvent?date=ge2026-11-22&_count=100&{query}"))
    assert validate(answer) == [] or not [issue for issue in validate(answer) if issue.severity in {"error", "fatal"}]
    moments = {one.at.isoformat(timespec="milliseconds").replace("+00:00", "Z") for one in EVENTS}
    return [one["resource"]["action"] for one in answer.get("entry", []) if one["resource"]["recorded"] in moments]


@pytest.mark.parametrize("one", EVENTS)
def test_every_event_is_a_valid_audit_event(one: Event) -> None:
    resource = audit_event("1-1", one, ["p1"] if one.residents else [])
    assert [issue for issue in validate(resource) if issue.severity in {"error", "fatal"}] == []


async def test_events_are_found_by_the_parameters_of_the_standard(auditor: httpx.AsyncClient) -> None:
    assert await actions(auditor, "patient=Patient/p1") == ["D", "R", "E", "R"]
    assert await actions(auditor, "patient=p2") == ["R"]
    assert await actions(auditor, "entity=Patient/p2") == ["R"]
    assert await actions(auditor, "entity=Observation/o1") == ["D", "R", "R"]
    assert await actions(auditor, "agent-name=user/b2") == ["E"]
    assert await actions(auditor, "altid=c3") == ["E"]
    assert await actions(auditor, "agent=Organization/org-2") == ["E"]
    assert await actions(auditor, "action=D,U") == ["D", "U"]
    assert await actions(auditor, "action=E") == ["E", "E"]
    assert await actions(auditor, "outcome=4,8") == ["E", "U"]
    assert await actions(auditor, "date=le2026-11-22T16:01:30%2B08:00") == ["E", "R"]
    assert await actions(auditor, "date=2026-11-23") == ["D"]
    assert await actions(auditor, "agent-role=resident") == ["E"]
    assert await actions(auditor, "patient=p3") == []


async def test_pages_follow_one_another_without_gap_or_repetition(auditor: httpx.AsyncClient) -> None:
    address: str | None = "/fhir/AuditEvent?date=ge2026-11-22&date=lt2026-11-25&altid=a1&_count=2"
    seen: list[str] = []
    while address:
        answer = found(await auditor.get(address))
        seen += [one["resource"]["id"] for one in answer.get("entry", [])]
        following = link(answer, "next")
        address = following and f"{urlsplit(following).path}?{urlsplit(following).query}"
    assert len(seen) == len(set(seen)) == 4


async def test_an_event_is_read_by_its_id_with_its_query_opened(auditor: httpx.AsyncClient) -> None:
    answer = found(await auditor.get("/fhir/AuditEvent?agent-name=user/b2"))
    resource = found(await auditor.get(f"/fhir/AuditEvent/{answer['entry'][0]['resource']['id']}"))
    assert resource["agent"][0]["network"]["address"] == "10.0.0.9"
    assert any("query" in entity for entity in resource["entity"])
    for id_ in ("1-999999", "x", "1-", "999999999999-1", "01-1", "1-1-1"):
        refused(await auditor.get(f"/fhir/AuditEvent/{id_}"), 404, "not-found")


async def test_who_looks_into_the_trail_is_in_it(auditor: httpx.AsyncClient) -> None:
    await auditor.get("/fhir/AuditEvent?patient=p2&agent-name=user/nobody")
    answer = found(await auditor.get("/fhir/AuditEvent?agent-name=local&agent-role=audit_admin&_count=1"))
    assert answer["entry"][0]["resource"]["entity"][-1]["query"]


async def test_nobody_writes_and_only_auditors_read(auditor: httpx.AsyncClient, services: Services) -> None:
    body = audit_event("1-1", EVENTS[0], [])
    for role in ("operator", "audit_admin", "integration"):
        async with caller(services, role) as client:
            status = (await client.post("/fhir/AuditEvent", json=body)).status_code
            assert status in {403, 405}
            for method in ("PUT", "DELETE"):
                assert (await client.request(method, "/fhir/AuditEvent/1-1", json=body)).status_code in {403, 405}
            assert (await client.put("/fhir/AuditEvent?_id=1-1", json=body)).status_code in {403, 405}
            inside = bundle("transaction", entry("POST", "AuditEvent", {name: value for name, value in body.items() if name != "id"}))
            refused(await client.post("/fhir", json=inside), 403, "forbidden")
    for role in ("integration", "hospital_doctor", "resident", "system_admin", "security_admin", "public_health"):
        async with caller(services, role) as client:
            refused(await client.get("/fhir/AuditEvent"), 403, "forbidden")
            refused(await client.get("/fhir/AuditEvent/1-1"), 403, "forbidden")
            refused(await client.post("/fhir/AuditEvent/_search"), 403, "forbidden")


async def test_an_app_of_an_auditor_reads_the_trail_and_of_nobody_else(services: Services) -> None:
    for role, scope, status in (
        ("audit_admin", "user/AuditEvent.rs", 200), ("audit_admin", "user/Patient.rs", 403), ("audit_admin", "patient/*.rs", 403),
        ("hospital_doctor", "user/AuditEvent.rs", 403), ("system_admin", "user/*.cruds", 403),
    ):
        token = await services.entries.issue(Actor(f"user/{role}", role, account=role, scopes=scope), kind="token", lasts=600)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(build(services, {})), base_url="http://kangyun.test") as client:
            assert (await client.get("/fhir/AuditEvent?_count=1", headers={"authorization": f"Bearer {token}"})).status_code == status, (role, scope)


@pytest.mark.parametrize("query", [
    "date=x", "date=ge2026-13-01", "_count=x", "nonsense=1", "_cursor=1", "_sort=date", "date=99999-01", "_cursor=1-99999999999-1"])
async def test_what_cannot_be_read_is_refused(auditor: httpx.AsyncClient, query: str) -> None:
    refused(await auditor.get(f"/fhir/AuditEvent?{query}"), 400)


def test_dates_reach_as_far_as_they_are_written() -> None:
    zone = timezone(timedelta(hours=8))
    assert span("2026-11", zone) == (datetime(2026, 11, 1, tzinfo=zone), datetime(2026, 12, 1, tzinfo=zone))
    assert span("ge2026-11-22", zone) == (datetime(2026, 11, 22, tzinfo=zone), None)
    assert span("lt2026", zone) == (None, datetime(2026, 1, 1, tzinfo=zone))
    assert span("gt2026-12", zone) == (datetime(2027, 1, 1, tzinfo=zone), None)


def test_a_place_is_written_and_read_again() -> None:
    place = Place(NOW, 3, 12)
    assert Place.of(str(place)) == place
    assert Place.of("1-2") is None
