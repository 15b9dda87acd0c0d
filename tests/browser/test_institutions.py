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
