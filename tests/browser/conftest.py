"""A running platform with one resident, and a browser to look at it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests import chromium
from tests.browser import material
from tests.serving import Server

ROOT = Path(__file__).resolve().parents[2]
DEVICES = {
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
    "desktop": {"viewport": {"width": 1280, "height": 800}},
}
_WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => list.getEntries().forEach((entry) => { if (!entry.hadRecentInput) window.shifted += entry.value; }))
  .observe({ type: "layout-shift", buffered: true });
"""


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a platform of its own that knows one resident."""
    running = Server(tmp_path_factory.mktemp("platform"))
    running.start()
    answer = httpx.post(f"{running.url}/fhir", json=material.bundle(), timeout=60)
    assert answer.status_code == 200, answer.text
    yield running.url
    running.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium.

    It ends with each file, because playwright keeps an event loop running that asynchronous tests would stumble over.
    """
    program = chromium.program()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=chromium.FLAGS)
        yield started
        started.close()


@dataclass
class Look:
    """One way to look at the platform: a page and what its console complained about."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list[str])

    def open(self, path: str) -> None:
        """Go to an address and wait until everything that loads by itself is there."""
        self.page.goto(self.address + path, wait_until="networkidle")


OpenLook = Callable[..., Look]


@contextmanager
def looking(browser: Browser, url: str) -> Generator[OpenLook]:
    """Open a page of the platform at ``url`` as ``opened(device, language, theme, text)``, each in a browser of its own.

    Console complaints fail the test at its end.
    """
    opened: list[tuple[BrowserContext, Look]] = []

    def opening(device: str = "desktop", language: str = "zh", theme: str = "light", text: str = "normal") -> Look:
        context = browser.new_context(**DEVICES[device], reduced_motion="reduce")  # pyright: ignore[reportArgumentType]
        context.add_cookies([{"name": name, "value": value, "url": url} for name, value in (("language", language), ("theme", theme), ("text", text))])
        context.add_init_script(_WATCH_SHIFTS)
        seen = Look(context.new_page(), url)
        seen.page.on("console", lambda message: seen.complaints.append(message.text) if message.type == "error" else None)
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        opened.append((context, seen))
        return seen

    yield opening
    for context, seen in opened:
        context.close()
        assert seen.complaints == []


@pytest.fixture
def look(browser: Browser, server: str) -> Iterator[OpenLook]:
    """A page of the platform that knows one resident, as ``look(device, language, theme, text)``."""
    with looking(browser, server) as opening:
        yield opening


@pytest.fixture(scope="session")
def resident(server: str) -> str:
    """The address of the resident's record."""
    found = httpx.get(f"{server}/fhir/Patient", params={"identifier": material.NUMBER}, timeout=30).json()
    return f"/clinician/residents/{found['entry'][0]['resource']['id']}"


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, which only the development set-up installs."""
    path = ROOT / "node_modules" / "axe-core" / "axe.min.js"
    if not path.is_file():
        pytest.skip("axe-core is not installed; run tools/assets.py")
    return path.read_text("utf-8")
