"""A data steward at the desk and on the phone: quarantine, senders and quality, with a real browser."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.browser.conftest import OpenLook
from tests.browser.test_doctor import LOOKS, overflow, serious

_MESSAGE = "MSH|^~\\&|HIS|{sender}|||20261101080000+0800||ADT^A28|{control}|P|2.5||||||UNICODE UTF-8\rEVN|A28|20261101080000+0800\rPID|1||{control}||周秀兰||19560304|{sex}\r"
PAGES = ["/exchange/messages", "/exchange/quarantine", "/exchange/senders", "/exchange/senders/edit", "/exchange/senders/one?name=STEW", "/exchange/quality"]


def post(server: str, control: str, sex: str, sender: str = "STEW") -> None:
    """Send one HL7 v2 message over HTTP; sex Z is in no code table, so it is refused."""
    text = _MESSAGE.format(sender=sender, control=control, sex=sex)
    answer = httpx.post(f"{server}/exchange/hl7v2", content=text.encode(), headers={"content-type": "text/plain"}, timeout=30)
    assert answer.status_code == (422 if sex == "Z" else 200), answer.text


@pytest.fixture(scope="module")
def messages(server: str) -> str:
    """The platform with some good and some refused messages."""
    for number in range(6):
        post(server, f"STEW-{number}", "F")
        post(server, f"STEW-Z{number}", "Z")
    return server


def test_a_refused_message_is_found_by_keyboard_edited_and_stored(look: OpenLook, messages: str) -> None:
    seen = look()
    seen.open("/exchange/quarantine?sender=STEW&reason=exchange.bad-code&form=hl7v2")
    seen.page.keyboard.press("j")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url(re.compile(r"/exchange/messages/\d+$"))
    assert seen.page.locator(".raw mark").inner_text() == "Z"
    seen.page.get_by_role("link", name="修改").click()
    field = seen.page.get_by_label("原文")
    field.fill(re.sub(r"\|Z$", "|F", field.input_value(), flags=re.MULTILINE))
    seen.page.get_by_role("button", name="保存并重新处理").click()
    seen.page.get_by_text("由此消息修改而来").wait_for()
    assert seen.page.locator("dd", has_text="已入库").count() == 1
    seen.page.get_by_role("link", name=re.compile("修改前的原文")).click()
    seen.page.get_by_text("修改并另存为新版本").wait_for()
    assert seen.page.locator(".raw mark").inner_text() == "Z"


def test_a_heap_is_replayed_while_one_watches(look: OpenLook, messages: str) -> None:
    seen = look(language="en")
    seen.open("/exchange/quarantine")
    seen.page.get_by_role("button", name=re.compile("^Replay all")).first.click()
    seen.page.get_by_text("Replay finished").wait_for(timeout=20_000)
    assert re.search(r"(\d+) of \1 replayed", seen.page.locator(".run").first.inner_text())


def test_a_message_is_dismissed_with_a_reason_and_taken_back(look: OpenLook, messages: str) -> None:
    post(messages, "STEW-D1", "Z")
    seen = look()
    seen.open("/exchange/quarantine?sender=STEW")
    seen.page.locator("[data-row]").first.click()
    seen.page.get_by_label("作废理由").fill("测试消息")
    seen.page.get_by_role("button", name="作废", exact=True).click()
    seen.page.get_by_role("button", name="撤销作废").wait_for()
    assert "测试消息" in seen.page.locator("main").inner_text()
    seen.page.get_by_role("button", name="撤销作废").click()
    seen.page.get_by_role("button", name="重新处理").wait_for()


def test_a_sender_is_registered_and_given_a_key(look: OpenLook, messages: str) -> None:
    seen = look(language="en")
    seen.open("/exchange/senders/edit")
    seen.page.locator("#sender").fill("BROWSER")
    seen.page.locator("#name").fill("Browser hospital")
    seen.page.locator("#hours").fill("18-08")
    seen.page.locator(".sender-form button").click()
    seen.page.get_by_text("It reads like 08-18").wait_for()
    seen.page.locator("#hours").fill("08-18")
    seen.complaints.clear()  # The browser itself complains of the refused form's status.
    seen.page.locator(".sender-form button").click()
    seen.page.wait_for_url("**/exchange/senders/one?name=BROWSER")
    seen.page.get_by_role("button", name="Make a new key").click()
    assert len(seen.page.locator(".key-shown").inner_text()) > 40


@pytest.mark.parametrize("way", LOOKS, ids="-".join)
def test_every_page_of_the_steward_fits_and_is_accessible(look: OpenLook, messages: str, axe: str, way: tuple[str, ...]) -> None:
    seen = look(*way)
    seen.open("/exchange/quarantine")
    first = seen.page.locator("[data-row]").first.get_attribute("href") or ""
    for path in [*PAGES, first, f"{first}/edit"]:
        seen.open(path)
        assert overflow(seen) <= 0, path
        assert serious(seen, axe) == [], path
        assert seen.page.evaluate("window.shifted") < 0.1, path
