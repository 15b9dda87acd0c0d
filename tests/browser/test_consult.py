"""The talk of a consultation in a real browser: nothing is lost and nothing doubled when the network goes away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import DEVICES
from tests.conversation import Conversation, converse
from tests.serving import Server

_OWN = "urn:kangyun:internet-hospital:"


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    """A consultation by text that has begun, in a clinic."""
    running = Server(tmp_path_factory.mktemp("consult"))
    running.start()
    made = converse(running)
    made.put({
        "resourceType": "HealthcareService", "id": "clinic", "active": True, "name": "高血压专病门诊",
        "category": [{"coding": [{"system": f"{_OWN}category", "code": "clinic"}]}]})
    encounter = made.get(f"Encounter/{made.encounter}")
    made.put(encounter | {
        "meta": {"tag": [{"system": f"{_OWN}kind", "code": "text"}]},
        "extension": [{"url": f"{_OWN}clinic", "valueReference": {"reference": "HealthcareService/clinic"}}]})
    yield made
    running.stop()


def opened(browser: Browser, visit: Conversation, who: str, path: str, device: str) -> Page:
    context = browser.new_context(**DEVICES[device], locale="zh-CN")  # pyright: ignore[reportArgumentType]
    context.add_cookies([{"name": name, "value": value, "url": visit.url} for name, value in visit.cookies(who).items()])
    page = context.new_page()
    page.goto(f"{visit.url}{path}")
    return page


def say(page: Page, text: str) -> None:
    page.get_by_role("textbox", name="写消息").fill(text)
    page.get_by_role("button", name="发送").click()


def test_what_is_written_without_a_network_arrives_once(browser: Browser, visit: Conversation) -> None:
    phone = opened(browser, visit, "resident", f"/consult/visits/{visit.encounter}", "phone")
    desk = opened(browser, visit, "doctor", f"/consult/doctor/visits/{visit.encounter}", "desktop")
    say(phone, "血压 148/92")
    desk.locator("[data-messages]").get_by_text("血压 148/92").wait_for()
    phone.context.set_offline(True)
    say(phone, "头有点晕")
    say(phone, "药吃完了")
    phone.get_by_text("网络不好").wait_for()
    assert phone.locator(".chat-waiting").count() == 2
    phone.context.set_offline(False)
    desk.locator("[data-messages]").get_by_text("药吃完了").wait_for(timeout=40_000)
    phone.locator(".chat-waiting").first.wait_for(state="detached", timeout=40_000)
    told = [one.inner_text() for one in desk.locator("[data-messages] .chat-bubble").all()]
    assert told == ["血压 148/92", "头有点晕", "药吃完了"]
    say(desk, "今天量过几次？")
    phone.locator("[data-messages]").get_by_text("今天量过几次？").wait_for(timeout=40_000)
    assert [one.inner_text() for one in phone.locator("[data-messages] .chat-bubble").all()] == [*told, "今天量过几次？"]
    phone.context.close()
    desk.context.close()


def test_what_was_not_sent_before_the_page_closed_is_sent_when_it_opens_again(browser: Browser, visit: Conversation) -> None:
    phone = opened(browser, visit, "resident", f"/consult/visits/{visit.encounter}", "phone")
    phone.locator("[data-messages] [data-id]").first.wait_for()
    phone.context.set_offline(True)
    say(phone, "还在吗")
    phone.locator(".chat-waiting").wait_for()
    phone.context.set_offline(False)
    phone.goto(f"{visit.url}/consult/visits/{visit.encounter}")
    phone.locator("[data-messages] [data-id]").get_by_text("还在吗").wait_for(timeout=40_000)
    # The server may have had it before the page was left; it is asked once more, and answers that it is the same.
    phone.locator(".chat-waiting").wait_for(state="detached", timeout=40_000)
    assert phone.locator(".chat-bubble", has_text="还在吗").count() == 1
    phone.context.close()


def test_the_history_on_the_desk_is_filtered_without_leaving_the_desk(browser: Browser, visit: Conversation) -> None:
    path = f"/consult/doctor/visits/{visit.encounter}"
    desk = opened(browser, visit, "doctor", path, "desktop")
    chip = desk.locator(".timeline-chips .chip", has_text="门诊")
    chip.click()
    desk.locator(".timeline-chips .chip[aria-current=true]", has_text="门诊").wait_for()
    assert desk.url == f"{visit.url}{path}", "who loads the page anew is still at the desk"
    assert desk.locator(".timeline-list").first.evaluate("list => getComputedStyle(list).listStyleType") == "none", "it looks as on the record's page"
    desk.context.close()
