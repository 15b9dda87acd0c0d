"""Logging in with a real browser: by phone, by password and second factor, by passkey; by keyboard alone; for every eye."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page
from pyotp.totp import TOTP

from kangyun.base.simulators import listening
from kangyun.commons.access.gateways.sms_simulator import Simulator
from tests.browser import material
from tests.browser.conftest import Look, OpenLook, looking
from tests.browser.test_doctor import overflow, serious
from tests.serving import Server, free_port, run

PASSWORD = "Yun-zhou2026"
LOOKS = [
    ("phone", "zh", "light", "normal"), ("phone", "en", "dark", "large"), ("desktop", "zh", "dark", "normal"), ("desktop", "en", "light", "normal"),
]


@dataclass
class Gate:
    """A platform with simulated phones."""

    server: Server
    phones: Simulator
    url: str

    def invite(self, login: str, role: str, institution: str = "") -> str:
        """Make an account of staff; returns the path of its invitation."""
        place = ["--institution", institution] if institution else []
        told = run("user", "add", login, "--role", role, *place, "--json", "--data", self.server.data, settings=self.server.settings)
        return "/invitation/" + json.loads(told.stdout)["invitation"].rsplit("/", 1)[1]


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("gate")
    key = folder / "sms.key"
    key.write_bytes(b"between us")
    phones = Simulator(key=b"between us")
    with listening(phones.app) as sms:
        running = Server(folder / "data", sms_url=sms, sms_key_file=str(key))
        running.port = free_port()
        # Passkeys are bound to a name, not to an address of numbers.
        running.settings["public_url"] = url = f"http://localhost:{running.port}"
        running.start()
        answer = httpx.post(f"{running.url}/fhir", json=material.bundle(), timeout=60)
        assert answer.status_code == 200, answer.text
        yield Gate(running, phones, url)
        running.stop()


@pytest.fixture
def visit(browser: Browser, gate: Gate) -> Iterator[OpenLook]:
    """A browser of its own as ``visit(device, language, theme, text)``."""
    with looking(browser, gate.url) as opening:
        yield opening


def with_authenticator(page: Page) -> None:
    """Give the browser a device that keeps passkeys and whose holder always agrees."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send("WebAuthn.addVirtualAuthenticator", {"options": {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }})


def by_phone(seen: Look, gate: Gate, phone: str) -> None:
    """Log in by phone."""
    seen.open("/login")
    seen.page.locator("#phone").fill(phone)
    seen.page.locator("#phone").press("Enter")
    seen.page.wait_for_url("**/login/code")
    seen.page.locator("#code").fill(gate.phones.code(phone))
    seen.page.locator("#code").press("Enter")
    seen.page.wait_for_url(lambda url: "/login" not in url)


def join(seen: Look, gate: Gate, login: str, *, role: str = "hospital_doctor") -> str:
    """Take an invitation up with password and authenticator app; returns the app's secret."""
    seen.open(gate.invite(login, role))
    seen.page.locator("#new-password").fill(PASSWORD)
    seen.page.locator("#new-password").press("Enter")
    seen.page.wait_for_url("**/login/enrol")
    secret = seen.page.locator(".entrance-secret").text_content() or ""
    seen.page.locator("#code").fill(TOTP(secret).now())
    seen.page.locator("#code").press("Enter")
    seen.page.locator(".recovery-codes").wait_for()
    return secret


def go_on(seen: Look) -> None:
    """Leave the page of recovery codes."""
    seen.page.locator("main button.button-main").click()
    seen.page.wait_for_url(lambda url: "/login" not in url)


def test_a_resident_comes_in_on_the_phone_by_keyboard_alone(visit: OpenLook, gate: Gate) -> None:
    seen = visit("phone", text="large")
    seen.open("/login")
    keys = seen.page.keyboard
    for _ in range(20):
        keys.press("Tab")
        if seen.page.evaluate("document.activeElement.id") == "phone":
            break
    keys.type("12900000011")
    keys.press("Enter")
    seen.page.wait_for_url("**/login/code")
    assert "129****0011" in seen.page.inner_text("main")
    # The field has the focus already.
    keys.type(gate.phones.code("12900000011"))
    keys.press("Enter")
    seen.page.wait_for_url(lambda url: "/login" not in url)
    seen.open("/account")
    assert "尚未实名" in seen.page.inner_text("main")
    seen.page.locator("#bind-name").fill(material.NAME)
    seen.page.locator("#bind-number").fill(material.NUMBER)
    seen.page.locator("#bind-number").press("Enter")
    seen.page.locator("dd", has_text=material.NAME).wait_for()
    assert material.NAME in (seen.page.locator("[data-login]").text_content() or "")
    assert material.NUMBER not in seen.page.url


def test_an_invited_doctor_sets_up_and_logs_in_again(visit: OpenLook, gate: Gate) -> None:
    seen = visit("desktop", "en")
    secret = join(seen, gate, "dr_zhou")
    go_on(seen)
    assert "dr_zhou" in seen.page.locator("[data-login]").inner_text()
    seen.page.locator("[data-login]").click()
    seen.page.get_by_role("button", name="Log out").click()
    seen.page.wait_for_url("**/login")
    seen.page.locator("#name").fill("dr_zhou")
    seen.page.locator("#password").fill(PASSWORD)
    seen.page.locator("#password").press("Enter")
    seen.page.wait_for_url("**/login/second")
    # The code that was used to set up is good once: the next one is.
    seen.page.keyboard.type(TOTP(secret).at(int(time.time()) + 30))
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url(lambda url: "/login" not in url)
    seen.open("/account")
    assert "this one" in seen.page.inner_text("main")


def test_a_wrong_password_is_told_beside_the_form(visit: OpenLook) -> None:
    seen = visit("desktop", "zh")
    seen.open("/login")
    seen.page.locator("#name").fill("nobody")
    seen.page.locator("#password").fill("wrong")
    seen.page.locator("#password").press("Enter")
    seen.page.get_by_role("alert").first.wait_for()
    assert "用户名或密码不对" in seen.page.locator("#staff").inner_text()
    assert seen.page.locator("#name").input_value() == "nobody"
    seen.complaints.clear()


def test_a_resident_comes_back_by_passkey(visit: OpenLook, gate: Gate) -> None:
    seen = visit("phone", "zh")
    with_authenticator(seen.page)
    by_phone(seen, gate, "12900000012")
    seen.open("/account")
    seen.page.get_by_role("button", name="添加通行密钥").click()
    seen.page.locator("#means .row-title", has_text="通行密钥").wait_for()
    assert any("通行密钥" in one.text for one in gate.phones.messages if one.to == "12900000012")
    seen.page.get_by_role("button", name="退出登录").last.click()
    seen.page.wait_for_url("**/login")
    seen.page.get_by_role("button", name="用通行密钥登录").click()
    seen.page.wait_for_url(lambda url: "/login" not in url)
    assert seen.page.locator("[data-login]").count() == 1


def test_staff_may_have_a_passkey_for_both_factors(visit: OpenLook, gate: Gate) -> None:
    seen = visit("desktop", "en")
    with_authenticator(seen.page)
    seen.open(gate.invite("dr_key", "hospital_doctor"))
    seen.page.locator("#new-password").fill(PASSWORD)
    seen.page.locator("#new-password").press("Enter")
    seen.page.wait_for_url("**/login/enrol")
    seen.page.get_by_role("button", name="Make a passkey on this device").click()
    seen.page.locator(".recovery-codes").wait_for()
    go_on(seen)
    seen.page.locator("[data-login]").click()
    seen.page.get_by_role("button", name="Log out").click()
    seen.page.wait_for_url("**/login")
    seen.page.get_by_role("button", name="Log in with a passkey").click()
    seen.page.wait_for_url(lambda url: "/login" not in url)
    assert "dr_key" in seen.page.locator("[data-login]").inner_text()


def test_a_passkey_that_was_removed_opens_nothing(visit: OpenLook, gate: Gate) -> None:
    seen = visit("phone", "zh")
    with_authenticator(seen.page)
    by_phone(seen, gate, "12900000013")
    seen.open("/account")
    seen.page.get_by_role("button", name="添加通行密钥").click()
    seen.page.get_by_role("button", name="删除").click()
    seen.page.get_by_text("还没有通行密钥").wait_for()
    seen.page.get_by_role("button", name="退出登录").last.click()
    seen.page.wait_for_url("**/login")
    seen.page.get_by_role("button", name="用通行密钥登录").click()
    seen.page.get_by_text("这个通行密钥不能用").wait_for()
    seen.complaints.clear()


@pytest.mark.parametrize("look", LOOKS)
def test_a_resident_takes_the_account_to_another_phone(visit: OpenLook, gate: Gate, axe: str, look: tuple[str, str, str, str]) -> None:
    place, seen = LOOKS.index(look), visit(*look)
    by_phone(seen, gate, f"1290000082{place}")
    seen.open("/account")
    seen.page.locator("#phone summary").focus()
    seen.page.keyboard.press("Enter")
    seen.page.locator("#new-phone").fill(f"1290000083{place}")
    assert overflow(seen) <= 0
    assert serious(seen, axe) == []
    seen.page.locator("#new-phone").press("Enter")
    seen.page.wait_for_url("**/account/phone")
    assert overflow(seen) <= 0
    assert serious(seen, axe) == []
    seen.page.locator("#code").fill(gate.phones.code(f"1290000083{place}"))
    seen.page.locator("#code").press("Enter")
    seen.page.wait_for_url("**/account")
    assert f"129****083{place}" in seen.page.locator("#phone").inner_text()


@pytest.mark.parametrize("way", LOOKS, ids="-".join)
def test_every_page_fits_and_is_accessible(visit: OpenLook, gate: Gate, axe: str, way: tuple[str, str, str, str], tmp_path: Path) -> None:
    seen = visit(*way)
    number = LOOKS.index(way) if way in LOOKS else 0
    login = f"look{number}"
    pages: list[str] = []

    def examined(name: str) -> None:
        seen.page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        assert overflow(seen) <= 0, name
        assert serious(seen, axe) == [], name
        pages.append(name)

    seen.open("/login")
    examined("login")
    seen.page.locator("#phone").fill(f"1290000002{number}")
    seen.page.locator("#phone").press("Enter")
    seen.page.wait_for_url("**/login/code")
    examined("code")
    seen.page.locator("#code").fill(gate.phones.code(f"1290000002{number}"))
    seen.page.locator("#code").press("Enter")
    seen.page.wait_for_url(lambda url: "/login" not in url)
    seen.open("/account")
    examined("account-resident")
    seen.page.context.clear_cookies(name="kangyun_session")
    seen.open(gate.invite(login, "clerk"))
    examined("invitation")
    seen.page.locator("#new-password").fill(PASSWORD)
    seen.page.locator("#new-password").press("Enter")
    seen.page.wait_for_url("**/login/enrol")
    examined("enrol")
    secret = seen.page.locator(".entrance-secret").text_content() or ""
    seen.page.locator("#code").fill(TOTP(secret).now())
    seen.page.locator("#code").press("Enter")
    seen.page.locator(".recovery-codes").wait_for()
    examined("recovery")
    go_on(seen)
    for name, path in (("account-staff", "/account"), ("counter", "/access/guardians")):
        seen.open(path)
        examined(name)
    seen.page.locator("[data-login]").click()
    examined("menu")
    assert len(pages) == 9


def test_large_mode_has_large_targets(visit: OpenLook) -> None:
    seen = visit("phone", text="large")
    seen.open("/login")
    small = seen.page.evaluate(
        """[...document.querySelectorAll("main button, main .button, main input:not([type=hidden])")]
        .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 47.5).map((one) => one.outerHTML.slice(0, 80))""",
    )
    assert small == []
