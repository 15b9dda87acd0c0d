"""Forms from Questionnaires in a real browser, under the content security policy."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from kangyun.base import web
from kangyun.base.web import forms, questionnaire, templates
from kangyun.base.web.tests.forms_material import QUESTIONNAIRE

FORM = questionnaire.load(QUESTIONNAIRE)
SECRET = forms.new_secret()
PAGE = """{% extends "shell.html" %}
{% block head %}<script src="{{ asset('questionnaire.js') }}" defer></script>{% endblock %}
{% block main %}{% import "questionnaire.html" as q %}{{ ui.page_head(form.title) }}{{ q.form(form, "/form", page.csrf) }}{% endblock %}"""


async def show(request: Request) -> Response:
    return _drawn(request, questionnaire.view(FORM, request.state.language))


async def send(request: Request) -> Response:
    values = questionnaire.values_of((await web.posted(request)).multi_items())
    reading = questionnaire.read(FORM, values)
    if "more" in values or reading.errors:
        shown = questionnaire.view(FORM, request.state.language, values, {} if "more" in values else reading.errors, values.get("more", [None])[0])
        return _drawn(request, shown)
    return JSONResponse(reading.response)


def _drawn(request: Request, shown: questionnaire.FormView) -> Response:
    facts = templates.facts(request, facts_secret(request))
    html = templates.environment(request.state.language).from_string(PAGE).render(page=facts, form=shown)
    response = HTMLResponse(html)
    response.set_cookie("csrf", facts_secret(request))
    return response


def facts_secret(request: Request) -> str:
    return request.cookies.get("csrf") or SECRET


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A page with one form, served for as long as this file's tests run."""
    routes = [*web.routes(), web.route("/form", show, permission="test.read"), web.route("/form", send, permission="test.write", methods=["POST"])]
    app = Starlette(routes=routes, middleware=web.middleware(), exception_handlers=web.exception_handlers())
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/form"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(locale="zh-CN", viewport={"width": 390, "height": 844})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    opened.goto(address)
    yield opened
    context.close()
    assert complaints == []


def test_questions_appear_as_soon_as_they_apply(page: Page) -> None:
    asked = page.locator("[data-link=cigarettes]")
    assert not asked.is_visible()
    page.locator("[data-link=smokes]").get_by_label("是").check()
    assert asked.is_visible()
    page.locator("[data-link=smokes]").get_by_label("否").check()
    assert not asked.is_visible()
    why = page.locator("[data-link=why]")
    page.locator("[name='readings:0/systolic']").fill("170")
    assert why.is_visible()
    page.locator("[name='readings:0/systolic']").fill("1200")
    assert why.is_visible()
    page.locator("[name='readings:0/systolic']").fill("90")
    assert not why.is_visible()


def test_faults_stand_beside_their_fields_and_what_was_typed_stays(page: Page) -> None:
    page.locator("[name=remark]").fill("两周后复诊")
    page.get_by_role("button", name="提交").click()
    page.get_by_text("有几处需要改正").wait_for()
    assert page.locator("[name=visited]").get_attribute("aria-invalid") == "true"
    assert page.locator("[name=remark]").input_value() == "两周后复诊"


def test_a_filled_form_becomes_a_response(page: Page) -> None:
    page.locator("[name=visited]").fill("2026-03-05")
    page.get_by_label("头痛").check()
    page.get_by_role("button", name="再加一项：电话").click()
    page.locator("[name=phones]").nth(1).fill("12900000000")
    page.get_by_role("button", name="提交").click()
    page.get_by_text("QuestionnaireResponse").wait_for()
    told = page.inner_text("body")
    assert '"valueDate":"2026-03-05"' in told
    assert '"code":"h"' in told
    assert "12900000000" in told


def test_the_form_is_accessible_and_fits_a_phone(page: Page, axe: str) -> None:
    page.evaluate(axe)
    found = page.evaluate("axe.run()")
    assert [one["id"] for one in found["violations"] if one["impact"] in {"serious", "critical"}] == []
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
