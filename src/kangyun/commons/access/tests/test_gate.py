"""Nobody passes the gate unknown: callers from the network, callers behind a proxy, roles that may only read."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from tests.fhir import found, patient, refused

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.base.errors import Problem
from kangyun.commons.access import Actor, Write
from kangyun.commons.access.decisions import actor_at, may_enter, may_touch

OUTSIDE = ("203.0.113.9", 4000)


@asynccontextmanager
async def caller(
    services: Services, address: tuple[str, int], **settings: str,
) -> AsyncGenerator[httpx.AsyncClient]:
    """A client at an address, of a platform with some settings."""
    changed = replace(services, settings=replace(services.settings, **settings))
    transport = httpx.ASGITransport(build(changed, {}), client=address, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kangyun.test") as client:
        yield client


async def test_a_caller_from_the_network_is_refused_everything_but_what_is_public(services: Services) -> None:
    async with caller(services, OUTSIDE) as client:
        for method, address in (
            ("GET", "Patient"), ("GET", "Patient/1"), ("POST", "Patient"), ("PUT", "Patient/1"), ("DELETE", "Patient/1"),
            ("POST", ""), ("GET", "_history"), ("GET", "Patient/1/$everything"), ("POST", "Patient/$validate"),
            ("POST", "Patient/_search"), ("GET", "Nonsense/1"),
        ):
            refused(await client.request(method, f"/fhir/{address}".rstrip("/")), 401, "login")
        assert found(await client.get("/fhir/metadata"))["resourceType"] == "CapabilityStatement"
        assert (await client.get("/health/live")).status_code == 200
        for address in ("/metrics", "/clinician/"):
            assert (await client.get(address)).status_code == 401


async def test_people_are_led_to_the_login_and_back(services: Services) -> None:
    async with caller(services, OUTSIDE) as client:
        response = await client.get("/clinician/?a=1", headers={"accept": "text/html", "accept-language": "en"})
        assert (response.status_code, response.headers["location"]) == (303, "/login?next=%2Fclinician%2F%3Fa%3D1")


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded"])
async def test_what_a_proxy_passes_on_is_no_caller_of_this_machine(services: Services, header: str) -> None:
    async with caller(services, ("127.0.0.1", 4000)) as client:
        assert (await client.get("/fhir/Patient")).status_code == 200
        for value in ("127.0.0.1", "for=127.0.0.1", "203.0.113.9", "x"):
            refused(await client.get("/fhir/Patient", headers={header: value}), 401)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
async def test_this_machine_is_its_operator(services: Services, address: str) -> None:
    async with caller(services, (address, 4000)) as client:
        assert (await client.get("/fhir/Patient")).status_code == 200
    async with caller(services, (address, 4000), access_local_role="") as client:
        refused(await client.get("/fhir/Patient"), 401)


async def test_the_network_may_be_given_a_role(services: Services) -> None:
    async with caller(services, OUTSIDE, access_network_role="public_health") as client:
        assert (await client.get("/fhir/Patient")).status_code == 200
        refused(await client.post("/fhir/Patient", json=patient()), 403, "forbidden")
        refused(await client.post("/fhir", json={"resourceType": "Bundle", "type": "transaction"}), 403)
    async with caller(services, OUTSIDE, access_network_role="integration") as client:
        assert (await client.post("/fhir/Patient", json=patient())).status_code == 201
    async with caller(services, OUTSIDE, access_network_role="no-such-role") as client:
        assert (await client.get("/fhir/Patient")).status_code in {401, 403}


async def test_a_handle_judges_every_call(services: Services) -> None:
    reader = services.gate.open(Actor("network", "public_health"), "care")
    nobody = services.gate.open(Actor("network", "anonymous"), "care")
    write = Write("create", "Patient", patient())
    assert await reader.read("Patient", "nobody") is None
    assert (await reader.search("Patient", "_count=1")).resources is not None
    for attempt in (
        lambda: reader.commit([write]), lambda: reader.commit([write], key="k"), lambda: nobody.read("Patient", "1"),
        lambda: nobody.search("Patient"), lambda: nobody.history("Patient", "1"), lambda: nobody.everything("1"),
        lambda: reader.commit([Write("delete", "Patient", id="1")]),
    ):
        with pytest.raises(Problem) as refusal:
            await attempt()
        assert refusal.value.status == 403
    async with nobody.transaction() as session:
        with pytest.raises(Problem):
            await session.write([write])


async def test_a_key_makes_a_commit_happen_once(services: Services) -> None:
    system = services.gate.system("test")
    [first] = await system.commit([Write("create", "Patient", patient())], key="once")
    [again] = await system.commit([Write("create", "Patient", patient(gender="male"))], key="once")
    assert (first.id, first.version, first.status) == (again.id, again.version, again.status)
    stored = await system.read("Patient", first.id)
    assert stored
    assert stored["gender"] == "female"


def test_an_address_that_is_none_is_the_network() -> None:
    for address in ("", "unknown", "localhost", "127.0.0.1.evil", "::ffff:203.0.113.9", "0.0.0.0"):
        assert actor_at(address, "operator", "").role == "anonymous"
    assert not may_enter("", "records.read")
    assert not may_touch("", "read", "Patient")
