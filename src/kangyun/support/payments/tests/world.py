"""The platform behind a real port with three simulated channels beside it, residents who pay and clerks who give back."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import orjson
import uvicorn

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.base import clock, jobs
from kangyun.base.money import Fen
from kangyun.commons.access import SESSION_COOKIE, Actor, Handle, Write
from kangyun.support import payments
from kangyun.support.payments.actions import looking
from kangyun.support.payments.gateways import simulated
from kangyun.support.payments.gateways.simulator import Faults, Simulator
from kangyun.support.payments.model import Line, Order, Payment, Refund, Wanted
from kangyun.support.payments.queries.ledger import balances, sql

PERSON, PATIENT, HOSPITAL = "pay-li-na", "pay-li-na-1", "pay-hospital"
OTHER_PERSON, OTHER_PATIENT, OTHER_HOSPITAL = "pay-zhang", "pay-zhang-1", "pay-other"
CHANNELS = ("wechat", "alipay", "unionpay")

RESIDENT = Actor("user/li-na", "resident", person=PERSON, account="li-na", purpose="self")
OTHER = Actor("user/zhang", "resident", person=OTHER_PERSON, account="zhang", purpose="self")
CLERK = Actor("user/clerk", "clerk", HOSPITAL, account="clerk", purpose="payment")
OTHER_CLERK = Actor("user/other-clerk", "clerk", OTHER_HOSPITAL, account="other-clerk", purpose="payment")
FINANCE = Actor("user/finance", "finance", account="finance", purpose="payment")


@dataclass
class World:
    """The platform, its channels, and what tests ask of both."""

    services: Services
    simulator: Simulator
    client: httpx.AsyncClient = field(repr=False)

    def open(self, actor: Actor) -> Handle:
        """What somebody may do."""
        return self.services.gate.open(actor)

    def system(self) -> Handle:
        """What a room of the platform may do."""
        return self.services.gate.system("tests")

    async def order(self, *fen: Fen, key: str, source: str = "tests.drugs", minutes: int | None = None) -> Order:
        """An order with a line of each price."""
        lines = [Line(f"code-{place}", f"第{place}项", one, Decimal(1), "deduction" if one < 0 else "drug") for place, one in enumerate(fen)]
        return await payments.order(self.system(), Wanted(PERSON, PATIENT, HOSPITAL, source, lines, key, minutes))

    async def begin(self, order: Order, channel: str = "wechat", scene: str = "phone") -> str:
        """The link by which li_na pays."""
        return (await payments.pay(self.services, self.open(RESIDENT), order.id, channel, scene)).link  # pyright: ignore[reportArgumentType]

    async def press(self, link: str) -> None:
        """The payer opens the link and presses the button."""
        shown = await self.client.get(link, follow_redirects=True)
        assert shown.status_code == 200, shown.text
        pressed = await self.client.post(shown.url)
        assert pressed.status_code == 303, pressed.text

    async def paid(self, *fen: Fen, key: str, channel: str = "wechat") -> Order:
        """An order that is paid."""
        order = await self.order(*fen, key=key)
        await self.press(await self.begin(order, channel))
        return await self.until(order, "paid")

    async def until(self, order: Order, state: str) -> Order:
        """The order once it is in a state."""
        for _ in range(400):
            found = await self.now(order)
            if found.state == state:
                return found
            await asyncio.sleep(0.02)
        raise AssertionError(f"{(await self.now(order)).state}, not {state}")

    async def until_payment(self, order: Order, state: str) -> None:
        """Return once a payment of the order is in a state."""
        for _ in range(400):
            if any(one.state == state for one in await self.payments(order)):
                return
            await asyncio.sleep(0.02)
        raise AssertionError(await self.payments(order))

    async def work(self) -> None:
        """Do the jobs of payments that wait."""
        async with self.services.database.connection() as connection:
            rows = await connection.fetch("DELETE FROM job WHERE name IN ('payments.close', 'payments.refund') AND state = 'waiting' RETURNING name, payload")
        for row in rows:
            await jobs.registered()[row["name"]].act(self.services, orjson.loads(row["payload"]))

    async def now(self, order: Order) -> Order:
        """The order as it is."""
        async with self.services.database.connection() as connection:
            found = await payments.order_of(connection, order.id)
        assert found
        return found

    async def payments(self, order: Order) -> list[Payment]:
        """Its payments."""
        async with self.services.database.connection() as connection:
            return await payments.payments_of(connection, order.id)

    async def refunds(self, order: Order) -> list[Refund]:
        """Its refunds."""
        async with self.services.database.connection() as connection:
            return await payments.refunds_of(connection, order.id)

    async def invoice(self, order: Order) -> dict[str, Any]:
        """Its Invoice."""
        found = await self.system().read("Invoice", order.id)
        assert found
        return found

    async def books(self) -> dict[str, Fen]:
        """All accounts; they always add up to nothing, each transaction by itself."""
        async with self.services.database.connection() as connection:
            found = {one.account: one.fen for one in await balances(connection)}
            assert await connection.fetchval(sql.unbalanced) is None
        assert sum(found.values()) == 0
        return found

    async def verdicts(self) -> list[str]:
        """What the channels' notices were taken for, the newest first."""
        async with self.services.database.connection() as connection:
            rows = await connection.fetch("SELECT verdict FROM payments_channel_notice ORDER BY id DESC")
        return [row["verdict"] for row in rows]

    async def noted(self, count: int, verdict: str) -> None:
        """Return once so many notices were taken for that."""
        for _ in range(400):
            if (await self.verdicts()).count(verdict) >= count:
                return
            await asyncio.sleep(0.02)
        raise AssertionError(await self.verdicts())

    async def look(self) -> None:
        """What the worker does every few seconds, with everything due now."""
        async with self.services.database.connection() as connection:
            for table in ("payments_payment", "payments_refund"):
                await connection.execute(f"UPDATE {table} SET look_at = $1 WHERE look_at IS NOT NULL", clock.now())
        await looking.look(self.services, {})

    async def refunded(self, order: Order, *states: str) -> None:
        """Look until its refunds are in these states; what a notice holds locked just now is looked at the next time."""
        for _ in range(100):
            await self.look()
            if tuple([one.state for one in await self.refunds(order)]) == states:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(await self.refunds(order))

    async def looked(self, order: Order, state: str) -> None:
        """Look until it is in a state."""
        for _ in range(100):
            await self.look()
            if (await self.now(order)).state == state:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(await self.now(order))

    def faults(self, **more: Any) -> None:
        """What goes wrong from now on."""
        self.simulator.faults = Faults(**more)

    @asynccontextmanager
    async def browser(self, actor: Actor, language: str = "en") -> AsyncGenerator[httpx.AsyncClient]:
        """A browser in which somebody is logged in."""
        secret = await self.services.entries.issue(actor, kind="session", lasts=600)
        transport = httpx.ASGITransport(build(self.services, {}), raise_app_exceptions=False)
        headers = {"accept": "text/html", "accept-language": language}
        cookies = {SESSION_COOKIE: secret}
        async with httpx.AsyncClient(transport=transport, base_url="http://kangyun.test", cookies=cookies, headers=headers) as client:
            yield client

    async def token(self, actor: Actor) -> dict[str, str]:
        """The headers of an app of somebody."""
        secret = await self.services.entries.issue(actor, kind="token", lasts=600)
        return {"authorization": f"Bearer {secret}", "content-type": "application/fhir+json"}


async def post(client: httpx.AsyncClient, page: str, path: str, **fields: str) -> httpx.Response:
    """Open a page and send one of its forms."""
    shown = await client.get(page)
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', shown.text)
    assert token, shown.text[:3000]
    return await client.post(path, data={"csrf": token[1], **fields})


@asynccontextmanager
async def paying(services: Services, folder: Path) -> AsyncGenerator[World]:
    """The platform behind a port, and channels that reach it there."""
    with socket.create_server(("127.0.0.1", 0)) as listening, simulated.running(folder) as simulator:
        port = listening.getsockname()[1]
        simulator.again = (0.05, 0.1, 0.2, 0.4)
        settings = replace(services.settings, payments_channels=str(folder), public_url=f"http://127.0.0.1:{port}")
        own = replace(services, settings=settings)
        config = uvicorn.Config(build(own, {}), log_config=None, access_log=False, lifespan="off", ws="none")
        server = _Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        await _people(own)
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
                yield World(own, simulator, client)
        finally:
            server.should_exit = True
            await serving


class _Server(uvicorn.Server):
    """Leaves the signals to the test runner."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


async def _people(services: Services) -> None:
    whole = [
        {"resourceType": "Organization", "id": HOSPITAL, "name": "青溪县人民医院"}, {"resourceType": "Organization", "id": OTHER_HOSPITAL, "name": "云州市中医院"},
        *_person(PERSON, PATIENT, "李娜"), *_person(OTHER_PERSON, OTHER_PATIENT, "张强"),
    ]
    await services.gate.system("tests").commit([Write("update", one["resourceType"], one, one["id"]) for one in whole])


def _person(person: str, patient: str, name: str) -> list[dict[str, Any]]:
    return [
        {"resourceType": "Patient", "id": patient, "name": [{"text": name}], "managingOrganization": {"reference": f"Organization/{HOSPITAL}"}},
        {"resourceType": "Person", "id": person, "name": [{"text": name}], "link": [{"target": {"reference": f"Patient/{patient}"}}]},
    ]
