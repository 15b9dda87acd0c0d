"""The shell: permissions, languages, preferences, headers, static files, forms, errors."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from kangyun.base import web
from kangyun.base.web import forms
from kangyun.base.web.completeness import catalogue_problems
from kangyun.base.web.preferences import negotiate
from kangyun.base.web.subset import subset
from kangyun.base.web.tests.client import client_of, small_app
from kangyun.base.web.texts import translate


async def nothing(_request: Request) -> Response:
    return PlainTextResponse("")


@pytest.mark.parametrize("permission", ["", "read", "Web.Read", "web."])
def test_it_refuses_a_route_without_a_permission(permission: str) -> None:
    with pytest.raises(ValueError, match="must name a permission"):
        web.route("/x", nothing, permission=permission)


def test_a_route_carries_its_permission() -> None:
    assert web.permission_of(web.route("/x", nothing, permission="web.read")) == "web.read"
    assert web.permission_of(object()) is None


@pytest.mark.parametrize(
    ("header", "language"),
    [("", "zh"), ("en-GB,en;q=0.9", "en"), ("fr,en;q=0.5,zh;q=0.8", "zh"), ("de", "zh"), ("en;q=0", "zh"), ("en;q=x,zh", "zh"), ("*", "zh")],
)
def test_it_negotiates_the_language(header: str, language: str) -> None:
    assert negotiate(header) == language


async def test_chinese_is_the_default_and_a_question_mark_changes_and_keeps_it() -> None:
    async with client_of(small_app()) as client:
        assert 'lang="zh-Hans"' in (await client.get("/")).text
        assert 'lang="en"' in (await client.get("/?lang=en")).text
        assert 'lang="en"' in (await client.get("/")).text
        assert 'lang="en"' in (await client.get("/?lang=tlh")).text


async def test_preferences_are_kept_and_lead_back_only_to_this_site() -> None:
    async with client_of(small_app()) as client:
        token = _token((await client.get("/")).text)
        answer = await client.post("/preferences", data={"csrf": token, "theme": "dark", "text": "large", "next": "//elsewhere.example"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/"
        page = (await client.get("/")).text
        assert 'data-theme="dark"' in page
        assert 'data-text="large"' in page
        answer = await client.post("/preferences", data={"csrf": token, "theme": "<script>", "next": "/x?a=1"})
        assert answer.headers["location"] == "/x?a=1"
        assert 'data-theme="dark"' in (await client.get("/")).text


def _token(page: str) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', page)
    assert found
    return found[1]


async def test_a_form_needs_the_token_of_the_same_browser() -> None:
    async with client_of(small_app(), accept="text/html") as client, client_of(small_app()) as stranger:
        token = _token((await client.get("/")).text)
        other = _token((await stranger.get("/")).text)
        assert (await client.post("/save", data={"word": "a", "csrf": token})).text == "a"
        assert (await client.post("/save", data={"word": "a"}, headers={"x-csrf-token": token})).text == "a"
        for wrong in ({}, {"csrf": ""}, {"csrf": other}, {"csrf": "zz"}, {"csrf": token[:-1]}):
            refused = await client.post("/save", data={"word": "a", **wrong})
            assert refused.status_code == 403
            assert "页面停留太久" in refused.text


def test_two_tokens_of_one_secret_differ_and_both_count() -> None:
    secret = forms.new_secret()
    first, second = forms.token_for(secret), forms.token_for(secret)
    assert first != second
    assert forms.matches(secret, first)
    assert forms.matches(secret, second)
    assert not forms.matches(None, first)
    assert not forms.matches("not a secret", first)


async def test_every_answer_has_the_security_headers_and_no_page_needs_inline_code() -> None:
    async with client_of(small_app(), accept="text/html") as client:
        for address in ("/", "/nowhere", "/offline", "/service-worker.js"):
            answer = await client.get(address)
            policy = answer.headers["content-security-policy"]
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=", answer.text)


async def test_static_files_are_kept_for_a_year_under_their_content() -> None:
    async with client_of(small_app()) as client:
        found = re.search(r"/static/(\w+)/shell\.css", (await client.get("/")).text)
        assert found
        answer = await client.get(found[0])
        assert "immutable" in answer.headers["cache-control"]
        assert answer.headers["content-encoding"] == "gzip"
        plain = await client.get(found[0], headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.text == answer.text
        assert (await client.get("/static/outdated/shell.css")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["nothing.css", "%2e%2e/templates.py", "clinician/%2e%2e/pages.py", "shell.css%00", "a" * 300, "病" * 100])
async def test_static_files_stay_inside_their_folders(name: str) -> None:
    async with client_of(small_app()) as client:
        assert (await client.get(f"/static/x/{name}")).status_code == 404


async def test_pages_are_zipped_and_never_kept() -> None:
    async with client_of(small_app()) as client:
        answer = await client.get("/", headers={"accept-encoding": "gzip"})
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.headers["cache-control"] == "no-store"
        assert "content-encoding" not in (await client.get("/", headers={"accept-encoding": "identity"})).headers


@pytest.mark.parametrize(("language", "words"), [("zh", "没有找到"), ("en", "Not found")])
async def test_errors_are_pages_with_a_number_to_quote(language: str, words: str) -> None:
    async with client_of(small_app(), accept="text/html") as client:
        answer = await client.get(f"/nowhere?lang={language}")
        assert answer.status_code == 404
        assert words in answer.text
        assert re.search(r"<code>\d{8}</code>", answer.text)
        assert (await client.get("/save")).status_code == 405


async def test_whoever_sent_a_form_is_led_back_to_what_was_typed() -> None:
    async with client_of(small_app(), accept="text/html") as client:
        refused = await client.post("/save", data={"word": "a"})
        assert refused.status_code == 403
        assert re.search(r'<a [^>]*href="/save" data-to-form>.*返回修改', refused.text)
        assert "再试一次" not in refused.text, "there is nothing to be had at the address of a form"
        assert "页面已过期" in refused.text
        part = await client.post("/save", data={"word": "a"}, headers={"hx-request": "true"})
        assert (part.status_code, part.headers["x-problem"]) == (403, "form")
        assert part.text.startswith("页面停留太久"), "a part of a page gets words, and no whole page in its place"


async def test_the_start_page_leads_to_every_place_of_the_menu() -> None:
    async with client_of(small_app()) as client:
        page = (await client.get("/")).text
        assert 'class="tile" href="/save"' in page
        assert 'class="navigation-link" href="/" aria-current="page"' in page


def test_both_languages_are_complete() -> None:
    assert catalogue_problems() == []


def test_english_knows_one_and_many() -> None:
    assert translate("en", "web.age.years", n=1) == "1 year"
    assert translate("en", "web.age.years", n=81) == "81 years"
    assert translate("zh", "web.age.years", n=1) == "1 岁"
    assert translate("zh", "no.such.key") == "no.such.key"


def test_a_style_sheet_is_reduced_to_what_is_used() -> None:
    sheet = '@charset "UTF-8";/* x */:root{--a:1}.used,.unused{color:red}.unused:not(.x,.y){b:1}@media print{.unused{c:1}.used p{d:1}}@media x{.unused{e:1}}@keyframes k{from{a:1}to{a:2}}'
    kept = subset(sheet, frozenset({"used"}))
    assert kept == ":root{--a:1}.used{color:red}@media print{.used p{d:1}}@keyframes k{from{a:1}to{a:2}}"


async def test_the_first_page_is_light() -> None:
    async with client_of(small_app(), **{"accept-encoding": "gzip"}) as client:
        page = await client.get("/")
        files = set(re.findall(r'(?:href|src)="(/static/[^"#]+)', page.text)) | set(re.findall(r'<use href="(/static/[^"#]+)', page.text))
        weights = [len(gzip.compress(page.content))] + [int((await client.get(one)).headers["content-length"]) for one in files]
        assert sum(weights) < 150_000


def test_templates_hold_no_colours_of_their_own() -> None:
    for folder in Path(__file__).parents[1].glob("templates"):
        for path in folder.glob("*.html"):
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?![^\"]*\")|rgb\(", re.sub(r"href=\"#\w+\"", "", path.read_text("utf-8"))), path.name
