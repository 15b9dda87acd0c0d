"""People at the door, for this room's tests: browsers without a session, phones, and staff with authenticator apps."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pyotp.totp import TOTP

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.base import clock
from kangyun.commons.access import Actor, Write
from kangyun.commons.access.actions import accounts
from kangyun.commons.access.actions.accounts import Post
from kangyun.commons.access.gateways.sms import Sms
from kangyun.commons.access.gateways.sms_simulator import Simulator
from kangyun.commons.access.queries.accounts import Account

OPERATOR = Actor("local", "operator")
PASSWORD = "Yun-zhou2026"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ID_NUMBERS = "urn:oid:2.16.156.10011.1.3"
_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')


@dataclass
class Browser:
    """A browser in which nobody is logged in."""

    client: httpx.AsyncClient

    async def get(self, path: str) -> httpx.Response:
        """Open a page."""
        return await self.client.get(path)

    async def post(self, page: str, path: str, **fields: str) -> httpx.Response:
        """Open a page and send one of its forms."""
        shown = await self.client.get(page)
        token = _CSRF.search(shown.text)
        assert token, shown.text[:2000]
        return await self.client.post(path, data={"csrf": token[1], **fields})

    @property
    def session(self) -> str | None:
        """The secret of the session."""
        return self.client.cookies.get("kangyun_session")


@asynccontextmanager
async def browser(services: Services, **headers: str) -> AsyncGenerator[Browser]:
    """A browser on this machine, which is nobody until it logs in; redirects are not followed."""
    closed = replace(services, settings=replace(services.settings, access_local_role=""))
    transport = httpx.ASGITransport(build(closed, {}), raise_app_exceptions=False)
    told = {"accept": "text/html", "accept-language": "en", "user-agent": "Mozilla/5.0 (Windows NT 10.0) Chrome/130", **headers}
    async with httpx.AsyncClient(transport=transport, base_url="http://kangyun.test", headers=told) as client:
        yield Browser(client)


def with_phones(services: Services, url: str, simulator: Simulator) -> Services:
    """The platform with a way to simulated phones."""
    return replace(services, sms=Sms(url, simulator.key))


async def staff(services: Services, login: str, *posts: Post, totp: str | None = SECRET) -> Account:
    """Somebody who works here and can log in."""
    account = await accounts.establish(services, OPERATOR, login, posts[0], password=PASSWORD, totp=totp)
    for post in posts[1:]:
        await accounts.grant(services, OPERATOR, account, post)
    return account


def app_code(secret: str = SECRET, later: int = 0) -> str:
    """What the authenticator app shows now, or so many steps later."""
    return TOTP(secret).at(int(clock.seconds()) + 30 * later)


async def log_in(at: Browser, login: str, code: str | None = None) -> httpx.Response:
    """Password and second factor of somebody made by `staff`."""
    await at.post("/login", "/login/password/check", name=login, password=PASSWORD)
    return await at.post("/login/second", "/login/second", code=code or app_code())


async def resident(services: Services, name: str, number: str, born: str) -> tuple[str, str]:
    """Somebody in the record: the ids of Person and Patient."""
    handle = services.gate.system("tests")
    patient: dict[str, Any] = {
        "resourceType": "Patient", "name": [{"use": "official", "text": name}], "birthDate": born, "gender": "female",
        "identifier": [{"system": ID_NUMBERS, "value": number}],
    }
    [made] = await handle.commit([Write("create", "Patient", patient)])
    person = {
        "resourceType": "Person", "active": True, "name": patient["name"], "birthDate": born,
        "link": [{"target": {"reference": f"Patient/{made.id}"}}],
    }
    [above] = await handle.commit([Write("create", "Person", person)])
    return above.id, made.id


async def enter(at: Browser, simulator: Simulator, phone: str) -> None:
    """Log in by phone."""
    sent = await at.post("/login", "/login/code", phone=phone)
    assert sent.status_code == 303, sent.text
    assert (await at.post("/login/code", "/login/code/check", code=simulator.code(phone))).status_code == 303


async def bind(at: Browser, who: tuple[str, str, str]) -> httpx.Response:
    """Say who one is."""
    return await at.post("/account", "/account/bind", name=who[0], number=who[1])


def said(answer: httpx.Response) -> str:
    """What a page says is wrong."""
    return " ".join(re.findall(r'role="alert"><svg.*?</svg><div>(.*?)</div>', answer.text))


def later(**how: float) -> None:
    """Let the platform's clock be as much ahead."""
    ahead = timedelta(**how)
    clock.set_source(lambda: datetime.now(UTC) + ahead)
