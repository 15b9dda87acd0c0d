"""A form that is refused loses nothing that was typed, in a real browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.conftest import OpenLook


def test_going_back_from_a_refusal_finds_what_was_typed(look: OpenLook) -> None:
    seen = look("phone")
    seen.open("/population/register")
    page = seen.page
    page.fill("#name", "诸葛秀英")
    page.fill("#born", "1949-12-31")
    page.select_option("#sex", "female")
    page.context.clear_cookies(name="csrf")
    page.locator("main form button").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("页面已过期")
    page.get_by_role("link", name="返回修改").click()
    expect(page.locator("#name")).to_have_value("诸葛秀英")
    expect(page.locator("#born")).to_have_value("1949-12-31")
    expect(page.locator("#sex")).to_have_value("female")
    page.locator("main form button").first.click()
    expect(page.locator("main")).to_contain_text("没有相似的档案")
    assert page.evaluate("sessionStorage.length") == 0, "nothing is kept once the form was taken"
    seen.complaints.clear()


def test_a_part_of_a_page_that_is_refused_is_told_beside_the_page(look: OpenLook) -> None:
    seen = look()
    seen.open("/clinician/")
    seen.page.context.clear_cookies(name="csrf")
    before = seen.page.inner_text("#found")
    seen.page.get_by_role("searchbox").press_sequentially("chen", delay=20)
    expect(seen.page.locator("#toasts")).to_contain_text("页面停留太久")
    assert seen.page.inner_text("#found") == before
    assert seen.page.get_by_role("searchbox").input_value() == "chen"
    seen.complaints.clear()
