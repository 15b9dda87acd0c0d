"""Notices: told on the resident's own page and by a text message, together with what they tell of or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.commons.access import SESSION_COOKIE, Actor, Transaction, Write, tell
from kangyun.commons.access.actions import notices

WORLD: list[dict[str, Any]] = [
    {"resourceType": "Patient", "id": "told", "name": [{"text": "林秀英"}], "telecom": [{"system": "phone", "value": "13800001234"}]},
    {"resourceType": "Person", "id": "told-person", "link": [{"target": {"reference": "Patient/told"}}]},
    {"resourceType": "Patient", "id": "other"},
    {"resourceType": "Person", "id": "other-person", "link": [{"target": {"reference": "Patient/other"}}]},
]


@pytest.fixture(scope="module", autouse=True)
async def world(services: Services) -> None:
    handle = services.gate.system("test")
    await handle.commit([Write("update", one["resourceType"], one, one["id"]) for one in WORLD])

    async def beside(session: Transaction) -> Sequence[Write]:
        return [await tell(session.connection, "told", "access.sms.emergency", page="/resident/visitors", when="2026-03-01 08:00")]

    await handle.commit([], beside=beside)


async def page_of(services: Services, api: httpx.AsyncClient, person: str, language: str) -> str:
    cookie = await services.entries.issue(Actor("user/n", "resident", person=person, account="n"), kind="session", lasts=600)
    cookies = {SESSION_COOKIE: cookie, "language": language}
    return (await api.get("/resident/notices", headers={"accept": "text/html", "cookie": "; ".join(f"{a}={b}" for a, b in cookies.items())})).text


async def test_the_resident_reads_it_and_goes_on_from_there(services: Services, api: httpx.AsyncClient) -> None:
    page = await page_of(services, api, "told-person", "zh")
    assert "2026-03-01 08:00" in page
    assert 'href="/resident/visitors"' in page


async def test_nobody_else_reads_it(services: Services, api: httpx.AsyncClient) -> None:
    assert "2026-03-01 08:00" not in await page_of(services, api, "other-person", "zh")


async def test_the_text_message_waits_in_the_same_transaction(services: Services) -> None:
    async with services.database.connection() as connection:
        found = [row["payload"] for row in await connection.fetch("SELECT payload FROM job WHERE name = 'access.text'")]
    assert len(found) == 1


async def test_a_page_elsewhere_is_no_place_to_go_on() -> None:
    assert notices.said({"payload": [{"contentString": "x"}, {"contentAttachment": {"url": "//elsewhere.example"}}]}, "en")["page"] == ""
