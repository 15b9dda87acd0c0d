"""Consent and break-glass through the pages, by people who are logged in: a resident, a guardian, a doctor, an auditor."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.commons.access import SESSION_COOKIE, Actor
from kangyun.commons.access.tests.test_consents import City

_WORDS = "昏迷送来，需核对用药和过敏史"


@pytest.fixture
async def city(services: Services) -> City:
    made = City(services)
    await made.make()
    return made


class Browser:
    """A browser of somebody who is logged in."""

    def __init__(self, client: httpx.AsyncClient, secret: str) -> None:
        self.client = client
        self.secret = secret

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path, headers=self._headers())

    async def post(self, path: str, **fields: str | list[str]) -> httpx.Response:
        page = await self.get("/")
        if page.status_code == 303:
            page = await self.get(page.headers["location"])
        found = re.search(r'name="csrf" content="(\w+)"', page.text)
        assert found, page.text[:500]
        return await self.client.post(path, data={**fields, "csrf": found[1]}, headers=self._headers())

    def _headers(self) -> dict[str, str]:
        jar = "; ".join(f"{name}={value}" for name, value in self.client.cookies.items() if name != SESSION_COOKIE)
        return {"accept": "text/html", "accept-language": "zh", "cookie": f"{SESSION_COOKIE}={self.secret}; {jar}"}


@pytest.fixture
async def network(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build(services, {}), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kangyun.test") as client:
        yield client


async def browser(services: Services, network: httpx.AsyncClient, actor: Actor) -> Browser:
    return Browser(network, await services.entries.issue(actor, kind="session", lasts=600))


def person(city: City, role: str, account: str) -> Actor:
    return Actor(f"user/{account}", role, person=city.ids["person"], account=account, purpose="self")


def doctor(city: City, account: str) -> Actor:
    return Actor(f"user/{account}", "hospital_doctor", institution=city.ids["near"], account=account)


async def decide(seen: Browser, **fields: str | list[str]) -> httpx.Response:
    """The last step, with what the first two have posted."""
    return await seen.post("/resident/consents/new", step="3", go="on", months="12", sure="yes", **fields)


async def test_a_resident_opens_a_class_and_takes_it_back(city: City, services: Services, network: httpx.AsyncClient) -> None:
    seen = await browser(services, network, person(city, "resident", "res"))
    assert (await seen.get("/resident/consents")).status_code == 200
    done = await decide(seen, **{"wish": "sensitive", "who": "these", "institution": city.ids["near"], "class": "mental", "purpose": "care"})
    assert done.status_code == 303, done.text[-800:]
    assert await city.sees("near") == {"cold", "low"}
    page = (await seen.get("/resident/consents")).text
    consent = re.search(r'name="consent" value="([^"]+)"', page)
    assert consent
    assert (await seen.post("/resident/consents/withdraw", consent=consent[1])).status_code == 303
    assert await city.sees("near") == {"cold"}


async def test_a_guardian_decides_for_the_ward_and_is_named(city: City, services: Services, network: httpx.AsyncClient) -> None:
    seen = await browser(services, network, person(city, "guardian", "mother"))
    done = await decide(seen, wish="close", who="everybody", kind=["visits", "laboratory"], purpose="any")
    assert done.status_code == 303, done.text[-800:]
    page = await city.operator.search("Consent", [("patient", city.ids["at-near"]), ("_sort", "-_lastUpdated"), ("_count", "1")])
    assert page.resources[0]["performer"][0]["identifier"]["value"] == "mother"
    assert await city.sees("near") == set()


async def test_a_child_is_told_to_let_a_guardian_decide(city: City, services: Services, network: httpx.AsyncClient) -> None:
    stored = await city.operator.read("Patient", city.ids["at-near"]) or {}
    await city.change({**stored, "birthDate": "2025-01-01"})
    seen = await browser(services, network, person(city, "resident", "child"))
    answer = await decide(seen, wish="close", who="everybody", kind=["visits"], purpose="any")
    assert answer.status_code == 403
    assert "监护人" in answer.text


async def test_nobody_withdraws_what_somebody_else_decided(city: City, services: Services, network: httpx.AsyncClient) -> None:
    consent = await city.consent({"type": "deny"})
    other = City(services)
    await other.make()
    seen = await browser(services, network, person(other, "resident", "other"))
    assert (await seen.post("/resident/consents/withdraw", consent=consent)).status_code == 404
    assert await city.sees("near") == set()


@pytest.mark.parametrize("parts", [
    ("technician", {"健康问题"}, {"当前用药", "预防接种"}),
    ("pharmacist", {"健康问题", "当前用药"}, set[str]()),
    ("nurse", {"健康问题", "当前用药", "预防接种"}, set[str]()),
], ids=lambda parts: parts[0])
async def test_each_role_opens_a_record_and_is_told_what_its_role_does_not_see(
    city: City, services: Services, network: httpx.AsyncClient, parts: tuple[str, set[str], set[str]],
) -> None:
    role, seen_parts, closed_parts = parts
    seen = await browser(services, network, Actor("user/x", role, institution=city.ids["near"], account="x"))
    page = await seen.get(f"/clinician/residents/{city.ids['at-near']}")
    assert page.status_code == 200, page.text[:300]
    headings = set(re.findall(r"<h2[^>]*>([^<]+)</h2>", page.text))
    assert seen_parts <= headings
    assert not closed_parts & headings, "a list that is empty because nobody looked would say that there is nothing"
    told = page.text.partition("您的岗位不查看")[2]
    assert all(part in told for part in closed_parts)
    for part in ("trends", "papers", "timeline"):
        assert (await seen.get(f"/clinician/residents/{city.ids['at-near']}?part={part}")).status_code == 200


async def test_a_doctor_meets_the_sign_breaks_the_glass_and_an_auditor_judges(
    city: City, services: Services, network: httpx.AsyncClient,
) -> None:
    record = f"/clinician/residents/{city.ids['at-near']}"
    seen = await browser(services, network, doctor(city, "er"))
    before = await seen.get(record)
    assert before.status_code == 200, before.text[:300]
    assert "部分内容未显示" in before.text
    assert "F32" not in before.text
    form = await seen.post("/access/emergency", patient=city.ids["at-near"])
    assert "您刚才查看的居民" in form.text
    done = await seen.post("/access/emergency/open", patient=city.ids["at-near"], reason="unconscious", words=_WORDS)
    assert "档案已打开" in done.text, done.text[-800:]
    assert "部分内容未显示" not in (await seen.get(record)).text

    own = await browser(services, network, person(city, "resident", "res2"))
    assert "患者昏迷或无法表达" in (await own.get("/resident/consents")).text
    auditor = await browser(services, network, Actor("user/aud", "audit_admin", account="aud"))
    page = (await auditor.get("/access/emergencies")).text
    assert _WORDS in page
    glass = re.search(r'name="emergency" value="(\w+)"', page[page.index(_WORDS):])
    assert glass
    assert (await auditor.post("/access/emergencies/judge", emergency=glass[1], verdict="abuse", remark="不在班")).status_code == 303
    assert "部分内容未显示" in (await seen.get(record)).text
    security = await browser(services, network, Actor("user/sec", "security_admin", account="sec"))
    assert "审核：滥用" in (await security.get("/access/emergencies")).text
    assert (await security.post("/access/emergencies/judge", emergency=glass[1], verdict="accepted")).status_code == 403


@pytest.mark.parametrize("role", ["pharmacist", "insurer", "clerk", "researcher", "supervisor", "system_admin"])
async def test_others_have_no_break_glass(city: City, services: Services, network: httpx.AsyncClient, role: str) -> None:
    seen = await browser(services, network, Actor(f"user/{role}", role, institution=city.ids["near"], account=role))
    assert (await seen.get("/access/emergency")).status_code == 403
    assert (await seen.get("/access/emergencies")).status_code == 403
