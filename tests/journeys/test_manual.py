"""The whole way in a real browser, on a phone in Chinese and on a desktop in English; it prints itself as a page of the manual."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tests import chromium
from tests.journeys.manual import Chapter
from tests.journeys.world import World
from yunzhou import entrance, prescribing
from yunzhou.actors import Actor
from yunzhou.entrance import App, Authenticator
from yunzhou.journey import RECORD
from yunzhou.prescribing import AMLODIPINE, Sheet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_DEVICES: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}, "desktop": {"viewport": {"width": 1280, "height": 800}},
}
_WORDS = Path(__file__).with_name("hypertension.yaml")


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """The machine's own Chromium."""
    program = chromium.program()
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=program, args=chromium.FLAGS)
        yield started
        await started.close()


@dataclass
class Told:
    """What is told: a world, a browser, the chapter that is printed, and the resident's page."""

    world: World
    browser: Browser
    chapter: Chapter
    page: Page
    visit: str = ""
    number: str = ""

    async def open(self, path: str) -> None:
        """Go to an address of the platform and wait until it is quiet."""
        await self.page.goto(self.world.server.url + path, wait_until="networkidle")

    async def press(self, selector: str) -> None:
        """Press something and wait for the page that follows."""
        async with self.page.expect_navigation(wait_until="networkidle"):
            await self.page.locator(selector).first.click()

    async def print(self, key: str, page: Page | None = None) -> None:
        """Print a step with what a page shows, the resident's where none is named."""
        await self.chapter.step(key, page or self.page)


async def context_of(browser: Browser, world: World, device: str, language: str) -> BrowserContext:
    """A browser of one person."""
    context = await browser.new_context(**_DEVICES[device], reduced_motion="reduce")
    await context.add_cookies([{"name": "language", "value": language, "url": world.server.url}])
    return context


@pytest.mark.parametrize(("device", "language"), [("phone", "zh"), ("desktop", "en")])
async def test_she_sees_her_doctor_from_home(world: World, browser: Browser, device: str, language: str) -> None:
    context = await context_of(browser, world, device, language)
    told = Told(world, browser, Chapter("hypertension-from-home", language, device, _WORDS), await context.new_page())
    await log_in(told)
    await ask(told)
    await pay(told, first=True)
    await consult(told, await context_of(browser, world, "desktop", language))
    await review(told, await context_of(browser, world, "desktop", language))
    await choose(told)
    await pay(told)
    await receive(told)
    told.chapter.end()


async def log_in(told: Told) -> None:
    """By telephone and code."""
    phone = told.world.people[0].who.phone
    await ask_for_code(told, phone)
    await told.page.fill("input[name=code]", told.world.around.phones.code(phone))
    await told.press("form[action='/login/code/check'] button")
    await told.open("/resident/")
    await told.print("home")


async def ask_for_code(told: Told, phone: str) -> None:
    """She who was sent one a moment ago, on another device, waits as long as the page says."""
    while True:
        await told.open("/login")
        await told.page.fill("input[name=phone]", phone)
        await told.press("form[action='/login/code'] button")
        if await told.page.locator("input[name=code]").count():
            return
        wait = re.search(r"\d+", await told.page.inner_text("#resident .note-red"))
        assert wait, "neither a code nor how long to wait"
        await told.page.wait_for_timeout(int(wait[0]) * 1000)


async def ask(told: Told) -> None:
    """Find the clinic, say what it is about, agree."""
    await told.open("/consult")
    await told.print("find")
    await told.open(f"/consult/clinics/{told.world.open.clinics[0]}/ask?doctor={told.world.open.doctors[0].practitioner}")
    await told.page.fill("#complaint", "血压一直稳定，药快吃完了，想续方。")
    for no in await told.page.locator("form[data-questionnaire] input[type=radio][value=false]").all():
        await no.check()
    await told.page.check("input[name=consent]")
    await told.page.evaluate("window.scrollTo(0, 0)")
    await told.print("ask")
    await told.press("form[data-questionnaire] .button-main")
    found = re.search(r"/consult/visits/([\w-]+)", told.page.url)
    assert found, await told.page.inner_text("main")
    told.visit = found[1]


async def pay(told: Told, *, first: bool = False) -> None:
    """Look at the figure, confirm it, pay it on the bank's page, come back."""
    path = f"/consult/pay/visit/{told.visit}" if first else f"/consult/pay/medicine/{told.number}"
    await told.open(path)
    if not first:
        await told.print("figure")
    await told.press(".checkout .button-main")
    if first:
        await told.print("fee")
    await told.press("button[name=scene][value=phone]")
    await told.press("a.pay-go")
    if first:
        await told.print("bank")
    await told.press("button")
    for _ in range(60):
        await told.open(path)
        if await told.page.locator(".badge-green").count() >= 3:
            break
        await told.page.wait_for_timeout(500)
    assert await told.page.locator(".badge-green").count() >= 3, await told.page.inner_text("main")
    if not first:
        await told.print("settled")


async def staff_page(told: Told, context: BrowserContext, login: Any) -> tuple[Page, Actor]:
    """Somebody of the staff in a browser of the own, and with a token of the same session."""
    door = entrance.Browser(told.world.server.url, "10.8.0.2")
    app: Authenticator = told.world.authenticator(login)
    await entrance.staff(door, login.name, login.password, app)
    token = await entrance.token(door, App(told.world.app, "http://127.0.0.1/back", "user/*.cruds offline_access"))
    secret = door.http.cookies["kangyun_session"]
    await door.close()
    await context.add_cookies([{"name": "kangyun_session", "value": secret, "url": told.world.server.url}])
    return await context.new_page(), Actor(told.world.line(), str(token["access_token"]), "", login.name)


async def consult(told: Told, context: BrowserContext) -> None:
    """The doctor begins in person, both write, the doctor prescribes, records and ends."""
    login = told.world.open.doctors[0]
    desk, doctor = await staff_page(told, context, login)
    here = f"{told.world.server.url}/consult/doctor/visits/{told.visit}"
    await desk.goto(here, wait_until="networkidle")
    await desk.check("input[name=means][value=password]")
    await desk.fill("#code", login.password)
    await desk.click("form[action$='/start'] .button-main")
    await desk.wait_for_load_state("networkidle")
    await desk.fill(".chat-form [name=text]", "您好，最近在家量的血压是多少？")
    await desk.click(".chat-form .button-main")
    await desk.wait_for_timeout(500)
    await told.open(f"/consult/visits/{told.visit}")
    await told.page.fill(".chat-form [name=text]", "早上 132/80，晚上 128/78，没有不舒服。")
    await told.page.locator(".chat-form .button-main").click()
    await told.page.wait_for_timeout(800)
    await desk.goto(here, wait_until="networkidle")
    await told.print("doctor", desk)
    await told.print("chat")
    patient = str((await doctor.read("Encounter", told.visit))["subject"]["reference"]).removeprefix("Patient/")
    told.number = await prescribing.prescribe(doctor, Sheet(patient, told.visit, ("I10", "高血压")), (AMLODIPINE,))
    await record(desk)
    await desk.click("form[action$='/finish'] button")
    await desk.wait_for_load_state("networkidle")


async def record(desk: Page) -> None:
    """Fill in the medical record, code the diagnosis, sign."""
    for key, text in RECORD.items():
        await desk.fill(f"#section-{key}", text)
    await desk.fill("#find", "I10")
    await desk.locator("#codes button, #codes input").first.click()
    await desk.wait_for_load_state("networkidle")
    await desk.click("button[name=event][value=sign]")
    await desk.wait_for_load_state("networkidle")


async def review(told: Told, context: BrowserContext) -> None:
    """A pharmacist judges and passes."""
    page, pharmacist = await staff_page(told, context, told.world.staff["pharmacist"])
    await prescribing.claim(pharmacist, told.number)
    await page.goto(f"{told.world.server.url}/review/{told.number}", wait_until="networkidle")
    await told.print("review", page)
    await page.click("button[name=deed][value=pass]")
    await page.wait_for_load_state("networkidle")
    await told.open(f"/resident/prescriptions/{told.number}")
    await told.print("prescription")


async def choose(told: Told) -> None:
    """To the door."""
    await told.open(f"/resident/prescriptions/{told.number}/ways")
    await told.print("ways")
    await told.page.select_option("#courier", told.world.places["courier"])
    await told.page.fill("#name", "周秀兰")
    await told.page.fill("#phone", told.world.people[0].who.phone)
    await told.page.fill("#address", "云州市东湖区梧桐里8号")
    await told.press("form:has(#address) .button-main")


async def receive(told: Told) -> None:
    """The pharmacy dispenses, the courier comes, she says the code."""
    world = told.world
    pharmacy, courier = await world.worker(world.staff["retail_pharmacist"]), await world.worker(world.staff["courier"])
    own = await world.worker(world.staff["second_pharmacist"])
    held = await prescribing.standing(own, told.number)
    at = next(one["valueReference"]["reference"] for one in held["parameter"] if one["name"] == "pharmacy")
    await prescribing.dispense(pharmacy if at.endswith(world.places["retail_pharmacist"]) else own, told.number, f"manual-{told.number}")
    await told.open(f"/resident/prescriptions/{told.number}")
    await told.print("code")
    code = (await told.page.inner_text(".code-big")).strip()
    await prescribing.deliver(courier, told.number, code)
    for _ in range(60):
        await told.open(f"/consult/pay/medicine/{told.number}")
        if await told.page.locator(".badge-green").count() == 5:
            break
        await told.page.wait_for_timeout(500)
    await told.print("done")
    assert await told.page.locator(".badge-green").count() == 5
