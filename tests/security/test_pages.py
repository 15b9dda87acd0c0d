"""Browsers: what a page may run and load, where it may be framed, which forms and cookies count, where it sends people."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from http.cookies import SimpleCookie
from typing import Any

import httpx
import lxml.html
import pytest

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.base.web import forms, local_path
from kangyun.base.web.headers import HEADERS
from kangyun.base.web.routing import GuardedRoute
from tests.security.world import World, address, pages

BROWSER = {"accept": "text/html,application/xhtml+xml"}
READ = [entry for entry in pages() if "GET" in (entry.methods or ())]
WRITTEN = [entry for entry in pages() if "POST" in (entry.methods or ())]
ELSEWHERE = [
    "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "https:evil.example",
    "javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", "/\r\nset-cookie: a=b", " //evil.example", "data:text/html,x",
    "//evil.example%2f@x", "http://evil.example/", "", "evil.example", "/ /evil.example", "/\x00", "/" + "x" * 5000, "\u2028//evil.example",
]  # fmt: skip


def named(entry: GuardedRoute) -> str:
    return entry.path


def policy(text: str) -> dict[str, list[str]]:
    return {name: sources for name, *sources in (part.split() for part in text.split(";") if part.strip())}


def faults(html: str) -> list[str]:
    """What of a page the policy would refuse, or would have to allow."""
    found: list[str] = []
    for one in lxml.html.document_fromstring(html).iter("*"):
        attributes = {str(name): str(value) for name, value in one.attrib.items()}
        found += [f"<{one.tag} {name}>" for name in attributes if name.startswith("on") or name == "style"]
        if one.tag in {"style", "base", "iframe", "object", "embed", "frame", "applet"}:
            found.append(f"<{one.tag}>")
        if one.tag == "script" and (not str(one.get("src", "")).startswith("/static/") or (one.text or "").strip()):
            found.append("<script> of the page itself")
        if one.tag == "meta" and str(one.get("http-equiv", "")).lower() in {"refresh", "set-cookie"}:
            found.append("<meta http-equiv>")
        found += [f"<{one.tag} {name}={value[:30]}>" for name, value in attributes.items() if _leads_away(one.tag, name, value)]
    return found


def _leads_away(tag: str, name: str, value: str) -> bool:
    if re.match(r"\s*(javascript|vbscript|data):", value, re.IGNORECASE):
        return not (tag == "img" and value.startswith("data:image/"))
    loads = name in {"src", "srcset", "action", "formaction", "poster"} or (tag in {"link", "use"} and name in {"href", "xlink:href"})
    return (loads and value != "" and not value.startswith(("/", "#", "?", "data:image/"))) or (loads and value.startswith("//"))


@pytest.mark.parametrize("entry", READ, ids=named)
async def test_a_page_runs_and_loads_only_our_files_and_nobody_frames_it(entry: GuardedRoute, api: httpx.AsyncClient, world: World) -> None:
    answer = await api.get(address(entry, world), headers=BROWSER)
    assert answer.status_code < 500
    found = policy(answer.headers["content-security-policy"])
    assert found["default-src"] == ["'none'"]
    assert found["script-src"] == ["'self'"]
    assert found["style-src"] == ["'self'"]
    assert found["base-uri"] == ["'none'"]
    assert found["frame-ancestors"] == ["'none'"]
    assert found["form-action"][0] == "'self'"
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    if answer.headers.get("content-type", "").startswith("text/html"):
        assert faults(answer.text) == []
        # A pass without its holder's data is what a phone may keep for the moment without a network.
        assert answer.headers["cache-control"] == ("no-cache" if entry.path == "/resident/pass" else "no-store")


def test_the_look_at_a_page_finds_what_it_is_there_for() -> None:
    for part in (
        "<script>x</script>", "<script src='https://cdn.example/x.js'></script>", "<p onclick=x>", "<p style=color:red>", "<style></style>",
        "<a href=' javascript:x'>", "<form action=//evil.example>", "<img src=http://evil.example>", "<base href=/>", "<meta http-equiv=refresh>",
    ):
        assert faults(f"<html><body>{part}</body></html>"), part
    assert not faults("<html><script src='/static/0/a.js' defer></script><a href='https://example.org'>x</a></html>")


def foreign_forms() -> list[tuple[str, dict[str, Any]]]:
    token = forms.token_for(forms.new_secret())
    return [
        ("no token", {"data": {"a": "b"}}),
        ("the token of another browser", {"data": {forms.FIELD: token}}),
        ("the token of another browser as a header", {"data": {"a": "b"}, "headers": {forms.HEADER: token}}),
        ("plain text", {"content": b"a=b", "headers": {"content-type": "text/plain"}}),
        ("json", {"json": {forms.FIELD: token}}),
        ("a file", {"files": {forms.FIELD: b"x"}}),
    ]


@pytest.mark.parametrize("entry", WRITTEN, ids=named)
async def test_a_form_of_another_site_changes_nothing(entry: GuardedRoute, api: httpx.AsyncClient, world: World) -> None:
    await api.get("/", headers=BROWSER)
    assert api.cookies.get(forms.COOKIE)
    for what, options in foreign_forms():
        headers = {**BROWSER, **options.pop("headers", {})}
        answer = await api.request("POST", address(entry, world), headers=headers, **options)
        assert answer.status_code == 403, f"{what}: {answer.status_code}"


@pytest.mark.parametrize("entry", WRITTEN, ids=named)
async def test_a_browser_that_tells_of_another_site_is_believed(entry: GuardedRoute, api: httpx.AsyncClient, world: World) -> None:
    await api.get("/", headers=BROWSER)
    token = forms.token_for(str(api.cookies.get(forms.COOKIE)))
    for site in ("cross-site", "same-site"):
        answer = await api.post(address(entry, world), data={forms.FIELD: token}, headers={**BROWSER, "sec-fetch-site": site})
        assert answer.status_code in {401, 403}


@pytest.fixture(scope="module")
async def encrypted(services: Services) -> AsyncGenerator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(build(services, {}), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://kangyun.test") as client:
        yield client


@pytest.mark.parametrize("entry", READ, ids=named)
async def test_cookies_stay_on_this_site_and_away_from_scripts(
    entry: GuardedRoute, api: httpx.AsyncClient, encrypted: httpx.AsyncClient, world: World,
) -> None:
    for client in (api, encrypted):
        client.cookies.clear()
        answer = await client.get(f"{address(entry, world)}?lang=en", headers=BROWSER)
        for line in answer.headers.get_list("set-cookie"):
            [morsel] = SimpleCookie(line).values()
            assert morsel["httponly"]
            assert morsel["samesite"].lower() in {"lax", "strict"}
            assert morsel["path"].startswith("/")
            assert not morsel["domain"]
            assert bool(morsel["secure"]) == (client is encrypted)
        assert ("strict-transport-security" in answer.headers) == (client is encrypted)


@pytest.mark.parametrize("target", ELSEWHERE)
async def test_a_choice_of_language_sends_nobody_elsewhere(target: str, api: httpx.AsyncClient) -> None:
    await api.get("/", headers=BROWSER)
    token = forms.token_for(str(api.cookies.get(forms.COOKIE)))
    answer = await api.post("/preferences", data={forms.FIELD: token, "next": target}, headers=BROWSER)
    if "\x00" in target:
        assert answer.status_code == 400
    else:
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert local_path(target) == "/"


def test_a_path_of_this_site_is_kept() -> None:
    for path in ("/", "/clinician/", "/exchange/messages?state=stored&sender=%E4%BA%91", "/a//b", "/a?b=https://c"):
        assert local_path(path) == path
    assert HEADERS["x-frame-options"] == "DENY"
