"""How people of the city come in: by the pages where everybody logs in, and from there to a token for the app they use.

Only what any browser and any registered app could do: forms with their hidden fields, cookies, a code on a telephone or
of an authenticator app, and OAuth 2 with PKCE.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from pyotp.totp import TOTP

_CSRF = re.compile(r'name="csrf" value="([0-9a-f]+)"')
_CHOICE = re.compile(r'name="patient" value="([\w.-]+)"')
_CODE_COMES = 10.0
_STEP = 30


class RefusedError(Exception):
    """The platform did not let somebody in; says at which step."""


@dataclass(frozen=True, slots=True)
class App:
    """An app that is registered at the platform: what it is called there, where it is sent back to, what it asks for."""

    id: str
    redirect: str
    scope: str


@dataclass(slots=True)
class Browser:
    """One person's browser: keeps cookies, follows nothing by itself. `address` is that of its network, for a proxy in front."""

    url: str
    address: str = ""
    http: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        headers = {"accept": "text/html", "accept-language": "zh-CN"} | ({"x-forwarded-for": self.address} if self.address else {})
        self.http = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=60.0, trust_env=False)

    async def send(self, page: str, path: str, fields: dict[str, str]) -> httpx.Response:
        """Open a page and send one of its forms to `path`, again when that was too often. Raises RefusedError when the page has no form."""
        answer = await self._send(page, path, fields)
        while answer.status_code == 429:
            await asyncio.sleep(float(answer.headers["retry-after"]))
            answer = await self._send(page, path, fields)
        return answer

    async def _send(self, page: str, path: str, fields: dict[str, str]) -> httpx.Response:
        shown = await self.http.get(page)
        token = _CSRF.search(shown.text)
        if token is None:
            raise RefusedError(f"{page} answers {shown.status_code}")
        return await self.http.post(path, data={"csrf": token[1], **fields})

    async def close(self) -> None:
        """Forget everything."""
        await self.http.aclose()


@dataclass(slots=True)
class Authenticator:
    """The app on somebody's telephone that shows a new code every half minute; each is good once."""

    secret: str = field(repr=False)
    used: int = 0

    async def code(self) -> str:
        """A code that was not used yet; one step ahead of time where this step's was, and else a wait."""
        while (step := int(time.time()) // _STEP) + 1 <= self.used:  # noqa: ASYNC110 - it is time itself that is waited for
            await asyncio.sleep(0.2)
        self.used = max(step, self.used + 1)
        return TOTP(self.secret).at(self.used * _STEP)


async def resident(browser: Browser, phones: str, phone: str) -> None:
    """Log a resident in with the code that the telephone shows; `phones` is the address of the simulated telephones."""
    before = await _texts(phones, phone)
    await _onward(await browser.send("/login", "/login/code", {"phone": phone}), "/login/code")
    code = await _code(phones, phone, before)
    await _entered(await browser.send("/login/code", "/login/code/check", {"code": code}))


async def staff(browser: Browser, name: str, password: str, app: Authenticator) -> None:
    """Log somebody of the staff in with password and the code of an authenticator app."""
    answer = await browser.send("/login", "/login/password/check", {"name": name, "password": password})
    await _onward(answer, "/login/second")
    await _entered(await browser.send("/login/second", "/login/second", {"code": await app.code()}))


async def token(browser: Browser, app: App, patient: str = "") -> dict[str, Any]:
    """Let an app in for the person of the browser; gives what the token endpoint answers (access_token, patient, ...)."""
    verifier = secrets.token_urlsafe(48)
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code", "client_id": app.id, "redirect_uri": app.redirect, "scope": app.scope, "state": secrets.token_hex(8),
        "aud": f"{browser.url}/fhir", "code_challenge": challenge, "code_challenge_method": "S256",
    }
    begun = await browser.http.get("/oauth/authorize", params=asked)
    page = begun.headers.get("location", "")
    if "asking=" not in page:
        raise RefusedError(f"the app is answered {begun.status_code} {page[:120]}")
    told = {"asking": page.partition("asking=")[2], "act": "allow"}
    code = await _allowed(browser, page, told, patient)
    answer = await browser.http.post("/oauth/token", data={
        "grant_type": "authorization_code", "code": code, "redirect_uri": app.redirect, "code_verifier": verifier, "client_id": app.id})
    if answer.status_code != 200:
        raise RefusedError(f"the code is answered {answer.status_code} {answer.text[:200]}")
    return answer.json()


async def _allowed(browser: Browser, page: str, told: dict[str, str], patient: str) -> str:
    """Say yes on the page, for the resident that is meant or the first that is offered; gives the code."""
    shown = await browser.http.get(page)
    csrf, offered = _CSRF.search(shown.text), _CHOICE.search(shown.text)
    if csrf is None:
        raise RefusedError(f"the page of the app answers {shown.status_code}")
    whom = patient or (offered[1] if offered else "")
    answer = await browser.http.post("/oauth/authorize", data={"csrf": csrf[1], **told} | ({"patient": whom} if whom else {}))
    found = parse_qs(urlsplit(answer.headers.get("location", "")).query).get("code")
    if not found:
        raise RefusedError(f"the yes is answered {answer.status_code}")
    return found[0]


async def _onward(answer: httpx.Response, path: str) -> None:
    if answer.status_code != 303 or urlsplit(answer.headers["location"]).path != path:
        raise RefusedError(f"{answer.request.url.path} answers {answer.status_code} {answer.headers.get('location', '')}")


async def _entered(answer: httpx.Response) -> None:
    if answer.status_code != 303 or "kangyun_session" not in answer.headers.get("set-cookie", ""):
        raise RefusedError(f"{answer.request.url.path} answers {answer.status_code} {answer.headers.get('location', '')}")


async def _texts(phones: str, phone: str) -> list[str]:
    """The codes that a telephone got, newest first."""
    async with httpx.AsyncClient(timeout=30.0, trust_env=False) as http:
        came = (await http.get(f"{phones}/messages")).json()
    return [str(one["params"]["code"]) for one in came if one["to"] == phone and "code" in one["params"]]


async def _code(phones: str, phone: str, before: list[str]) -> str:
    """The code that came after those before. Raises RefusedError when none comes."""
    for _ in range(int(_CODE_COMES / 0.1)):
        now = await _texts(phones, phone)
        if len(now) > len(before) or now[:1] != before[:1]:
            return now[0]
        await asyncio.sleep(0.1)
    raise RefusedError("no code comes to the telephone")
