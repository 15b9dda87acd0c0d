"""A resident decides who may see the record, and a doctor breaks the glass, on a phone and at a desk."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.browser import material
from tests.browser.conftest import Look, OpenLook
from tests.browser.test_doctor import overflow, serious

LOOKS = [("phone", "zh", "light"), ("phone", "en", "dark"), ("desktop", "zh", "dark"), ("desktop", "en", "light")]
HOSPITAL = "云州市同意书测试医院"


@pytest.fixture(scope="module")
def patient(server: str) -> str:
    found = httpx.get(f"{server}/fhir/Patient", params={"identifier": material.NUMBER}, timeout=30).json()
    httpx.post(f"{server}/fhir/Organization", json={"resourceType": "Organization", "name": HOSPITAL}, timeout=30)
    return str(found["entry"][0]["resource"]["id"])


def resident(look: OpenLook, patient: str, device: str, language: str = "zh", theme: str = "light") -> Look:
    """The resident's own browser, as it is chosen where there is no login."""
    seen = look(device, language, theme)
    seen.page.context.add_cookies([{"name": "resident", "value": patient, "url": f"{seen.address}/resident"}])
    return seen


def consents(address: str, patient: str) -> list[dict[str, object]]:
    """What stands in the record, the newest first."""
    asked = {"patient": patient, "_sort": "-_lastUpdated"}
    found = httpx.get(f"{address}/fhir/Consent", params=asked, timeout=30).json()
    return [entry["resource"] for entry in found.get("entry", [])]


@pytest.mark.parametrize("device", ["phone", "desktop"])
def test_a_resident_keeps_an_institution_out_in_three_steps_and_takes_it_back(look: OpenLook, patient: str, device: str) -> None:
    seen = resident(look, patient, device)
    seen.open("/resident/consents")
    seen.page.get_by_role("link", name=re.compile("不让看")).click()
    seen.page.get_by_label("查找其他机构").fill("同意书测试")
    seen.page.get_by_role("button", name="查找").click()
    seen.page.get_by_label(HOSPITAL).check()
    seen.page.get_by_role("button", name="下一步").click()
    for kind in ("就诊与诊断", "用药", "预防接种", "文书", "费用与医保"):
        seen.page.get_by_label(re.compile(f"^{kind}")).uncheck()
    seen.page.get_by_role("button", name="下一步").click()
    seen.page.get_by_label("1 年").check()
    assert HOSPITAL in seen.page.inner_text("main")
    seen.page.get_by_role("button", name="确认").click()
    seen.page.get_by_text("已生效").wait_for()
    newest = consents(seen.address, patient)[0]
    assert newest["status"] == "active"
    provision = newest["provision"]
    assert isinstance(provision, dict)
    assert provision["type"] == "deny"
    assert {one["code"] for one in provision["class"]} >= {"Observation", "ImagingStudy"}
    assert "检验检查、影像" in seen.page.locator(".consents-one").first.inner_text()
    seen.page.locator(".consents-one").first.get_by_role("button", name="撤回").click()
    seen.page.get_by_text("已撤回，从现在起不再有效").wait_for()
    seen.page.get_by_text("已撤回或到期的").wait_for()
    assert consents(seen.address, patient)[0]["status"] == "inactive"


def test_sensitive_data_need_a_consent_of_their_own_that_is_understood(look: OpenLook, patient: str) -> None:
    seen = resident(look, patient, "phone", "en")
    seen.open("/resident/consents/new?wish=sensitive")
    seen.page.get_by_label("All institutions that treat me").check()
    seen.page.get_by_role("button", name="Next").click()
    seen.page.get_by_role("button", name="Next").click()
    seen.page.get_by_role("alert").get_by_text("what it is about").wait_for()
    seen.page.get_by_label(re.compile("^Genetics")).check()
    seen.page.get_by_role("button", name="Next").click()
    seen.page.get_by_label("Until I withdraw it").check()
    before = len(consents(seen.address, patient))
    seen.page.get_by_role("button", name="Confirm").click()
    assert len(consents(seen.address, patient)) == before, "the browser asks for the tick first"
    seen.page.get_by_label(re.compile("^I understand")).check()
    seen.page.get_by_role("button", name="Confirm").click()
    seen.page.get_by_text("It holds from now on").wait_for()
    assert consents(seen.address, patient)[0]["provision"]["securityLabel"][0]["code"] == "GDIS"  # type: ignore[index]
    seen.complaints[:] = [one for one in seen.complaints if "422" not in one]


def test_a_decision_is_made_by_keyboard_alone(look: OpenLook, patient: str) -> None:
    seen = resident(look, patient, "desktop")
    seen.open("/resident/consents/new?wish=research")
    _tab_to(seen, "下一步")
    seen.page.keyboard.press("Enter")
    seen.page.get_by_text("第 2 步").wait_for()
    _tab_to(seen, "下一步")
    seen.page.keyboard.press("Enter")
    seen.page.get_by_text("第 3 步").wait_for()
    seen.page.get_by_label("3 个月").focus()
    seen.page.keyboard.press("Space")
    seen.page.get_by_label(re.compile("我已了解")).focus()
    seen.page.keyboard.press("Space")
    _tab_to(seen, "确认")
    seen.page.keyboard.press("Enter")
    seen.page.get_by_text("已生效").wait_for()
    assert consents(seen.address, patient)[0]["scope"]["coding"][0]["code"] == "research"  # type: ignore[index]


def _tab_to(seen: Look, name: str) -> None:
    """From field to field; on a page that was just opened past the menu, by the link that keyboards are offered first."""
    if seen.page.evaluate("document.activeElement === document.body"):
        seen.page.keyboard.press("Tab")
        assert str(seen.page.evaluate("document.activeElement.textContent")).strip() == "跳到正文"
        seen.page.keyboard.press("Enter")
    for _ in range(40):
        seen.page.keyboard.press("Tab")
        if str(seen.page.evaluate("document.activeElement.textContent")).strip().startswith(name):
            return
    raise AssertionError(f"{name} is not reached by the tab key")


# An abuse ends it, so that the second one is new; an accepted one lasts for the day.
@pytest.mark.parametrize(("device", "verdict"), [("phone", "滥用"), ("desktop", "合理")])
def test_glass_is_broken_with_a_reason_told_to_the_resident_and_reviewed(look: OpenLook, patient: str, device: str, verdict: str) -> None:
    seen = look(device)
    seen.open("/access/emergency")
    seen.page.get_by_label("姓名").fill(material.NAME)
    seen.page.get_by_label("身份证号").fill(material.NUMBER)
    seen.page.get_by_label("抢救：有生命危险").check()
    seen.page.get_by_label("具体情况").fill("急")
    seen.page.get_by_role("button", name="紧急打开").click()
    seen.page.get_by_role("alert").get_by_text("写明具体情况").wait_for()
    words = f"车祸大出血，需核对血型和过敏史（{device}）"
    seen.page.get_by_label("具体情况").fill(words)
    seen.page.get_by_role("button", name="紧急打开").click()
    seen.page.get_by_text("档案已打开").wait_for()
    assert material.NUMBER not in seen.page.url
    assert patient not in seen.page.url
    seen.page.get_by_role("link", name="去看档案").click()
    assert seen.page.get_by_role("heading", level=1).inner_text() == material.NAME
    assert re.search(r"您已紧急查看这份档案，可看至 .*年.*月.*日", seen.page.inner_text("main"))
    seen.complaints[:] = [one for one in seen.complaints if "422" not in one]

    own = resident(look, patient, device)
    own.open("/resident/consents")
    assert "抢救：有生命危险" in own.page.inner_text("main")

    auditor = look(device)
    auditor.open("/access/emergencies")
    line = auditor.page.locator(".row-item", has_text=words)
    line.get_by_label("审核意见").fill("与急诊记录核对过")
    line.get_by_role("button", name=verdict).click()
    auditor.page.locator(".row-item", has_text=words).get_by_text(f"审核：{verdict}").wait_for()


@pytest.mark.parametrize("which", LOOKS, ids="-".join)
def test_everybody_can_use_these_pages(look: OpenLook, axe: str, patient: str, which: tuple[str, str, str]) -> None:
    seen = resident(look, patient, *which)
    for path in ("/resident/consents", "/resident/consents/new?wish=close", "/access/emergency", "/access/emergencies"):
        seen.open(path)
        assert serious(seen, axe) == [], path
        assert overflow(seen) <= 0, path


@pytest.mark.parametrize("wish", ["close", "open", "sensitive", "research"])
def test_no_question_is_asked_that_has_one_answer(look: OpenLook, patient: str, wish: str) -> None:
    seen = resident(look, patient, "phone")
    seen.open(f"/resident/consents/new?wish={wish}")
    groups = seen.page.locator("main fieldset").all()
    assert groups
    for group in groups:
        assert group.locator("input:not([type=hidden]), .field-hint").count() > 0, group.inner_text()
