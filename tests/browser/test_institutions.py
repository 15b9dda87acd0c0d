"""A clinic moves in: its page, its papers, its staff, by keyboard, on a phone and at a desk."""

from __future__ import annotations

import httpx
import pytest

from tests.browser.conftest import OpenLook
from tests.browser.test_doctor import overflow, serious

LOOKS = [("phone", "zh", "light"), ("phone", "en", "dark"), ("desktop", "zh", "dark"), ("desktop", "en", "light")]


@pytest.fixture(scope="module")
def clinic(server: str) -> str:
    """The id of a clinic that has moved in."""
    organization = {
        "resourceType": "Organization", "id": "browser-clinic", "name": "柳河村卫生室", "active": True,
        "type": [{"coding": [{"system": "urn:kangyun:institution-kind", "code": "village_clinic"}]}],
    }
    answer = httpx.put(f"{server}/fhir/Organization/browser-clinic", json=organization, timeout=30)
    assert answer.status_code in {200, 201}, answer.text
    return "browser-clinic"


def test_a_clinic_is_added_by_keyboard_and_invites_its_first_doctor(look: OpenLook) -> None:
    seen = look("desktop", "en", "light")
    seen.open("/institutions/add")
    seen.page.locator("#name").focus()
    seen.page.keyboard.type("白沙村卫生室")
    seen.page.locator("#kind").select_option("village_clinic")
    seen.page.locator("#address").focus()
    seen.page.keyboard.press("Enter")
    seen.page.get_by_role("heading", name="白沙村卫生室").wait_for()
    seen.open(seen.page.url.removeprefix(seen.address) + "/staff")
    seen.page.locator("input[name=role][value=village_doctor]").check()
    seen.page.get_by_role("button", name="Make an invitation").press("Enter")
    link = seen.page.locator("#link")
    link.wait_for()
    assert "/invitation/" in link.input_value()
    assert seen.page.locator("main svg.qr").bounding_box()["width"] <= 330, "the code is no poster that hides the staff below it"  # pyright: ignore[reportOptionalSubscript]


@pytest.mark.parametrize("way", LOOKS)
def test_every_page_of_moving_in_can_be_read_and_used(look: OpenLook, clinic: str, axe: str, way: tuple[str, str, str]) -> None:
    seen = look(*way)
    for page in ("/institutions", f"/institutions/{clinic}", *(f"/institutions/{clinic}/{part}" for part in ("letterhead", "staff", "system"))):
        seen.open(page)
        assert serious(seen, axe) == [], page
        assert overflow(seen) <= 0, page


def test_a_crowded_table_never_becomes_poles_of_single_signs(look: OpenLook) -> None:
    seen = look("phone", "zh", "light")
    seen.open("/institutions")
    widths = seen.page.evaluate("""() => {
      const row = Array.from({ length: 8 }, () => "<td>云州市第一人民医院</td>").join("");
      document.getElementById("main").innerHTML = `<div class="table-frame"><table class="table-plain"><tbody><tr>${row}</tr></tbody></table></div>`;
      return [...document.querySelectorAll("td")].map((cell) => cell.clientWidth / parseFloat(getComputedStyle(cell).fontSize));
    }""")
    assert min(widths) >= 6, widths
    assert overflow(seen) <= 0, "the frame scrolls, not the page"


@pytest.mark.parametrize("text", ["normal", "large"])
def test_the_words_of_the_menu_are_whole_on_a_phone(look: OpenLook, text: str) -> None:
    seen = look("phone", "en", "light", text)
    for page in ("/institutions", "/clinician/", "/audit", "/audit/anomalies", "/access/emergencies"):
        seen.open(page)
        cut = seen.page.evaluate("""() => [...document.querySelectorAll(".navigation-link span")]
          .filter((word) => word.offsetParent && (word.scrollWidth > word.clientWidth + 1 || word.getBoundingClientRect().right > innerWidth)).map((word) => word.textContent)""")
        assert cut == [], page
        assert seen.page.locator(".navigation-link[aria-current]").is_visible(), page


def test_a_button_in_a_table_is_one_line_on_a_phone(look: OpenLook, clinic: str) -> None:
    seen = look("phone", "zh", "light")
    seen.open(f"/institutions/{clinic}/staff")
    lines = seen.page.evaluate("""() => {
      const cells = "<td>demo.card-desk</td><td>挂号收费员</td><td>等待第二因素</td><td><form class='form-row'><button class='button'>收回岗位</button><button class='button'>锁定账号</button></form></td>";
      document.getElementById("main").innerHTML = `<div class="table-frame"><table class="table-plain"><tbody><tr>${cells}</tr></tbody></table></div>`;
      return [...document.querySelectorAll("#main .button")].map((button) => {
        const words = document.createRange(); words.selectNodeContents(button); return words.getClientRects().length; });
    }""")
    assert lines == [1, 1]
    assert overflow(seen) <= 0
