"""The resident's pages on a phone: home, record, installed as an app, without a network, in large text, and how much they load."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import DEVICES, Look
from tests.browser.test_doctor import overflow, serious
from tests.conversation import Conversation, converse
from tests.serving import Server

pytestmark = pytest.mark.timeout(300)
MOST_BYTES = 150 * 1024
NAME, RESULT, PAPER = "林秀英", "空腹血糖", "出院小结"
PATHS = ("/resident/", "/resident/record", "/resident/record/result?code=http://loinc.org%7C14749-6")
# The smallest picture there is.
_PICTURE = base64.b64encode(base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")).decode()
Phone = Callable[..., Page]


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    """A resident with results, papers, medicine, a booking and a consultation under way."""
    running = Server(tmp_path_factory.mktemp("phone") / "data")
    running.start(100)
    made = converse(running)
    for resource in _life(made.patient):
        answer = httpx.post(f"{made.url}/fhir/{resource['resourceType']}", json=resource, timeout=60)
        assert answer.status_code == 201, answer.text
    yield made
    running.stop()


def _life(patient: str) -> list[dict[str, Any]]:
    whom = {"reference": f"Patient/{patient}"}
    code = {"coding": [{"system": "http://loinc.org", "code": "14749-6", "display": "Fasting glucose"}], "text": RESULT}
    results = [
        {"resourceType": "Observation", "status": "final", "subject": whom, "effectiveDateTime": f"2026-0{month}-03", "code": code,
         "valueQuantity": {"value": value, "unit": "mmol/L"}, "referenceRange": [{"low": {"value": 3.9}, "high": {"value": 6.1}}]}
        for month, value in ((3, 5.8), (6, 6.4), (9, 7.9))]
    return [
        *results,
        {"resourceType": "DocumentReference", "status": "current", "subject": whom, "date": "2026-09-03T08:00:00Z", "type": {"text": PAPER},
         "content": [{"attachment": {"contentType": "image/png", "data": _PICTURE}}]},
        {"resourceType": "DiagnosticReport", "status": "final", "subject": whom, "effectiveDateTime": "2026-09-03", "code": {"text": "心电图"}, "conclusion": "窦性心律"},
        {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": whom, "medicationCodeableConcept": {"text": "苯磺酸氨氯地平片"},
         "dosageInstruction": [{"text": "每天早上 1 片"}]},
        {"resourceType": "Appointment", "status": "booked", "start": "2046-12-01T01:30:00Z", "end": "2046-12-01T01:45:00Z", "serviceType": [{"text": "心内科"}],
         "participant": [{"actor": whom, "status": "accepted"}]},
    ]


@pytest.fixture
def phone(browser: Browser, visit: Conversation) -> Iterator[Phone]:
    """A phone of the resident, or of somebody else, as ``phone(who, language, text, device)``."""
    opened: list[Any] = []

    def opening(who: str = "resident", language: str = "zh", text: str = "normal", device: str = "phone") -> Page:
        context = browser.new_context(**DEVICES[device], reduced_motion="reduce")  # pyright: ignore[reportArgumentType]
        told = visit.cookies(who) | {"language": language, "text": text}
        context.add_cookies([{"name": name, "value": value, "url": visit.url} for name, value in told.items()])
        opened.append(context)
        return context.new_page()

    yield opening
    for context in opened:
        context.close()


def test_the_home_shows_what_comes_next_and_leads_everywhere(phone: Phone, visit: Conversation) -> None:
    page = phone()
    page.goto(visit.url + "/")
    page.wait_for_url("**/resident/")
    words = page.inner_text("main")
    for expected in (NAME, "问诊进行中", "心内科", "苯磺酸氨氯地平片", "每天早上 1 片"):
        assert expected in words
    paths = page.eval_on_selector_all(".home-tile", "(tiles) => tiles.map((one) => new URL(one.href).pathname)")
    assert {"/consult", "/appointments", "/resident/record", "/resident/card"} <= set(paths)
    for path in paths:
        assert page.request.get(visit.url + path).status == 200, path
    smallest = page.evaluate("Math.min(...[...document.querySelectorAll('.home-tile')].map((one) => one.getBoundingClientRect().height))")
    assert smallest >= 48


def test_the_record_tells_what_is_high_how_it_went_and_shows_papers_as_pictures(phone: Phone, visit: Conversation) -> None:
    page = phone()
    page.goto(visit.url + "/resident/record")
    row = page.locator(".result-row", has_text=RESULT)
    assert "7.9" in row.inner_text()
    assert "偏高" in row.inner_text(), "a word, not the colour alone"
    assert row.locator("svg.spark").count() == 1
    picture = page.locator(".paper", has_text=PAPER).locator("img")
    picture.scroll_into_view_if_needed()
    picture.evaluate("(picture) => picture.decode()")
    assert picture.evaluate("(picture) => picture.naturalWidth") == 1
    row.click()
    page.wait_for_url("**/resident/record/result?**")
    assert page.locator("tbody tr").count() == 3


def test_nobody_opens_a_paper_of_somebody_else(phone: Phone, visit: Conversation) -> None:
    paper = visit.get(f"DocumentReference?patient=Patient/{visit.patient}")["entry"][0]["resource"]["id"]
    own, other = phone(), phone("stranger")
    for path in (f"/resident/record/papers/DocumentReference/{paper}", f"/resident/record/papers/DocumentReference/{paper}/0"):
        assert own.request.get(visit.url + path).status == 200
        assert other.request.get(visit.url + path).status == 404
    assert other.request.get(f"{visit.url}/resident/record?of={visit.patient}").status == 403


def test_text_becomes_large_with_one_press_and_stays_so(phone: Phone, visit: Conversation) -> None:
    page = phone()
    page.goto(visit.url + "/resident/")
    size = "parseFloat(getComputedStyle(document.querySelector('.home-tile')).fontSize)"
    before = page.evaluate(size)
    page.get_by_role("button", name="换成大字").click()
    page.get_by_role("button", name="换回普通字").wait_for()
    assert page.evaluate(size) >= max(20, before * 1.2)
    page.goto(visit.url + "/resident/record")
    assert page.locator("html").get_attribute("data-text") == "large"


@pytest.mark.parametrize(("language", "name"), [("zh", "康云"), ("en", "Kangyun")])
def test_it_can_be_installed_as_an_app(phone: Phone, visit: Conversation, language: str, name: str) -> None:
    page = phone(language=language)
    page.goto(visit.url + "/resident/")
    tools = page.context.new_cdp_session(page)
    told = tools.send("Page.getAppManifest")
    assert told["errors"] == []
    manifest = json.loads(told["data"])
    assert manifest["short_name"] == name
    assert manifest["display"] == "standalone"
    for icon in manifest["icons"]:
        answer = page.request.get(visit.url + icon["src"])
        assert answer.headers["content-type"] == "image/png"
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    faults = [one["errorId"] for one in tools.send("Page.getInstallabilityErrors")["installabilityErrors"]]
    # A window of a test is a private one, which cannot install anything.
    assert [one for one in faults if one != "in-incognito"] == []


def test_what_the_phone_keeps_tells_nothing_about_anybody(phone: Phone, visit: Conversation) -> None:
    page = phone()
    for path in ("/resident/", "/resident/record", "/resident/card", "/consult", "/resident/pass"):
        page.goto(visit.url + path, wait_until="networkidle")
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    kept = page.evaluate("""async () => {
      const found = [];
      for (const name of await caches.keys()) {
        const shelf = await caches.open(name);
        for (const request of await shelf.keys()) found.push([new URL(request.url).pathname, await (await shelf.match(request)).text()]);
      }
      return found;
    }""")
    assert kept
    for path, text in kept:
        assert path in {"/offline", "/resident/pass"} or path.startswith("/static/"), path
        assert NAME not in text
        assert RESULT not in text
        assert "data-login" not in text, "it does not even tell who was logged in"
    page.context.set_offline(True)
    page.goto(visit.url + "/resident/record")
    page.get_by_role("heading").filter(has_text=re.compile("网络已断开|offline", re.IGNORECASE)).wait_for()
    assert NAME not in page.content()


@pytest.mark.parametrize("path", ["/login", *PATHS, "/consult", "/appointments", "/resident/prescriptions", "/resident/parcels", "/resident/card", "/payments"])
def test_a_first_visit_loads_little(phone: Phone, visit: Conversation, path: str) -> None:
    page = phone()
    if path == "/login":
        page.context.clear_cookies()
    tools = page.context.new_cdp_session(page)
    tools.send("Network.enable")
    tools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    sizes: list[int] = []
    tools.on("Network.loadingFinished", lambda told: sizes.append(int(told["encodedDataLength"])))
    answer = page.goto(visit.url + path, wait_until="networkidle")
    assert answer is not None
    assert answer.status == 200
    assert 0 < sum(sizes) <= MOST_BYTES


@pytest.mark.parametrize("which", [("phone", "zh", "large"), ("phone", "en", "normal"), ("desktop", "zh", "normal"), ("desktop", "en", "large")], ids="-".join)
def test_everybody_can_use_these_pages(phone: Phone, visit: Conversation, axe: str, which: tuple[str, str, str]) -> None:
    device, language, text = which
    page = phone(language=language, text=text, device=device)
    for path in PATHS:
        page.goto(visit.url + path, wait_until="networkidle")
        seen = Look(page, visit.url)
        assert serious(seen, axe) == [], path
        assert overflow(seen) <= 0, path
