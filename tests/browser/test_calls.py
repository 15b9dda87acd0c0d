"""Two browsers with made-up cameras talk by video through coturn; a third joins; the network breaks; a camera is refused."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from kangyun.care.internet_hospital.gateways import coturn
from tests import chromium
from tests.browser.conftest import DEVICES, Look
from tests.browser.test_doctor import overflow, serious
from tests.conversation import Conversation, converse
from tests.serving import Server

# Three browsers, two web processes and a relay on whatever machine there is.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
_numbers = itertools.count(1)
# Refuses the camera, or camera and microphone, as a person does who presses "block".
_REFUSING = """
const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = (wish) => (%s) ? Promise.reject(new DOMException("no", "NotAllowedError")) : real(wish);
"""
REFUSED = {"camera": "wish.video", "all": "true", "": ""}
_RELAYED = """async () => {
  const kinds = [];
  for (const peer of kangyunCalls.room.peers.values()) {
    const stats = await peer.connection.getStats();
    for (const pair of stats.values()) {
      if (pair.type === "candidate-pair" && pair.nominated) kinds.push(stats.get(pair.localCandidateId).candidateType);
    }
  }
  return kinds;
}"""
_SOUND = """async () => {
  const before = await heard();
  await new Promise((done) => setTimeout(done, 700));
  return (await heard()) > before;
  async function heard() {
    let sum = 0;
    for (const peer of kangyunCalls.room.peers.values()) {
      (await peer.connection.getStats()).forEach((one) => { if (one.type === "inbound-rtp" && one.kind === "audio") sum += one.bytesReceived; });
    }
    return sum;
  }
}"""


@pytest.fixture(scope="module")
def relay() -> Iterator[coturn.Relay]:
    with coturn.running() as running:
        if running is None:
            pytest.skip("no coturn on this machine; run tools/turn.py")
        yield running


@pytest.fixture(scope="module")
def server(relay: coturn.Relay, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two web processes, and no way between browsers but the relay."""
    running = Server(
        tmp_path_factory.mktemp("calls") / "data", web_processes="2", turn_url=relay.url, turn_key_file=str(relay.key_file), turn_only="true")
    running.start(100)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = chromium.program()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=[*chromium.FLAGS, *chromium.FAKE_CAMERA])
        yield started
        started.close()


@dataclass
class Caller:
    """Somebody at a browser."""

    page: Page

    def press(self, name: str) -> None:
        self.page.locator(f'[data-do="{name}"]').click()

    def join(self, way: str = "join") -> None:
        """Wait for the test of the devices to tell, then come in."""
        self.page.locator('[data-test="network"][data-is]').wait_for()
        self.press(way)

    def shows(self, words: str, seconds: float = 20) -> None:
        expect(self.page.locator("[data-state-word]")).to_have_text(words, timeout=seconds * 1000)

    def tile(self, role: str) -> Any:
        return self.page.locator(f'.call-tile[data-role="{role}"]')

    def moves(self, role: str) -> bool:
        """Whether the picture of somebody goes on: a busy machine may take seconds for its next frame, a dead one never shows it."""
        moving = (
            "async (video) => { const at = video.currentTime;"
            " for (let turn = 0; turn < 80; turn++) {"
            " await new Promise((done) => setTimeout(done, 250)); if (video.videoWidth > 0 && video.currentTime > at) return true; }"
            " return false; }"
        )
        return bool(self.tile(role).locator("video").evaluate(moving))


def until(page: Page, condition: str, seconds: float = 20) -> None:
    """Wait for what the script of a page knows; asked from outside, since our pages let nothing be evaluated inside."""
    end = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"still not: {condition}"
        page.wait_for_timeout(100)


Come = Callable[..., Caller]


@pytest.fixture
def come(browser: Browser) -> Iterator[Come]:
    """A browser of its own for somebody, as ``come(visit, who, device, refusing)``; what its console complains about fails the test."""
    opened: list[tuple[BrowserContext, list[str]]] = []

    def coming(visit: Conversation, who: str = "", device: str = "desktop", *, refusing: str = "", language: str = "zh", path: str = "") -> Caller:
        context = browser.new_context(**DEVICES[device], reduced_motion="reduce", permissions=["camera", "microphone"])  # pyright: ignore[reportArgumentType]
        cookies = (visit.cookies(who) if who else {}) | {"language": language}
        context.add_cookies([{"name": name, "value": value, "url": visit.url} for name, value in cookies.items()])
        if refusing:
            context.add_init_script(_REFUSING % REFUSED[refusing])
        page, complaints = context.new_page(), list[str]()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" and "WebSocket" not in message.text else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        opened.append((context, complaints))
        page.goto(visit.url + (path or visit.room))
        return Caller(page)

    yield coming
    for context, complaints in opened:
        context.close()
        # Offline and refused requests are what these tests make; a browser tells of each.
        assert [one for one in complaints if "ERR_" not in one and "409 (Conflict)" not in one] == []


@pytest.fixture
def visit(server: Server) -> Conversation:
    return converse(server, str(next(_numbers)))


def talking(*callers: Caller) -> None:
    for caller in callers:
        caller.shows("通话中")


def test_doctor_and_resident_see_and_hear_each_other_through_the_relay_and_a_third_joins(visit: Conversation, come: Come) -> None:
    doctor, resident = come(visit, "doctor"), come(visit, "resident", "phone")
    doctor.join()
    doctor.shows("已进入，正在等对方")
    resident.join()
    talking(doctor, resident)
    for caller, other in ((doctor, "resident"), (resident, "doctor")):
        assert caller.moves(other)
        assert caller.page.evaluate(_SOUND), f"nothing is heard of the {other}"
        assert set(caller.page.evaluate(_RELAYED)) == {"relay"}, "the media go through coturn"
    assert resident.tile("doctor").locator("figcaption").inner_text() == "王建国 医生 · 视频"

    doctor.page.get_by_text("邀请别人加入").click()
    doctor.page.get_by_label("翻译").check()
    doctor.page.get_by_label("怎么称呼").fill("小林")
    doctor.page.get_by_role("button", name="生成邀请").click()
    link = doctor.page.get_by_label("邀请链接").input_value()
    guest = come(visit, path=link.removeprefix(visit.url), device="phone")
    guest.page.get_by_role("button", name="进入").click()
    guest.join()
    talking(guest)
    for caller, other in ((doctor, "interpreter"), (resident, "interpreter"), (guest, "doctor"), (guest, "resident")):
        caller.tile(other).wait_for()
        expect(caller.tile(other)).to_have_attribute("data-connected", "true", timeout=20_000)
        assert caller.moves(other)
    guest.press("leave")
    expect(doctor.tile("interpreter")).to_have_count(0, timeout=20_000)
    talking(doctor, resident)


def test_a_connection_that_is_killed_comes_back(visit: Conversation, come: Come, server: Server) -> None:
    doctor, resident = come(visit, "doctor"), come(visit, "resident", "phone")
    doctor.join()
    resident.join()
    talking(doctor, resident)
    resident.page.evaluate("window.killed = kangyunCalls.room.line.socket; window.killed.close(4999)")
    until(resident.page, "kangyunCalls.room.line.socket !== window.killed && kangyunCalls.room.line.socket.readyState === 1")
    expect(doctor.tile("resident").locator("figcaption")).to_contain_text("视频", timeout=20_000)
    talking(doctor, resident)
    # The whole network is gone: nobody says goodbye, the line only falls silent.
    resident.page.context.set_offline(True)
    resident.page.evaluate("kangyunCalls.room.peers.forEach((peer) => peer.connection.close())")
    expect(doctor.tile("resident").locator("figcaption")).to_contain_text("掉线", timeout=40_000)
    resident.page.context.set_offline(False)
    resident.page.reload()
    resident.join()
    talking(doctor, resident)
    assert doctor.moves("resident")
    assert resident.moves("doctor")


def test_the_way_of_the_media_is_found_anew_without_leaving_the_call(visit: Conversation, come: Come) -> None:
    doctor, resident = come(visit, "doctor"), come(visit, "resident")
    doctor.join()
    resident.join()
    talking(doctor, resident)
    way = "[...kangyunCalls.room.peers.values()][0].connection.localDescription.sdp.match(/ice-ufrag:(.*)/)[1].trim()"
    before = doctor.page.evaluate(way)
    # Whichever of the two makes the offers: neither has tried a moment ago.
    for caller in (resident, doctor):
        caller.page.evaluate("[...kangyunCalls.room.peers.values()].forEach((peer) => { peer.tried = 0; })")
    doctor.page.evaluate("[...kangyunCalls.room.peers.values()].forEach((peer) => peer.restart())")
    until(doctor.page, f"{way} !== '{before}'")
    talking(doctor, resident)
    assert doctor.moves("resident")
    assert resident.moves("doctor")


def test_without_a_camera_one_talks_and_without_a_microphone_one_writes(visit: Conversation, come: Come) -> None:
    doctor = come(visit, "doctor")
    doctor.join()
    resident = come(visit, "resident", "phone", refusing="camera")
    expect(resident.page.locator('[data-test="camera"]')).to_have_attribute("data-is", "refused")
    assert "请按“只用声音”" in resident.page.locator("[data-hint]").inner_text()
    assert resident.page.locator('[data-do="join"]').is_disabled()
    resident.join("join-audio")
    talking(doctor, resident)
    expect(doctor.tile("resident").locator("figcaption")).to_have_text("林秀英 患者 · 只有声音 · 设备没有打开")
    assert doctor.page.evaluate(_SOUND)
    assert resident.moves("doctor"), "whoever has no camera sees the doctor all the same"
    resident.press("leave")
    silent = come(visit, "resident", "phone", refusing="all")
    silent.join("join-text")
    expect(doctor.tile("resident").locator("figcaption")).to_have_text("林秀英 患者 · 只用文字 · 设备没有打开", timeout=20_000)


def test_a_bad_network_takes_the_picture_and_gives_it_back_and_both_are_told(visit: Conversation, come: Come) -> None:
    doctor, resident = come(visit, "doctor"), come(visit, "resident", "phone")
    doctor.join()
    resident.join()
    talking(doctor, resident)
    told = "(lost) => { for (const peer of kangyunCalls.room.peers.values()) peer.sample = async () => ({ lost, kbps: lost ? null : 2000, ms: 50 }); }"
    resident.page.evaluate(told, 0.5)
    expect(doctor.tile("resident").locator("figcaption")).to_contain_text("只有声音 · 网络不好", timeout=40_000)
    expect(resident.page.locator("[data-note]")).to_contain_text("只有声音 · 网络不好")
    assert doctor.page.evaluate(_SOUND)
    resident.page.evaluate(told, 0)
    expect(doctor.tile("resident").locator("figcaption")).to_contain_text("视频", timeout=60_000)
    # No good network switches on a camera that somebody switched off.
    resident.press("camera")
    expect(doctor.tile("resident").locator("figcaption")).to_contain_text("只有声音", timeout=20_000)
    resident.page.evaluate("kangyunCalls.room.adapt({ level: 'video', why: '' })")
    assert resident.page.evaluate("kangyunCalls.room.level") == "audio"
    resident.press("camera")
    expect(doctor.tile("resident").locator("figcaption")).to_contain_text("视频", timeout=20_000)


def test_a_recording_needs_both_and_stops_at_once(visit: Conversation, come: Come) -> None:
    doctor, resident = come(visit, "doctor"), come(visit, "resident", "phone")
    doctor.join()
    resident.join()
    talking(doctor, resident)
    parts: list[int] = []
    doctor.page.on("response", lambda answer: parts.append(answer.status) if "/recordings/" in answer.url else None)
    doctor.press("record")
    expect(doctor.page.locator("[data-recording-word]")).to_contain_text("等待其他人同意")
    assert parts == []
    resident.page.get_by_role("button", name="同意录像", exact=True).click()
    for caller in (doctor, resident):
        expect(caller.page.locator("[data-recording-word]")).to_contain_text("正在录像", timeout=20_000)
    with doctor.page.expect_response(lambda answer: "/recordings/" in answer.url and answer.url.endswith("/1"), timeout=20_000):
        pass
    resident.press("record")
    for caller in (doctor, resident):
        expect(caller.page.locator("[data-recording]")).to_be_hidden(timeout=20_000)
    assert set(parts) <= {204, 409}
    assert parts[:2] == [204, 204]
    film = wait_for_film(visit)
    watcher = come(visit, "resident", "phone", path=f"/calls/recordings/{film}")
    watcher.page.locator("video").evaluate("(video) => video.play()")
    expect(watcher.page.locator("video")).to_have_js_property("videoWidth", 640)


def wait_for_film(visit: Conversation) -> str:
    """The id of the Media that a job writes after the recording."""
    for _ in range(200):
        found = httpx.get(f"{visit.url}/fhir/Media", params={"encounter": f"Encounter/{visit.encounter}"}, timeout=60).json().get("entry")
        if found:
            return str(found[0]["resource"]["id"])
    raise AssertionError("no Media")


def test_a_second_tab_is_told_and_may_take_over(visit: Conversation, come: Come) -> None:
    phone, tablet = come(visit, "resident", "phone"), come(visit, "resident", "phone", language="en")
    phone.join()
    phone.shows("已进入，正在等对方")
    tablet.join()
    expect(tablet.page.locator("[data-over-word]")).to_contain_text("on another device")
    tablet.press("move")
    tablet.shows("You are in; waiting for the other side")
    expect(phone.page.locator("[data-over-word]")).to_contain_text("另一台设备")


@pytest.mark.parametrize("which", [("phone", "zh", "normal"), ("phone", "en", "large"), ("desktop", "zh", "normal"), ("desktop", "en", "large")], ids="-".join)
def test_everybody_can_use_the_room(visit: Conversation, come: Come, axe: str, which: tuple[str, str, str]) -> None:
    device, language, text = which
    caller = come(visit, "resident", device, language=language)
    caller.page.context.add_cookies([{"name": "text", "value": text, "url": visit.url}])
    caller.page.reload()
    caller.page.locator('[data-test="network"][data-is]').wait_for()
    seen = Look(caller.page, visit.url)
    assert serious(seen, axe) == []
    assert overflow(seen) <= 0
    smallest = caller.page.evaluate("Math.min(...[...document.querySelectorAll('.call-lobby button')].map((one) => one.getBoundingClientRect().height))")
    assert smallest >= 48, "buttons are large enough for any finger"
    caller.page.locator('[data-do="join"]').focus()
    caller.page.keyboard.press("Enter")
    caller.page.locator(".call-controls").wait_for()
    assert serious(seen, axe) == []
    assert overflow(seen) <= 0
