"""Orders from the first line to the Invoice that is balanced: a real server, three simulated channels, everything by HTTP.

Run: ``.venv/bin/python bench/payments.py [--orders 200]``. Told are whole orders a second with 16 residents at once, and how
long it takes from the payer's press of the button, through the channel's signed notice, to the balanced Invoice.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from kangyun.support.payments.gateways import simulated

CHANNELS = ("wechat", "alipay", "unionpay")
RESIDENTS = 16


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def serving(folder: Path, channels: Path) -> Generator[str]:
    """The platform in a process of its own."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    told = {"payments_channels": str(channels), "public_url": url, "access_local_role": "operator", "web_processes": "1", "mllp_port": "0", "log_level": "error"}
    environment = os.environ | {f"KANGYUN_{name.upper()}": value for name, value in told.items()}
    command = [Path(sys.executable).with_name("kangyun"), "serve", "--data", folder, "--port", str(port)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def wait_for(url: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(f"{url}/health/ready", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise SystemExit("the server does not start")


def draft(fen: int) -> dict[str, Any]:
    price = {"type": "base", "amount": {"value": fen / 100, "currency": "CNY"}}
    line = {"chargeItemCodeableConcept": {"text": "药品"}, "priceComponent": [price]}
    return {"resourceType": "Invoice", "status": "draft", "subject": {"reference": "Patient/bench-1"}, "issuer": {"reference": "Organization/bench-house"},
            "lineItem": [line]}


async def people(http: httpx.AsyncClient) -> None:
    whole = [
        {"resourceType": "Organization", "id": "bench-house", "name": "青溪县人民医院"}, {"resourceType": "Patient", "id": "bench-1", "name": [{"text": "李娜"}]},
        {"resourceType": "Person", "id": "bench", "link": [{"target": {"reference": "Patient/bench-1"}}]},
    ]
    entries = [{"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}} for one in whole]
    (await http.post("/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})).raise_for_status()


async def one_order(http: httpx.AsyncClient, phone: httpx.AsyncClient, number: int) -> float:
    """One order; seconds from the press of the button to the balanced Invoice."""
    made = (await http.post("/fhir/Invoice/$order", json=draft(1000 + number), headers={"idempotency-key": str(number)})).raise_for_status().json()
    wish = [{"name": "channel", "valueString": CHANNELS[number % 3]}, {"name": "scene", "valueCode": "desktop"}]
    told = (await http.post(f"/fhir/Invoice/{made['id']}/$pay", json={"resourceType": "Parameters", "parameter": wish})).raise_for_status().json()
    link = next(one["valueUri"] for one in told["parameter"] if one["name"] == "link")
    began = time.perf_counter()
    await phone.post(link)
    while (await http.get(f"/fhir/Invoice/{made['id']}")).json()["status"] != "balanced":  # noqa: ASYNC110 - it happens in another process
        await asyncio.sleep(0.02)
    return time.perf_counter() - began


async def run(url: str, orders: int) -> tuple[float, list[float]]:
    """Orders a second, and the time that each took to be balanced."""
    turn = asyncio.Semaphore(RESIDENTS)
    limits = httpx.Limits(max_connections=2 * RESIDENTS)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits, trust_env=False) as http, httpx.AsyncClient(timeout=60, trust_env=False) as phone:
        await people(http)

        async def resident(number: int) -> float:
            async with turn:
                return await one_order(http, phone, number)

        await resident(-1)
        began = time.perf_counter()
        took = await asyncio.gather(*(resident(number) for number in range(orders)))
        return orders / (time.perf_counter() - began), took


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        # PostgreSQL runs as another user where we are root.
        Path(folder).chmod(0o755)
        channels = Path(folder) / "channels"
        with simulated.running(channels), serving(Path(folder) / "data", channels) as url:
            rate, took = asyncio.run(run(url, asked.orders))
    took.sort()
    print(f"| orders paid | {asked.orders} |\n| a second | {rate:.1f} |")
    print(f"| from the button to the balanced Invoice | median {statistics.median(took) * 1000:.0f} ms, p95 {took[int(len(took) * 0.95)] * 1000:.0f} ms |")


if __name__ == "__main__":
    main()
