"""What people see: a resident pays and asks for money back, a clerk decides, nobody sees another's orders."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.support.payments.tests.world import (
    CLERK,
    FINANCE,
    HOSPITAL,
    OTHER,
    OTHER_CLERK,
    RESIDENT,
    World,
    paying,
    post,
)


@pytest.fixture(scope="module")
async def world(services: Services, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with paying(services, Path(tmp_path_factory.mktemp("pages"))) as found:
        yield found


def _link(page: str) -> str:
    found = re.search(r'class="button button-main pay-go" href="([^"]+)"', page)
    assert found, page
    return found[1].replace("&amp;", "&")


async def test_a_resident_pays_on_a_phone_and_comes_back(world: World) -> None:
    order = await world.order(3252, 3177, key="phone")
    page = f"/payments/orders/{order.id}"
    async with world.browser(RESIDENT) as client:
        client.headers["user-agent"] = "Mozilla/5.0 (Linux; Android 14) Mobile"
        assert order.id in (await client.get("/payments")).text
        shown = (await client.get(page)).text
        assert "¥64.29" in shown
        assert "WeChat Pay" in shown
        done = await post(client, page, f"{page}/pay", channel="wechat", scene="phone", total="64.29")
        assert (done.status_code, done.headers["location"]) == (303, page)
        link = _link((await client.get(page)).text)
        assert "redirect_url=http%3A%2F%2F127.0.0.1" in link
        world.faults(lost=1)
        await world.press(link)
        assert (await client.get(f"{page}?part=state")).text.count("<html") == 0
        assert (await post(client, page, f"{page}/ask")).status_code == 303
        assert "Paid" in (await client.get(page)).text
        assert "Open WeChat Pay" not in (await client.get(page)).text
        world.faults()
        asked = await post(client, page, f"{page}/refund", amount="31.77", reason="not delivered", key="a")
        assert asked.status_code == 303, asked.text
        assert "Being considered" in (await client.get(page)).text
        again = await post(client, page, f"{page}/refund", amount="1", reason="x", key="b")
        assert (again.status_code, "is being considered already" in again.text) == (409, True)
    async with world.browser(CLERK) as client:
        desk = (await client.get("/payments/desk")).text
        assert "not delivered" in desk
        number = re.search(r'action="/payments/desk/refunds/(\w+)"', desk)
        assert number
        granted = await post(client, "/payments/desk", f"/payments/desk/refunds/{number[1]}", order=order.id, verdict="grant", reason="")
        assert granted.status_code == 303
        await world.refunded(order, "done")
        assert "Given back" in (await client.get(f"/payments/desk/orders/{order.id}")).text
        more = await post(client, f"/payments/desk/orders/{order.id}", f"/payments/desk/orders/{order.id}/refund", amount="32.53", reason="x", key="c")
        assert (more.status_code, "more than what can still be given back" in more.text) == (409, True)
    assert (await world.now(order)).refunded_fen == 3177


async def test_a_desktop_shows_a_code(world: World) -> None:
    order = await world.order(100, key="desktop")
    page = f"/payments/orders/{order.id}"
    async with world.browser(RESIDENT, "zh") as client:
        await post(client, page, f"{page}/pay", channel="unionpay", scene="desktop", total="1.00")
        shown = (await client.get(page)).text
        assert 'class="qr"' in shown
        assert "请用云闪付扫一扫" in shown
        assert (await post(client, page, f"{page}/cancel")).status_code == 303
        assert "已取消" in (await client.get(page)).text
    assert (await world.invoice(order))["status"] == "cancelled"


async def test_another_total_than_the_order_has_is_refused(world: World) -> None:
    order = await world.order(100, key="total")
    page = f"/payments/orders/{order.id}"
    async with world.browser(RESIDENT) as client:
        refused = await post(client, page, f"{page}/pay", channel="wechat", scene="phone", total="0.99")
        assert (refused.status_code, "A price has changed" in refused.text) == (409, True)
        assert (await post(client, page, f"{page}/pay", channel="cash", scene="phone", total="1")).status_code == 422
    assert (await world.now(order)).state == "open"


async def test_nobody_sees_or_touches_what_is_anothers(world: World) -> None:
    order = await world.paid(500, key="others")
    page, desk = f"/payments/orders/{order.id}", f"/payments/desk/orders/{order.id}"
    own = await world.order(700, key="own")
    async with world.browser(OTHER) as client:
        assert order.id not in (await client.get("/payments")).text
        assert (await client.get(page)).status_code == 404
        token = await _token(client, "/payments")
        for path in ("pay", "cancel", "refund", "ask"):
            wish = {"csrf": token, "total": "5.00", "channel": "wechat", "amount": "5.00", "reason": "x", "key": "k"}
            assert (await client.post(f"/payments/orders/{own.id}/{path}", data=wish)).status_code == 404, path
        assert (await client.get("/payments/desk")).status_code == 403
        assert (await client.get("/payments/reconciliation")).status_code == 403
    async with world.browser(OTHER_CLERK) as client:
        assert order.id not in (await client.get("/payments/desk")).text
        assert (await client.get(desk)).status_code == 404
        assert (await client.post(f"{desk}/refund", data={"csrf": await _token(client, "/payments/desk"), "amount": "5", "reason": "x", "key": "k"})).status_code == 404
        assert (await client.get("/payments/books")).status_code == 403
    assert ((await world.now(order)).refunded_fen, (await world.now(own)).state) == (0, "open")


async def _token(client: httpx.AsyncClient, page: str) -> str:
    found = re.search(r'name="?csrf"? (?:value|content)="([0-9a-f]+)"', (await client.get(page)).text)
    assert found
    return found[1]


async def test_the_finance_clerk_sees_books_and_settles(world: World) -> None:
    order = await world.paid(4200, key="books")
    async with world.browser(FINANCE) as client:
        shown = (await client.get("/payments/books")).text
        assert "青溪县人民医院" in shown
        assert order.id in (await client.get(f"/payments/books?account=payable/{HOSPITAL}")).text
        assert (await client.get("/payments/settlements")).status_code == 200
        assert (await client.get(f"/payments/desk/orders/{order.id}")).status_code == 200
        assert (await client.get("/payments")).status_code == 200
