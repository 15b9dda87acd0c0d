"""The sample app against the platform, both in a real browser: a resident lets it in, a doctor opens it, nobody sees another."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from kangyun.base.simulators import listening
from kangyun.commons.access.gateways.sms_simulator import Simulator
from tests.browser import material
from tests.browser.conftest import ROOT, Look, OpenLook, looking
from tests.browser.test_doctor import overflow, serious
from tests.browser.test_login import Gate, go_on, join
from tests.serving import Server, run

SCOPE = "openid fhirUser patient/Patient.r patient/Observation.rs?category=laboratory"
PHONE = "12900000031"
LOOKS = [("phone", "zh", "light", "normal"), ("phone", "en", "dark", "large"), ("desktop", "zh", "dark", "normal"), ("desktop", "en", "light", "normal")]


@dataclass
class World:
    """A platform, the sample app beside it, two residents, and the hospital that treats the first."""

    gate: Gate
    app: str
    client: str
    patient: str
    stranger: str
    hospital: str

    @property
    def url(self) -> str:
        return self.gate.server.url


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the standard library
        del format, args


def _put(url: str, resource: dict[str, Any]) -> str:
    answer = httpx.post(f"{url}/fhir/{resource['resourceType']}", json=resource, timeout=30)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("smart")
    (folder / "sms.key").write_bytes(b"between us")
    shutil.copytree(ROOT / "samples" / "smart_app", folder / "app")
    page = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder / "app")))
    threading.Thread(target=page.serve_forever, daemon=True).start()
    phones = Simulator(key=b"between us")
    with listening(phones.app) as sms:
        server = Server(folder / "data", sms_url=sms, sms_key_file=str(folder / "sms.key"))
        server.start()
        yield _settled(server, phones, folder / "app", f"http://127.0.0.1:{page.server_address[1]}/index.html")
        server.stop()
    page.shutdown()
    page.server_close()


def _settled(server: Server, phones: Simulator, folder: Path, app: str) -> World:
    answer = httpx.post(f"{server.url}/fhir", json=material.bundle(), timeout=60)
    assert answer.status_code == 200, answer.text
    found = httpx.get(f"{server.url}/fhir/Patient", params={"identifier": material.NUMBER}, timeout=30).json()
    patient = str(found["entry"][0]["resource"]["id"])
    hospital = _put(server.url, {"resourceType": "Organization", "name": "云州市第一人民医院"})
    _put(server.url, {
        "resourceType": "Encounter", "status": "in-progress", "subject": {"reference": f"Patient/{patient}"},
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "serviceProvider": {"reference": f"Organization/{hospital}"}})
    stranger = _put(server.url, {"resourceType": "Patient", "name": [{"text": "别的人"}]})
    _put(server.url, {
        "resourceType": "Observation", "status": "final", "subject": {"reference": f"Patient/{stranger}"}, "code": {"text": "别人的结果"},
        "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}]})
    told = run(
        "client", "add", "我的检验结果", "--name-en", "My results", "--kind", "public", "--scope", f"launch launch/patient {SCOPE}",
        "--redirect", app, "--launch", app, "--data", server.data, "--json", settings=server.settings)
    client = str(json.loads(told.stdout)["client_id"])
    (folder / "config.json").write_text(json.dumps({"clientId": client, "fhir": f"{server.url}/fhir", "scope": SCOPE}))
    return World(Gate(server, phones, server.url), app, client, patient, stranger, hospital)


@pytest.fixture
def visit(browser: Browser, world: World) -> Iterator[OpenLook]:
    """A browser of its own as ``visit(device, language, theme, text)``."""
    with looking(browser, world.url) as opening:
        yield opening


@pytest.fixture(scope="module")
def session(browser: Browser, world: World) -> str:
    """The session of a resident who came from the app, logged in on the way, and said who she is."""
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(world.app)
    page.locator("#connect").click()
    page.wait_for_url("**/login?next=**")
    page.locator("#phone").fill(PHONE)
    page.locator("#phone").press("Enter")
    page.wait_for_url("**/login/code")
    page.locator("#code").fill(world.gate.phones.code(PHONE))
    page.locator("#code").press("Enter")
    page.wait_for_url("**/oauth/authorize?asking=**")
    page.goto(f"{world.url}/account")
    page.locator("#bind-name").fill(material.NAME)
    page.locator("#bind-number").fill(material.NUMBER)
    page.locator("#bind-number").press("Enter")
    page.locator("dd", has_text=material.NAME).wait_for()
    kept = next(one["value"] for one in context.cookies() if one.get("name") == "kangyun_session" and "value" in one)
    context.close()
    return kept


def as_resident(seen: Look, world: World, session: str) -> None:
    """Be the resident."""
    seen.page.context.add_cookies([{"name": "kangyun_session", "value": session, "url": world.url}])


def connect(seen: Look, world: World) -> None:
    """From the app to the question."""
    seen.page.goto(world.app)
    seen.page.locator("#connect").press("Enter")
    seen.page.wait_for_url("**/oauth/authorize?asking=**")


def token_of(page: Page, doing: Callable[[], None]) -> dict[str, Any]:
    """What the token endpoint tells the app while something is done."""
    with page.expect_response(re.compile("/oauth/token$")) as answered:
        doing()
    return answered.value.json()


def status(world: World, token: str, path: str) -> int:
    """What the record's API answers to a token."""
    return httpx.get(f"{world.url}/fhir/{path}", headers={"authorization": f"Bearer {token}"}, timeout=30).status_code


def test_a_resident_lets_the_app_in_and_disconnects_it(visit: OpenLook, world: World, session: str, axe: str) -> None:
    seen = visit("phone")
    as_resident(seen, world, session)
    connect(seen, world)
    text = seen.page.inner_text("main")
    assert "我的检验结果" in text
    assert material.NAME in text
    assert "检验结果" in text
    assert overflow(seen) == 0
    assert serious(seen, axe) == []
    told = token_of(seen.page, lambda: seen.page.get_by_role("button", name="允许", exact=True).click())
    seen.page.locator("#results tr").first.wait_for()
    assert seen.page.url == world.app
    assert "空腹血糖" in seen.page.inner_text("#results")
    assert seen.page.inner_text("#whose") == material.NAME
    assert told["patient"] == world.patient
    token = told["access_token"]
    assert status(world, token, f"Patient/{world.stranger}") == 404
    assert status(world, token, "Condition") == 403
    others = httpx.get(f"{world.url}/fhir/Observation", headers={"authorization": f"Bearer {token}"}, timeout=30).text
    assert "别人的结果" not in others
    seen.open("/account/apps")
    assert "我的检验结果" in seen.page.inner_text("main")
    assert serious(seen, axe) == []
    _shoot(seen, "apps")
    seen.page.get_by_role("button", name="断开").click()
    seen.page.get_by_text("没有连接任何应用").wait_for()
    assert status(world, token, f"Patient/{world.patient}") == 401


def test_a_resident_says_no_by_keyboard_alone(visit: OpenLook, world: World, session: str) -> None:
    seen = visit("desktop", "en")
    as_resident(seen, world, session)
    connect(seen, world)
    for _ in range(40):
        seen.page.keyboard.press("Tab")
        if "Do not allow" in str(seen.page.evaluate("document.activeElement.textContent")):
            break
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url(f"{world.app}*")
    seen.page.get_by_text("Access was not allowed").wait_for()
    assert seen.page.url == world.app


def test_a_doctor_opens_the_app_for_the_resident_in_front(visit: OpenLook, world: World, axe: str) -> None:
    seen = visit("desktop", "en")
    told = run("user", "add", "dr_apps", "--role", "hospital_doctor", "--institution", world.hospital, "--json",
               "--data", world.gate.server.data, settings=world.gate.server.settings)
    invitation = "/invitation/" + json.loads(told.stdout)["invitation"].rsplit("/", 1)[1]
    join(seen, Invited(world.gate, invitation), "dr_apps")  # pyright: ignore[reportArgumentType]
    go_on(seen)
    seen.open(f"/clinician/residents/{world.patient}")
    seen.page.get_by_role("link", name="Apps", exact=True).click()
    seen.page.wait_for_url("**/oauth/apps/**")
    assert material.NAME in seen.page.inner_text("main")
    assert serious(seen, axe) == []
    _shoot(seen, "shelf")
    seen.page.get_by_role("button", name="My results").click()
    seen.page.wait_for_url("**/oauth/authorize?asking=**")
    assert material.NAME in seen.page.inner_text("main")
    tokens = token_of(seen.page, lambda: seen.page.get_by_role("button", name="Allow", exact=True).click())
    seen.page.locator("#results tr").first.wait_for()
    assert tokens["patient"] == world.patient
    assert status(world, tokens["access_token"], f"Patient/{world.stranger}") == 404


@dataclass
class Invited:
    """An invitation that is there already, for `join`."""

    gate: Gate
    path: str

    def invite(self, login: str, role: str, institution: str = "") -> str:
        del login, role, institution
        return self.path


def test_the_system_administrator_registers_a_service_whose_secret_is_shown_once(visit: OpenLook, world: World, axe: str) -> None:
    seen = visit("desktop", "zh")
    join(seen, world.gate, "root_apps", role="system_admin")
    go_on(seen)
    seen.open("/clients")
    assert "我的检验结果" in seen.page.inner_text("main")
    assert serious(seen, axe) == []
    seen.page.locator("#client-zh").fill("检验平台")
    seen.page.locator("#client-kind").select_option("backend")
    seen.page.locator("#client-scopes").fill("system/Patient.sr")
    seen.page.locator("#client-scopes").press("Enter")
    seen.page.get_by_role("alert").get_by_text("system/Patient.sr").wait_for()
    assert seen.page.locator("#client-zh").input_value() == "检验平台"
    seen.page.locator("#client-scopes").fill("system/Patient.rs")
    seen.page.locator("#client-scopes").press("Enter")
    seen.page.locator("#added .app-secret").nth(1).wait_for()
    client, secret = (seen.page.locator("#added .app-secret").nth(number).inner_text() for number in (0, 1))
    told = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    assert httpx.post(f"{world.url}/oauth/token", data=told, timeout=30).status_code == 200
    assert serious(seen, axe) == []
    assert overflow(seen) == 0
    _shoot(seen, "clients")
    seen.open("/clients")
    assert secret not in seen.page.content()
    seen.page.get_by_role("button", name="停用 检验平台").click()
    seen.page.get_by_text("已停用", exact=True).wait_for()
    assert httpx.post(f"{world.url}/oauth/token", data=told, timeout=30).status_code == 401
    seen.complaints[:] = [one for one in seen.complaints if "422" not in one]


def _shoot(seen: Look, name: str) -> None:
    """Keep a picture where the environment says so."""
    if folder := os.environ.get("SHOTS"):
        seen.page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize("one", LOOKS, ids="-".join)
def test_the_question_is_read_by_every_eye(visit: OpenLook, world: World, session: str, axe: str, one: tuple[str, str, str, str]) -> None:
    seen = visit(*one)
    as_resident(seen, world, session)
    connect(seen, world)
    assert overflow(seen) == 0
    assert serious(seen, axe) == []
    _shoot(seen, f"authorize-{one[0]}-{one[1]}")
