"""The electronic health card from the resident's phone to the clerk's camera."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests import chromium
from tests.browser import material
from tests.browser.conftest import DEVICES, OpenLook
from tests.browser.test_doctor import overflow, serious

NAME = material.NAME
WIDTH, HEIGHT = 640, 480
LOOKS = [("phone", "zh", "light"), ("phone", "en", "dark"), ("desktop", "zh", "dark"), ("desktop", "en", "light")]


@pytest.fixture(scope="module")
def patient(server: str) -> str:
    found = httpx.get(f"{server}/fhir/Patient", params={"identifier": material.NUMBER}, timeout=30).json()
    return str(found["entry"][0]["resource"]["id"])


def as_resident(page: Page, server: str, patient: str) -> None:
    """Choose the resident, and get the card where there is none yet."""
    page.context.add_cookies([{"name": "resident", "value": patient, "url": f"{server}/resident"}])
    page.goto(f"{server}/resident/card", wait_until="networkidle")
    apply = page.locator("form[action*='/issue'] button")
    if apply.count():
        apply.click()
        page.locator("#code .qr").wait_for()


def picture_of_the_code(page: Page) -> bytes:
    return page.locator("#code .qr").screenshot()


def film(png: bytes, to: Path) -> Path:
    """What a camera sees that looks at a phone: a Y4M film of one still picture on a grey table."""
    scene = Image.new("L", (WIDTH, HEIGHT), 128)
    with Image.open(io.BytesIO(png)) as code:
        scene.paste(code.convert("L").resize((420, 420)), (110, 30))
    frame = b"FRAME\n" + scene.tobytes() + bytes([128]) * (WIDTH * HEIGHT // 2)
    to.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode() + frame * 5)
    return to


@pytest.fixture
def clerk_at_a_camera(browser: Browser, server: str, patient: str, tmp_path: Path) -> Iterator[Page]:
    """A second browser whose camera looks at the resident's phone."""
    phone = browser.new_context(**DEVICES["phone"])  # pyright: ignore[reportArgumentType]
    page = phone.new_page()
    as_resident(page, server, patient)
    shown = film(picture_of_the_code(page), tmp_path / "camera.y4m")
    flags = [*chromium.FLAGS, *chromium.FAKE_CAMERA, f"--use-file-for-fake-video-capture={shown}"]
    started = browser.browser_type.launch(executable_path=chromium.program(), args=flags)
    yield started.new_context(**DEVICES["desktop"], locale="zh-CN").new_page()  # pyright: ignore[reportArgumentType]
    started.close()
    phone.close()


def test_the_clerks_camera_reads_the_phone_once(clerk_at_a_camera: Page, server: str) -> None:
    page = clerk_at_a_camera
    page.goto(f"{server}/population/scan", wait_until="networkidle")
    page.get_by_role("button", name="摄像头").click()
    page.locator("[data-recognised]").wait_for()
    assert NAME in page.locator("[data-recognised]").inner_text()
    assert "动态码" in page.locator("[data-recognised]").inner_text()
    # The camera still sees the code: after a while it is read again, and refused.
    page.get_by_text("已经用过").wait_for()


def test_the_phone_says_where_the_card_was_used_and_shows_a_new_code(look: OpenLook, server: str, patient: str) -> None:
    seen = look("phone")
    as_resident(seen.page, server, patient)
    before = seen.page.locator("#code").get_attribute("data-ends")
    card = next(one for one in _numbers(server, patient) if len(one) == 64)
    text = _read(seen.page, picture_of_the_code(seen.page), server)
    assert text.startswith(f"{card}:0:")
    use = {"code": text, "step": "010106", "terminal": "YF-3", "channel": "05"}
    assert httpx.post(f"{server}/card/scan", json=use, timeout=30).status_code == 200
    seen.page.get_by_text("刚刚用于取药（YF-3）").wait_for()
    assert seen.page.locator("#code").get_attribute("data-ends") != before
    seen.open("/resident/uses")
    assert "取药" in seen.page.inner_text("main")


def _numbers(server: str, patient: str) -> list[str]:
    search = httpx.get(f"{server}/fhir/Person", params={"link": f"Patient/{patient}"}, timeout=30).json()
    return [one["value"] for entry in search["entry"] for one in entry["resource"].get("identifier", [])]


def _read(page: Page, png: bytes, server: str) -> str:
    """What stands in a picture of a code, read by the page that clerks use."""
    other = page.context.new_page()
    other.goto(f"{server}/population/scan", wait_until="networkidle")
    text = other.evaluate(
        """async (bytes) => {
          const picture = await createImageBitmap(new Blob([new Uint8Array(bytes)], { type: "image/png" }));
          const canvas = new OffscreenCanvas(picture.width, picture.height);
          const context = canvas.getContext("2d");
          context.drawImage(picture, 0, 0);
          return jsQR(context.getImageData(0, 0, picture.width, picture.height).data, picture.width, picture.height)?.data;
        }""",
        list(png),
    )
    other.close()
    return text


def test_a_keyboard_scanner_types_code_after_code(look: OpenLook, server: str) -> None:
    seen = look()
    seen.open("/population/scan")
    for _ in range(2):
        seen.page.keyboard.type("6921168509256")
        seen.page.keyboard.press("Enter")
        seen.page.get_by_text("这不是本区域的电子健康卡码").wait_for()
        expect(seen.page.locator("#code")).to_be_focused()
        expect(seen.page.locator("#code")).to_have_value("")


def test_without_a_camera_the_page_says_so(look: OpenLook) -> None:
    seen = look()
    seen.open("/population/scan")
    seen.page.get_by_role("button", name="摄像头").click()
    seen.page.get_by_text("打不开摄像头").wait_for()
    seen.complaints.clear()


def test_the_code_renews_itself_and_on_demand(look: OpenLook, server: str, patient: str) -> None:
    seen = look("phone")
    as_resident(seen.page, server, patient)
    code = seen.page.locator("#code")
    first = code.get_attribute("data-ends") or ""
    seen.page.get_by_role("button", name="立即换一个码").click()
    expect(code).not_to_have_attribute("data-ends", first)
    second = code.get_attribute("data-ends") or ""
    # As if its time were over: the frame asks with the moment when its code ended.
    code.evaluate("(frame) => { frame.setAttribute('hx-get', '/resident/card?part=code&ends=1'); frame.dataset.seconds = '0'; }")
    expect(code).not_to_have_attribute("data-ends", second)


def test_without_a_network_the_signed_code_is_shown(look: OpenLook, server: str, patient: str) -> None:
    seen = look("phone")
    as_resident(seen.page, server, patient)
    seen.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    seen.page.evaluate("async () => { while (!(await caches.match('/resident/pass'))) await new Promise((done) => setTimeout(done, 50)); }")
    seen.page.context.set_offline(True)
    seen.page.goto(f"{server}/resident/pass")
    seen.page.locator("#passes .qr").wait_for()
    assert NAME in seen.page.inner_text("#passes")
    picture = seen.page.locator("#passes .qr").screenshot()
    seen.page.context.set_offline(False)
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]{86}", _read(seen.page, picture, server))
    seen.complaints.clear()


def test_a_frozen_card_shows_no_code(look: OpenLook, server: str, patient: str) -> None:
    seen = look("phone")
    as_resident(seen.page, server, patient)
    seen.page.get_by_role("button", name="冻结").click()
    seen.page.get_by_text("健康卡已冻结").wait_for()
    assert seen.page.locator("#code .qr").count() == 0
    seen.page.get_by_role("button", name="解冻").click()
    seen.page.locator("#code .qr").wait_for()


@pytest.mark.parametrize("way", LOOKS, ids="-".join)
def test_every_page_fits_and_is_accessible(look: OpenLook, server: str, patient: str, axe: str, way: tuple[str, ...]) -> None:
    seen = look(*way)
    as_resident(seen.page, server, patient)
    for path in ("/resident/card", "/resident/", "/resident/uses", "/resident/record", "/resident/pass", "/population/cards", f"/population/cards/{patient}", "/population/scan"):
        seen.open(path)
        assert overflow(seen) <= 0, path
        assert serious(seen, axe) == [], path
        assert seen.page.evaluate("window.shifted") < 0.1, path


def test_large_mode_has_large_targets(look: OpenLook, server: str, patient: str) -> None:
    seen = look("phone", text="large")
    as_resident(seen.page, server, patient)
    small = seen.page.evaluate(
        """[...document.querySelectorAll("main button, main .button, main .chip, main a.row-item")]
        .filter((one) => one.offsetParent && one.getBoundingClientRect().height < 47.5).map((one) => one.className)""",
    )
    assert small == []
