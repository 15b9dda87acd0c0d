"""A resident sees who looked and asks about it on a phone; an auditor searches, reviews and exports at a desk."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.browser import material
from tests.browser.conftest import Look, OpenLook
from tests.browser.test_doctor import overflow, serious

LOOKS = [("phone", "zh", "light"), ("phone", "en", "dark"), ("desktop", "zh", "dark"), ("desktop", "en", "light")]
PAGES = ["/resident/visitors", "/audit", "/audit/anomalies"]


@pytest.fixture(scope="module")
def patient(server: str) -> str:
    """Somebody whose record was looked at."""
    found = httpx.get(f"{server}/fhir/Patient", params={"identifier": material.NUMBER}, timeout=30).json()
    id_ = str(found["entry"][0]["resource"]["id"])
    for type_ in ("Observation", "Condition", "MedicationRequest"):
        httpx.get(f"{server}/fhir/{type_}", params={"patient": id_}, timeout=30)
    return id_


def resident(look: OpenLook, patient: str, device: str, language: str = "zh", theme: str = "light") -> Look:
    """The resident's own browser, as it is chosen where there is no login."""
    seen = look(device, language, theme)
    seen.page.context.add_cookies([{"name": "resident", "value": patient, "url": f"{seen.address}/resident"}])
    return seen


@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_a_resident_asks_and_reads_the_answer(look: OpenLook, patient: str, device: str) -> None:
    seen = resident(look, patient, device)
    seen.open("/resident/visitors")
    visit = seen.page.locator(".visit").filter(has_text="检验检查").first
    assert "查询" in visit.inner_text()
    visit.get_by_text("我有疑问").click()
    words = f"这是谁查的（{device}）"
    visit.get_by_label("您想问什么").fill(words)
    visit.get_by_role("button", name="提交").click()
    seen.page.get_by_text("核查中").first.wait_for()
    assert words in seen.page.locator("#questions").inner_text()

    auditor = look("desktop")
    auditor.open("/audit/anomalies?rule=question")
    row = auditor.page.locator(".anomaly").filter(has_text=words)
    row.get_by_text("复核", exact=True).click()
    row.get_by_label("复核意见").fill("检验科核对结果，属正常诊疗")
    row.get_by_role("button", name="有合理解释").click()
    auditor.page.locator(".anomaly").filter(has_text=words).get_by_text("有合理解释").wait_for()

    seen.open("/resident/visitors")
    assert "检验科核对结果" in seen.page.locator("#questions").inner_text()


def test_an_auditor_finds_a_resident_by_number_and_looks_closer_by_keyboard(look: OpenLook, patient: str) -> None:
    seen = look("desktop", "en")
    seen.open("/audit")
    seen.page.keyboard.press("/")
    seen.page.keyboard.type(material.NUMBER)
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url(re.compile(r"/audit\?patient="))
    assert material.NUMBER not in seen.page.url
    seen.page.keyboard.press("j")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url(re.compile(r"/audit/events/\d+-\d+$"))
    assert patient in seen.page.locator("main").inner_text()


def test_files_for_the_regulator_are_downloaded(look: OpenLook, patient: str) -> None:
    seen = look("desktop", "en")
    seen.open(f"/audit?patient={patient}")
    for name, ending in (("Export NDJSON", ".ndjson"), ("Export a table", ".csv")):
        with seen.page.expect_download() as waiting:
            seen.page.get_by_role("link", name=name).click()
        assert waiting.value.suggested_filename.endswith(ending)
        assert waiting.value.path().stat().st_size > 100


@pytest.mark.parametrize("way", LOOKS)
@pytest.mark.parametrize("path", PAGES)
def test_the_pages_are_accessible_and_fit(look: OpenLook, patient: str, axe: str, path: str, way: tuple[str, str, str]) -> None:
    seen = resident(look, patient, *way)
    seen.open(path)
    assert serious(seen, axe) == []
    assert overflow(seen) <= 0
