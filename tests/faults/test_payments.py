"""kill -9 of the server and of PostgreSQL while residents pay and are paid back, and the channels' notices are lost, doubled and late."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import yaml

from kangyun.base.database import Connection
from kangyun.support.payments.gateways import simulated
from kangyun.support.payments.gateways.simulator import Faults, Simulator
from tests.conftest import ROOT
from tests.faults.storm import dsn
from tests.serving import Server

SEED = int(os.environ.get("STORM_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
ORDERS = int(os.environ.get("STORM_ORDERS", "16"))
BLOWS = ("server", "postgres", "server")
CHANNELS = ("wechat", "alipay", "unionpay")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Simulator]]:
    """Simulated channels whose notices go astray."""
    folder = tmp_path_factory.mktemp("channels")
    with simulated.running(folder, Simulator(Faults(lost=0.3, twice=0.4, late=1.5, forged=0.2), seed=SEED)) as simulator:
        yield folder, simulator


@pytest.fixture(scope="module")
def paying(tmp_path_factory: pytest.TempPathFactory, channels: tuple[Path, Simulator]) -> Iterator[Server]:
    """The platform, which asks a silent channel after a second instead of ten."""
    rules = tmp_path_factory.mktemp("regions")
    own = rules / "yunzhou" / "rules" / "support" / "payments" / "terms.yaml"
    own.parent.mkdir(parents=True)
    terms = yaml.safe_load((ROOT / "src/kangyun/support/payments/rules/terms.yaml").read_text("utf-8"))
    terms["map"] |= {"first_look": 1, "longest_look": 2}
    own.write_text(yaml.safe_dump(terms, allow_unicode=True), "utf-8")
    server = Server(tmp_path_factory.mktemp("server"), payments_channels=str(channels[0]), region_rules=str(rules))
    server.settings["public_url"] = server.url
    server.start()
    yield server
    server.stop()


async def patient(http: httpx.AsyncClient, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """Ask until there is an answer, as a page or an app does on a bad network."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        try:
            answer = await http.request(method, path, json=body, headers={"content-type": "application/fhir+json", **headers})
            if answer.status_code < 500:
                return answer
        except httpx.HTTPError:
            pass
        await asyncio.sleep(0.1)
    raise AssertionError(f"no answer for {path}")


async def people(http: httpx.AsyncClient) -> None:
    whole = [
        {"resourceType": "Organization", "id": "storm-house", "name": "青溪县人民医院"}, {"resourceType": "Patient", "id": "storm-1", "name": [{"text": "李娜"}]},
        {"resourceType": "Person", "id": "storm", "link": [{"target": {"reference": "Patient/storm-1"}}]},
    ]
    # In one bundle: the platform would place a Patient that comes alone under a Person of its own.
    entries = [{"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}} for one in whole]
    assert (await patient(http, "POST", "/fhir", {"resourceType": "Bundle", "type": "transaction", "entry": entries})).status_code == 200


def draft(fen: int) -> dict[str, Any]:
    line = {"chargeItemCodeableConcept": {"text": "药品"}, "priceComponent": [{"type": "base", "amount": {"value": fen / 100, "currency": "CNY"}}]}
    return {"resourceType": "Invoice", "status": "draft", "subject": {"reference": "Patient/storm-1"}, "issuer": {"reference": "Organization/storm-house"},
            "lineItem": [line]}


def parameters(**told: Any) -> dict[str, Any]:
    return {"resourceType": "Parameters", "parameter": [{"name": name, **value} for name, value in told.items()]}


async def one_order(http: httpx.AsyncClient, number: int) -> str:
    """Order, pay by some channel, wait for the Invoice, and let every second one be given back in part: each step until it is answered."""
    made = await patient(http, "POST", "/fhir/Invoice/$order", draft(1000 + number), **{"idempotency-key": f"storm/{number}"})
    assert made.status_code == 201, made.text
    id_ = made.json()["id"]
    wish = parameters(channel={"valueString": CHANNELS[number % 3]}, scene={"valueCode": "desktop"})
    told = await patient(http, "POST", f"/fhir/Invoice/{id_}/$pay", wish)
    assert told.status_code == 200, told.text
    link = next(one["valueUri"] for one in told.json()["parameter"] if one["name"] == "link")
    async with httpx.AsyncClient(trust_env=False, timeout=60) as phone:
        assert (await patient(phone, "GET", link)).status_code == 200
        assert (await patient(phone, "POST", link)).status_code == 303
    await state(http, id_, "balanced")
    if number % 2:
        back = parameters(amount={"valueMoney": {"value": 5, "currency": "CNY"}}, key={"valueString": f"storm/{number}"}, reason={"valueString": "退"})
        assert (await patient(http, "POST", f"/fhir/Invoice/{id_}/$refund", back)).status_code == 200
    return id_


async def state(http: httpx.AsyncClient, id_: str, wanted: str) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if (await patient(http, "GET", f"/fhir/Invoice/{id_}")).json()["status"] == wanted:
            return
        await asyncio.sleep(0.3)
    raise AssertionError(f"{id_} is not {wanted}")


async def strike(server: Server, chance: random.Random) -> None:
    """Accidents while they pay."""
    for what in BLOWS:
        await asyncio.sleep(chance.uniform(1, 3))
        if what == "server":
            server.kill()
        else:
            os.kill(server.postmaster() or 0, signal.SIGKILL)
            await asyncio.sleep(0.5)
            server.kill()
        await asyncio.to_thread(server.start, 60)


async def test_everybody_pays_once_and_gets_back_once_whatever_is_killed(paying: Server, channels: tuple[Path, Simulator]) -> None:
    print(f"STORM_SEED={SEED}")
    simulator = channels[1]
    async with httpx.AsyncClient(base_url=paying.url, timeout=20, trust_env=False) as http:
        await people(http)
        orders = asyncio.gather(*(one_order(http, number) for number in range(ORDERS)))
        await strike(paying, random.Random(SEED))
        ids = await orders
    expected = 500 * (ORDERS // 2)
    await until_given_back(simulator, expected)
    assert len(set(ids)) == ORDERS
    assert sum(trade.amount for trade in simulator.trades.values() if trade.state == "paid") == sum(range(1000, 1000 + ORDERS))
    connection = await asyncpg.connect(dsn(paying))
    try:
        await check(connection, expected)
    finally:
        await connection.close()


async def until_given_back(simulator: Simulator, expected: int) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if sum(trade.given_back for trade in simulator.trades.values()) == expected:
            return
        await asyncio.sleep(0.3)
    raise AssertionError(sum(trade.given_back for trade in simulator.trades.values()))


async def check(connection: Connection, expected: int) -> None:
    """The books say what the channels say, and nothing is under way any more; a refund that was under way at each blow waits for a late look."""
    for _ in range(600):
        if not await connection.fetchval("SELECT count(*) FROM payments_refund WHERE state = 'granted'"):
            break
        await asyncio.sleep(0.2)
    paid = sum(range(1000, 1000 + ORDERS))
    rows = await connection.fetch("SELECT split_part(account, '/', 1), sum(fen)::bigint FROM payments_posting GROUP BY 1")
    books = {row[0]: row[1] for row in rows}
    assert books == {"channel": paid - expected, "payable": expected - paid, "refunding": 0}
    assert await connection.fetchval("SELECT count(*) FROM payments_order") == ORDERS
    assert await connection.fetchval("SELECT sum(paid_fen) - sum(refunded_fen) FROM payments_order") == paid - expected
    assert await connection.fetchval("SELECT count(*) FROM payments_payment WHERE state = 'paid' AND NOT excess") == ORDERS
