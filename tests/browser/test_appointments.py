"""A resident books a number on the phone and at a desk: the department, the doctor, the time, the own bookings, and giving it back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from kangyun.app.demo import outside
from kangyun.base import clock
from kangyun.base.settings import Settings
from kangyun.commons.population import ID_NUMBER_SYSTEM
from kangyun.support.appointments.model import CHINA
from kangyun.support.appointments.tests.clinic import id_number
from tests.browser.conftest import DEVICES, Look
from tests.browser.test_doctor import overflow, serious
from tests.conversation import Conversation, converse
from tests.serving import Server

HOUSE, SKIN = "call-house-1", "13"
WORDS = {
    "zh": {"department": "心血管内科", "free": "余", "take": "到院支付", "hold": "在线支付", "left": "还剩 15 分钟", "pay": "去支付", "cancel": "取消预约", "booked": "已预约", "cancelled": "已取消"},
    "en": {"department": "Cardiology", "free": "free", "take": "pay at the hospital", "hold": "pay now", "left": "15 minutes left", "pay": "Pay", "cancel": "Cancel", "booked": "Booked", "cancelled": "Cancelled"},
}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    """A hospital with two clinics of cardiology and one of the skin, and a resident whom the platform knows by an ID number."""
    folder = tmp_path_factory.mktemp("appointments")
    with outside.running(Settings(data=folder / "data")) as around:
        running = Server(folder / "data", **around.settings)
        yield from served(running)


def served(running: Server) -> Iterator[Conversation]:
    """The same, for as long as the server runs."""
    running.start()
    try:
        made = converse(running)
        person = made.person_above(made.patient)
        made.put(made.get(f"Person/{person}") | {"identifier": [{"system": ID_NUMBER_SYSTEM, "value": id_number()}]})
        made.put({"resourceType": "Practitioner", "id": "li", "name": [{"text": "李心梅"}]})
        offers(made, "心血管内科门诊", "03.04", practitioner="call-doctor-1", rank="主任医师", room="门诊楼三层3诊室", fee=1500)
        offers(made, "高血压与老年心血管病联合专病门诊（含动态血压监测与用药指导）", "03.04", practitioner="li", rank="副主任医师", room="3诊室")
        offers(made, "皮肤科门诊", SKIN)
        yield made
    finally:
        running.stop()


def offers(made: Conversation, title: str, department: str, **more: str | int) -> str:
    """A clinic with a sitting of so many numbers tomorrow and the day after."""
    told = {"institution": HOUSE, "kind": "outpatient", "department": department, "title": title, **more}
    schedule = asked(made, "$arrange", told)["id"]
    for ahead in (1, 2):
        day = clock.now().astimezone(CHINA).date() + timedelta(days=ahead)
        when = {"weekday": day.isoweekday(), "begins": "08:00", "minutes": 10, "numbers": 24, "since": day.isoformat(), "until": day.isoformat()}
        asked(made, f"{schedule}/$template", when)
    return str(schedule)


def asked(made: Conversation, operation: str, values: dict[str, Any]) -> dict[str, Any]:
    parameter = [{"name": name, "valueInteger" if isinstance(value, int) else "valueString": value} for name, value in values.items()]
    answer = httpx.post(f"{made.url}/fhir/Schedule/{operation}", json={"resourceType": "Parameters", "parameter": parameter}, timeout=30)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


def opened(browser: Browser, clinic: Conversation, device: str, language: str, who: str = "resident") -> Look:
    """Somebody's browser; who is not logged in runs the machine."""
    context = browser.new_context(**DEVICES[device], locale={"zh": "zh-CN", "en": "en-GB"}[language], reduced_motion="reduce")  # pyright: ignore[reportArgumentType] - one of the two devices
    cookies = {**(clinic.cookies(who) if who else {}), "language": language}
    context.add_cookies([{"name": name, "value": value, "url": clinic.url} for name, value in cookies.items()])
    seen = Look(context.new_page(), clinic.url)
    seen.page.on("console", lambda message: seen.complaints.append(message.text) if message.type == "error" else None)
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    return seen


def check(seen: Look, axe: str, name: str, folder: Path) -> None:
    """A page fits, is accessible, and what is touched is large enough for a thumb; its picture is kept for whoever looks."""
    seen.page.wait_for_load_state("networkidle")
    seen.page.screenshot(path=folder / f"{name}.png", full_page=True)
    assert overflow(seen) <= 0, name
    assert serious(seen, axe) == [], name
    assert cut_or_small(seen.page) == [], name


def cut_or_small(page: Page) -> list[str]:
    """What is to be touched in the page itself and is cut off, or on a phone lower than 36 pixels."""
    return page.evaluate("""() => [...document.querySelectorAll('main a[href], main button, main .time')]
        .filter((one) => one.offsetParent && getComputedStyle(one).display !== 'inline')
        .filter((one) => (innerWidth < 500 && one.getBoundingClientRect().height < 36) || one.scrollWidth > one.clientWidth + 1)
        .map((one) => `${one.innerText} ${one.getBoundingClientRect().height} ${one.scrollWidth}>${one.clientWidth}`)""")


# A number that was given back is offered again only later: nobody passes it on to somebody who waits for that moment.
@pytest.mark.parametrize("way", [("phone", "zh", "08:50"), ("desktop", "en", "09:20")], ids=["phone", "desktop"])
def test_a_resident_books_a_number_and_gives_it_back(browser: Browser, clinic: Conversation, axe: str, tmp_path: Path, way: tuple[str, str, str]) -> None:
    device, language, time = way
    words, seen = WORDS[language], opened(browser, clinic, device, language)
    page = seen.page
    seen.open("/appointments")
    check(seen, axe, f"{device}-1-find", tmp_path)
    page.get_by_role("link", name=words["department"], exact=True).click()
    page.get_by_role("link", name="皮肤科门诊").wait_for(state="detached")
    check(seen, axe, f"{device}-2-department", tmp_path)
    page.locator("a.row-item", has_text="王建国").click()
    check(seen, axe, f"{device}-3-days", tmp_path)
    page.locator("a.row-item", has_text=words["free"]).first.click()
    page.locator(".time", has_text=time).click()
    check(seen, axe, f"{device}-4-number", tmp_path)
    page.get_by_role("button", name=words["take"]).click()
    booking = page.locator("section.booking")
    expect(booking).to_contain_text("王建国")
    expect(booking).to_contain_text(time)
    expect(booking).to_contain_text(words["booked"])
    check(seen, axe, f"{device}-5-mine", tmp_path)
    booking.get_by_role("button", name=words["cancel"]).click()
    expect(booking).to_have_count(0)
    expect(page.locator("main")).to_contain_text(words["cancelled"])
    check(seen, axe, f"{device}-6-cancelled", tmp_path)
    assert seen.complaints == []
    page.context.close()


@pytest.mark.parametrize("way", [("phone", "zh", "10:10"), ("desktop", "en", "10:30")], ids=["phone", "desktop"])
def test_a_number_is_held_with_its_clock_while_the_resident_goes_to_pay(
    browser: Browser, clinic: Conversation, axe: str, tmp_path: Path, way: tuple[str, str, str],
) -> None:
    device, language, time = way
    words, seen = WORDS[language], opened(browser, clinic, device, language)
    page = seen.page
    seen.open("/appointments?department=03.04")
    page.locator("a.row-item", has_text="王建国").click()
    page.locator("a.row-item", has_text=words["free"]).first.click()
    page.locator(".time", has_text=time).click()
    sitting = page.url.rpartition("/")[2]
    check(seen, axe, f"{device}-1-number", tmp_path)
    page.get_by_role("button", name=words["hold"]).click()
    expect(page.locator("main")).to_contain_text(words["left"])
    check(seen, axe, f"{device}-2-fee", tmp_path)
    seen.open("/appointments/mine")
    booking = page.locator("section.booking")
    expect(booking).to_contain_text(words["left"])
    check(seen, axe, f"{device}-3-mine", tmp_path)
    desk = opened(browser, clinic, device, language, "")
    for name, where in (("queue", f"desk/queue/{sitting}"), ("sitting", f"calendar/{sitting}")):
        desk.open(f"/appointments/{where}")
        expect(desk.page.locator("main")).to_contain_text(words["left"])
        check(desk, axe, f"{device}-5-{name}", tmp_path)
    desk.page.context.close()
    booking.get_by_role("link", name=words["pay"]).click()
    page.get_by_role("button", name=words["pay"]).click()
    expect(page).to_have_url(re.compile("/payments/orders/"))
    check(seen, axe, f"{device}-4-order", tmp_path)
    seen.open("/appointments/mine")
    booking.get_by_role("button", name=words["cancel"]).click()
    expect(booking).to_have_count(0)
    assert seen.complaints == []
    page.context.close()


def test_a_doctor_is_found_by_the_first_letters_of_the_name(browser: Browser, clinic: Conversation) -> None:
    seen = opened(browser, clinic, "phone", "zh")
    seen.open("/appointments")
    seen.page.get_by_role("searchbox").fill("lxm")
    seen.page.get_by_role("searchbox").press("Enter")
    rows = seen.page.locator("a.row-item")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("李心梅")
    seen.page.context.close()
