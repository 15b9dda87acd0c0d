"""Who asks too often is told when to come again, in the own language, by every process alike."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from kangyun.app.limiting import caller_address
from kangyun.app.services import Services
from kangyun.app.web import build, route_table
from kangyun.base import limits
from kangyun.base.limits import Rate
from kangyun.base.web import forms
from kangyun.commons.access import Actor

PROXY, STRANGER = "10.0.0.9", "203.0.113.7"


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three requests of a kind, then one in a hundred seconds."""
    monkeypatch.setattr(limits, "rate", lambda kind, _group: Rate(3, 0.01, 1))


@pytest.fixture(scope="module")
async def open_services(services: Services) -> Services:
    return replace(services, settings=replace(services.settings, access_local_role="", trusted_proxies="10.0.0.0/8"))


def client(services: Services, address: str, **headers: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(build(services, {}), raise_app_exceptions=False, client=(address, 4000))
    return httpx.AsyncClient(transport=transport, base_url="http://kangyun.test", headers=headers)


async def statuses(http: httpx.AsyncClient, number: int) -> list[int]:
    """What so many wrong logins are answered."""
    await http.get("/login", headers={"accept": "text/html"})
    token = forms.token_for(str(http.cookies[forms.COOKIE]))
    return [
        (await http.post("/login/password/check", data={forms.FIELD: token, "name": f"nobody{n}", "password": "x"})).status_code
        for n in range(number)
    ]


@pytest.mark.usefixtures("tight")
async def test_logins_from_an_address_are_counted_together_and_refused_in_words(open_services: Services) -> None:
    async with client(open_services, "192.0.2.1") as one, client(open_services, "192.0.2.2") as other:
        assert 429 not in await statuses(one, 3)
        assert await statuses(one, 1) == [429]
        assert 429 not in await statuses(other, 3)
        for language, words in (("zh-CN", "操作太频繁"), ("en", "Too many requests")):
            token = forms.token_for(str(one.cookies[forms.COOKIE]))
            headers = {"accept": "text/html", "accept-language": language}
            answer = await one.post("/login/password/check", data={forms.FIELD: token}, headers=headers)
            assert answer.status_code == 429
            assert 0 < int(answer.headers["retry-after"]) <= 100
            assert words in answer.text


@pytest.mark.usefixtures("tight")
async def test_who_invents_forwarded_addresses_is_counted_as_one(open_services: Services) -> None:
    async with client(open_services, PROXY, **{"x-forwarded-for": f"1.1.1.1, {STRANGER}"}) as one:
        await statuses(one, 3)
    async with client(open_services, PROXY, **{"x-forwarded-for": f"2.2.2.2, {STRANGER}"}) as one:
        assert await statuses(one, 1) == [429]


@pytest.mark.usefixtures("tight")
async def test_searches_of_a_client_are_counted_wherever_they_come_from(open_services: Services) -> None:
    secret = await open_services.entries.issue(Actor("client/c1", "integration"), kind="token", lasts=600, client="c1")
    headers = {"authorization": f"Bearer {secret}", "accept-language": "en"}
    for address in ("192.0.2.11", "192.0.2.12", "192.0.2.13"):
        async with client(open_services, address, **headers) as http:
            assert (await http.get("/fhir/Patient?_count=1")).status_code == 200
    async with client(open_services, "192.0.2.14", **headers) as http:
        answer = await http.get("/fhir/Patient?_count=1")
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (429, "throttled")
        assert int(answer.headers["retry-after"]) > 0
        assert (await http.get("/fhir/Patient/nobody")).status_code == 404, "a read is not a search"


def test_what_is_limited_is_known_to_the_rule() -> None:
    kinds = {row["kind"] for row in limits.load("kangyun.base.limits", "rates.yaml").table}
    named = {entry.limit for entry in route_table()} - {None}
    assert named == kinds
    logins = {entry.path for entry in route_table() if entry.limit in {"login", "code"}}
    posts = {entry.path for entry in route_table() if entry.path.startswith("/login") and "POST" in (entry.methods or ())}
    # Offers and the last step check no secret.
    assert posts - logins <= {"/login/passkey/offer", "/login/enrol/offer", "/login/enter"}


@pytest.mark.parametrize(("client_address", "headers", "expected"), [
    (STRANGER, [], STRANGER),
    (STRANGER, [("x-forwarded-for", "127.0.0.1")], "unknown"),
    ("127.0.0.1", [("x-forwarded-for", STRANGER)], "unknown"),
    ("127.0.0.1", [("forwarded", "for=1.1.1.1")], "unknown"),
    (PROXY, [("x-forwarded-for", STRANGER)], STRANGER),
    (PROXY, [("x-forwarded-for", f"127.0.0.1, {STRANGER}, 10.0.0.1")], STRANGER),
    (PROXY, [("x-forwarded-for", "127.0.0.1"), ("x-forwarded-for", STRANGER)], STRANGER),
    (PROXY, [("x-forwarded-for", "nonsense")], "unknown"),
    (PROXY, [("x-forwarded-for", "")], "unknown"),
    (PROXY, [("x-forwarded-for", "10.1.1.1")], "unknown"),
])
def test_an_address_is_believed_from_a_named_proxy_only(
    client_address: str, headers: list[tuple[str, str]], expected: str,
) -> None:
    scope = {"client": (client_address, 1), "headers": [(name.encode(), value.encode()) for name, value in headers]}
    assert caller_address(scope, "10.0.0.0/8") == expected
