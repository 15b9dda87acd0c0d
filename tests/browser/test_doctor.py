"""A doctor at the workstation and on the phone, with a real browser and the real platform."""

from __future__ import annotations

import re

import pytest

from tests.browser.conftest import Look, OpenLook
from tests.browser.material import NAME

LOOKS = [
    ("phone", "zh", "light", "normal"), ("desktop", "zh", "light", "normal"), ("desktop", "en", "dark", "normal"),
    ("phone", "en", "dark", "large"), ("desktop", "zh", "dark", "large"),
]
GLUCOSE = "/results?code=http%3A%2F%2Floinc.org%7C1558-6"


# What passes is ten times as much as what fails; to bring it out of the page takes longer than to find it.
_SERIOUS = """async () => {
  const found = await axe.run({
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"],
  });
  return found.violations.filter((one) => ["serious", "critical"].includes(one.impact))
    .map((one) => ({ id: one.id, html: one.nodes[0].html, why: one.nodes[0].failureSummary || "" }));
}"""


def pages_of(resident: str) -> list[str]:
    return ["/", "/clinician/", resident, f"{resident}/results", f"{resident}{GLUCOSE}", "/exchange/messages", "/offline"]


def test_a_resident_is_found_by_keyboard_alone(look: OpenLook) -> None:
    seen = look()
    seen.open("/")
    seen.page.keyboard.press("/")
    seen.page.keyboard.type("chenfenglan")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url("**/clinician/")
    seen.page.locator("#found").get_by_text(re.compile("找到的居民")).wait_for()
    seen.page.keyboard.press("Escape")
    seen.page.keyboard.press("j")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url("**/clinician/residents/**")
    assert seen.page.get_by_role("heading", level=1).inner_text() == NAME
    seen.page.go_back(wait_until="networkidle")
    assert "最近查看" in seen.page.inner_text("#found")


@pytest.mark.parametrize("typed", ["陈凤", "chenf", "cfl", "990101193909220269", "12900008457"])
def test_people_are_found_while_typing(look: OpenLook, typed: str) -> None:
    seen = look()
    seen.open("/clinician/")
    seen.page.get_by_role("searchbox").press_sequentially(typed, delay=20)
    seen.page.locator("#found").get_by_text(re.compile("找到的居民")).wait_for()
    assert seen.page.locator("#found [data-row]").first.inner_text().startswith(NAME[:1])
    assert seen.page.url.endswith("/clinician/"), "nothing about people stands in addresses"


def test_nobody_found_is_said_kindly(look: OpenLook) -> None:
    seen = look()
    seen.open("/clinician/")
    seen.page.get_by_role("searchbox").fill("没有这个人")
    seen.page.get_by_text("请换一种写法").wait_for()


def test_the_record_tells_a_life_with_sources(look: OpenLook, resident: str) -> None:
    seen = look()
    seen.open(resident)
    assert "990********0269" in seen.page.locator(".resident").inner_text()
    assert "过敏：青霉素" in seen.page.locator(".resident").inner_text()
    first = seen.page.locator(".timeline-entry").first
    assert "慢性阻塞性肺疾病急性加重" in first.inner_text()
    assert "云州市第一人民医院" in first.inner_text()
    trend = seen.page.locator("#trends li").first
    trend.wait_for()
    assert "8.3" in trend.inner_text()
    assert trend.locator("rect.band").count() == 1
    assert trend.locator(".value-high").count() == 1


def test_the_timeline_is_filtered_in_place_and_by_address(look: OpenLook, resident: str) -> None:
    seen = look()
    seen.open(resident)
    seen.page.locator(".chip", has_text="用药").click()
    seen.page.wait_for_url("**?kind=medicine")
    seen.page.locator(".chip[aria-current]", has_text="用药").wait_for()
    assert seen.page.locator(".timeline-entry").count() == 1
    seen.page.reload(wait_until="networkidle")
    assert seen.page.locator(".timeline-entry").count() == 1


def test_a_result_is_drawn_with_its_band_and_its_table(look: OpenLook, resident: str) -> None:
    seen = look()
    seen.open(resident + GLUCOSE)
    assert seen.page.locator(".trend-chart canvas").count() == 1
    assert seen.page.locator("tbody tr").count() == 4


def test_a_document_opens(look: OpenLook, resident: str) -> None:
    seen = look()
    seen.open(resident)
    seen.page.locator("a.timeline-part", has_text="出院小结").click()
    seen.page.get_by_text("准予出院").wait_for()


def test_the_language_switch_keeps_the_place(look: OpenLook, resident: str) -> None:
    seen = look()
    seen.open(resident)
    seen.page.get_by_role("link", name="English").click()
    seen.page.get_by_text("Current medicines").wait_for()
    assert seen.page.locator("html").get_attribute("lang") == "en"
    seen.open("/clinician/")
    assert seen.page.get_by_role("heading", level=1).inner_text() == "Find a resident"


def test_theme_and_text_size_are_chosen_and_kept(look: OpenLook, resident: str) -> None:
    seen = look()
    seen.open(resident)
    before = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    for button in ("深色", "大字"):
        seen.page.get_by_text("显示").first.click()
        seen.page.get_by_role("button", name=button).click()
        seen.page.wait_for_load_state("networkidle")
    assert seen.page.url.endswith(resident)
    assert seen.page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    assert seen.page.locator("html").get_attribute("data-text") == "large"


@pytest.mark.parametrize("way", LOOKS, ids="-".join)
def test_every_page_fits_is_accessible_and_calm(look: OpenLook, resident: str, axe: str, way: tuple[str, ...]) -> None:
    seen = look(*way)
    for path in pages_of(resident):
        seen.open(path)
        assert overflow(seen) <= 0, path
        assert serious(seen, axe) == [], path
        assert seen.page.evaluate("window.shifted") < 0.1, path


def overflow(seen: Look) -> int:
    return seen.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def serious(seen: Look, axe: str) -> list[str]:
    """What axe finds wrong at the levels serious and critical, each with the first element that shows it."""
    seen.page.evaluate(axe)
    bad = seen.page.evaluate(_SERIOUS)
    return [f"{one['id']}: {one['html'][:200]} {one['why'][:300]}" for one in bad]


@pytest.mark.parametrize("path", ["/", "/clinician/", "record"])
def test_a_first_visit_weighs_less_than_150_kilobytes(look: OpenLook, resident: str, path: str) -> None:
    seen = look("phone")
    seen.open(resident if path == "record" else path)
    weight = seen.page.evaluate(
        "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')].reduce((sum, one) => sum + one.transferSize, 0)",
    )
    assert 10_000 < weight < 150_000


@pytest.mark.parametrize("path", ["/", "/clinician/", "record"])
def test_large_mode_has_large_targets(look: OpenLook, resident: str, path: str) -> None:
    seen = look("phone", text="large")
    seen.open(resident if path == "record" else path)
    small = seen.page.evaluate(
        """[...document.querySelectorAll("button, summary, input, .button, .chip, .tool, .tile, .navigation-link, a.row-item, .person-row, .brand")]
        .filter((one) => one.offsetParent && one.type !== "hidden" && one.getBoundingClientRect().height < 47.5)
        .map((one) => `${one.className} ${one.getBoundingClientRect().height}`)""",
    )
    assert small == []


def test_the_page_of_an_unknown_resident_is_designed(look: OpenLook) -> None:
    seen = look(language="en")
    seen.open("/clinician/residents/nobody")
    assert seen.page.get_by_role("heading", level=1).inner_text() == "Not found"
    seen.complaints.clear()


def test_without_a_network_the_offline_page_appears(look: OpenLook) -> None:
    seen = look()
    seen.open("/")
    seen.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    seen.page.context.set_offline(True)
    seen.page.goto(f"{seen.address}/clinician/")
    assert seen.page.get_by_role("heading", level=1).inner_text() == "网络已断开"
    seen.page.context.set_offline(False)
    seen.open("/?lang=en")
    seen.page.context.set_offline(True)
    seen.page.goto(f"{seen.address}/clinician/")
    assert seen.page.get_by_role("heading", level=1).inner_text() == "No network", "in the language of the page before"
    seen.page.context.set_offline(False)
    seen.complaints.clear()
