"""A resident's pages on a slow phone: how many bytes the first visit loads, and after how long the page can be used.

Run: ``.venv/bin/python bench/phone.py [--runs 3]``. A real platform and Debian's Chromium on this machine; the browser is
slowed by its own developer tools: 4 times on the processor, 1.6 Mbit/s down, 750 kbit/s up, 150 ms there and back (what
Lighthouse calls a slow phone). Every visit is a first one: an empty cache and no service worker. Usable means: drawn, all
scripts of the page have run, and the page answers a key. The reach is 2 s and 150 KB.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, CDPSession, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.conversation import Conversation, converse
from tests.serving import Server

PAGES = (
    "/login", "/resident/", "/consult", "/appointments", "/resident/prescriptions", "/resident/parcels", "/resident/record", "/resident/card",
    "/payments", "/resident/insurance", "/resident/notices",
)
MOST_SECONDS, MOST_KB = 2.0, 150
_NETWORK = {"offline": False, "latency": 150, "downloadThroughput": 1_600_000 / 8, "uploadThroughput": 750_000 / 8}
_SLOWER = 4
_USABLE = """() => new Promise((done) => {
  const ready = () => requestAnimationFrame(() => setTimeout(() => done(performance.now()), 0));
  if (document.readyState === "complete") ready(); else addEventListener("load", ready);
})"""


@dataclass
class Visit:
    """One first visit: milliseconds until the page was drawn and until it could be used, bytes over the wire, layout jumps."""

    status: int
    drawn: float
    usable: float
    size: int
    shifts: float


def main() -> int:
    """Measure every page and print a table; 1 when a page misses the reach."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="kangyun-phone-") as folder:
        Path(folder).chmod(0o755)
        server = Server(Path(folder) / "data", web_processes="1")
        server.start(120)
        try:
            who = converse(server)
            live(who)
            with sync_playwright() as playwright:
                found = shutil.which("chromium") or shutil.which("google-chrome")
                browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
                return table(browser, who, runs)
        finally:
            server.stop()


def live(who: Conversation) -> None:
    """Give the resident a life: three years of results, visits, medicine and papers."""
    whom = {"reference": f"Patient/{who.patient}"}
    entries = [one for number in range(36) for one in month(whom, number)]
    for start in range(0, len(entries), 40):
        batch = [{"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for one in entries[start : start + 40]]
        httpx.post(f"{who.url}/fhir", json={"resourceType": "Bundle", "type": "batch", "entry": batch}, timeout=60).raise_for_status()


def month(whom: dict[str, str], number: int, since: int = 2024) -> list[dict[str, Any]]:
    """What one month of a resident leaves in the record: four results, a visit, a report."""
    when = f"{since + number // 12}-{number % 12 + 1:02d}-05T08:00:00+08:00"
    measured = (("14749-6", "空腹血糖", "mmol/L", 5.6), ("8480-6", "收缩压", "mmHg", 132), ("8462-4", "舒张压", "mmHg", 84), ("2160-0", "肌酐", "μmol/L", 71))
    found: list[dict[str, Any]] = [
        {"resourceType": "Observation", "status": "final", "subject": whom, "effectiveDateTime": when, "valueQuantity": {"value": round(value * (1 + number % 7 / 40), 1), "unit": unit},
         "code": {"coding": [{"system": "http://loinc.org", "code": code}], "text": name}, "referenceRange": [{"high": {"value": round(value * 1.1, 1)}}]}
        for code, name, unit, value in measured]
    found.append({"resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}, "subject": whom, "period": {"start": when}, "reasonCode": [{"text": "高血压复诊"}]})
    found.append({"resourceType": "DiagnosticReport", "status": "final", "subject": whom, "effectiveDateTime": when, "code": {"text": "生化检验"}, "conclusion": "血糖略高。"})
    return found


def table(browser: Browser, who: Conversation, runs: int) -> int:
    """Print what each page takes; the status of the program."""
    print("| page | KB | drawn ms | usable ms | jumps |\n| --- | --- | --- | --- | --- |")
    missed = 0
    for path in PAGES:
        # The server's own first rendering of a template is no part of what a phone waits for.
        visit(browser, who, path)
        visits = [visit(browser, who, path) for _ in range(runs)]
        size = max(one.size for one in visits) / 1024
        usable = statistics.median(one.usable for one in visits)
        short = visits[0].status != 200 or size > MOST_KB or usable > MOST_SECONDS * 1000
        missed += short
        drawn, shifts = statistics.median(one.drawn for one in visits), max(one.shifts for one in visits)
        print(f"| {path}{f' ({visits[0].status})' if visits[0].status != 200 else ''} | {size:.0f} | {drawn:.0f} | {usable:.0f} | {shifts:.3f} |{' misses' if short else ''}", flush=True)
    print(f"\nreach: {MOST_KB} KB and {MOST_SECONDS:.0f} s on {_SLOWER}x slower processor, 1.6 Mbit/s, 150 ms; pages that miss it: {missed}")
    return int(missed > 0)


def visit(browser: Browser, who: Conversation, path: str) -> Visit:
    """One first visit in a browser of its own."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, device_scale_factor=2, is_mobile=True, has_touch=True, service_workers="block")
    cookies = {} if path == "/login" else who.cookies("resident")
    context.add_cookies([{"name": name, "value": value, "url": who.url} for name, value in (cookies | {"language": "zh"}).items()])
    page = context.new_page()
    tools = context.new_cdp_session(page)
    sizes = slowed(tools)
    answer = page.goto(who.url + path, wait_until="commit")
    usable = float(page.evaluate(_USABLE))
    page.keyboard.press("Tab")
    page.evaluate("document.activeElement.tagName")
    drawn, shifts = drawn_at(page)
    page.wait_for_load_state("networkidle")
    context.close()
    return Visit(answer.status if answer else 0, drawn, usable, sum(sizes), shifts)


def slowed(tools: CDPSession) -> list[int]:
    """Slow processor and network; gives the list into which the sizes of all answers go, heads included."""
    sizes: list[int] = []
    tools.send("Network.enable")
    tools.send("Network.setCacheDisabled", {"cacheDisabled": True})
    tools.send("Network.emulateNetworkConditions", _NETWORK)
    tools.send("Emulation.setCPUThrottlingRate", {"rate": _SLOWER})
    tools.on("Network.loadingFinished", lambda told: sizes.append(int(told["encodedDataLength"])))
    return sizes


def drawn_at(page: Page) -> tuple[float, float]:
    """When something was drawn first, and how much of the page has jumped since."""
    told = page.evaluate("""() => {
      const first = performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? performance.now();
      return new Promise((done) => {
        let jumped = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((one) => { jumped += one.value; })).observe({ type: "layout-shift", buffered: true });
        setTimeout(() => done([first, jumped]), 50);
      });
    }""")
    return float(told[0]), float(told[1])


if __name__ == "__main__":
    sys.exit(main())
