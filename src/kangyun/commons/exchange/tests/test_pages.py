from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from kangyun.app.services import Services
from kangyun.base import web
from kangyun.base.settings import Settings
from kangyun.base.web.routing import permission_of
from kangyun.commons.access import Actor, Gate
from kangyun.commons.exchange import api, pages
from kangyun.commons.exchange.actions import Intake, joining
from kangyun.commons.exchange.decisions.showing import show
from kangyun.commons.exchange.model import Reason
from kangyun.commons.records import Store

GOOD = "MSH|^~\\&|HIS|YZFH|||20260301080000+0800||ADT^A28|{}|P|2.5||||||UNICODE UTF-8\rEVN|A28|20260301\rPID|1||M1||周秀兰||19560304|F"
BAD = GOOD.replace("|F", "|Z")


@pytest.fixture
async def client(services: Services) -> AsyncGenerator[httpx.AsyncClient]:
    joining.forget()
    database = services.database
    async with database.connection() as connection:
        await connection.execute("TRUNCATE raw_message, resource, span, history, change, commit_once")
    gate = Gate(Store(database))

    def through(endpoint: Any) -> Any:
        async def passed(request: Request) -> Response:
            request.state.handle = gate.open(Actor("test", request.headers.get("role", "operator")), "operations")
            return await endpoint(request)

        return passed

    routes = [
        web.route(getattr(one, "path", ""), through(getattr(one, "endpoint", None)), permission=permission_of(one) or "", methods=sorted(getattr(one, "methods", None) or {"GET"}))
        for one in [*api.routes(), *pages.routes()]
    ]
    app = Starlette(routes=[*web.routes(), *routes], middleware=web.middleware(), exception_handlers=web.exception_handlers())
    app.state.shell = web.shell(pages.menu())
    app.state.services = SimpleNamespace(database=database, gate=gate, keys=services.keys, settings=Settings(mllp_max_bytes=100_000))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def post(client: httpx.AsyncClient, text: str, kind: str = "text/plain") -> httpx.Response:
    return await client.post("/exchange/hl7v2", content=text.encode(), headers={"content-type": kind})


async def test_a_message_posted_is_acknowledged(client: httpx.AsyncClient):
    answer = await post(client, GOOD.format("1"), "application/hl7-v2")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/hl7-v2")
    assert "MSA|AA|1" in answer.text
    framed = await post(client, f"\x0b{GOOD.format('2')}\x1c\r")
    assert "MSA|AA|2" in framed.text


@pytest.mark.parametrize(
    ("text", "kind", "status"),
    [(BAD.format("1"), "text/plain", 422), ("nonsense", "text/plain", 400), ("x" * 200_000, "text/plain", 413), (GOOD, "text/html", 415)],
)
async def test_what_is_refused_says_so(client: httpx.AsyncClient, text: str, kind: str, status: int):
    assert (await post(client, text, kind)).status_code == status


async def test_messages_arrive_on_the_page_in_both_languages(client: httpx.AsyncClient):
    empty = await client.get("/exchange/messages")
    assert "还没有消息" in empty.text
    await post(client, GOOD.format("1"))
    await post(client, BAD.format("2"))
    chinese = await client.get("/exchange/messages?lang=zh")
    assert "新增个人信息" in chinese.text
    assert "周秀兰" in chinese.text
    assert "PID-8" in chinese.text
    english = await client.get("/exchange/messages?part=latest&lang=en")
    assert "New person" in english.text
    assert "Yunzhou First People" in english.text
    assert "<html" not in english.text


async def test_the_list_is_filtered_by_state(client: httpx.AsyncClient):
    await post(client, GOOD.format("1"))
    await post(client, BAD.format("2"))
    shown = await client.get("/exchange/messages?state=quarantined&part=latest")
    assert len(re.findall('id="message-', shown.text)) == 1


async def test_the_fault_is_marked_and_the_message_tried_again(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr("kangyun.commons.exchange.actions.processing.translate", lambda *_: 1 / 0)
        await post(client, GOOD.format("1"))
    listed = await client.get("/exchange/messages")
    found = re.search(r'href="(/exchange/messages/\d+)"', listed.text)
    assert found
    page = await client.get(found[1])
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token
    assert (await client.post(f"{found[1]}/replay")).status_code == 403
    again = await client.post(f"{found[1]}/replay", data={"csrf": token[1]}, follow_redirects=True)
    assert again.status_code == 200
    assert "已入库" in again.text
    assert (await client.get("/exchange/messages/999999999")).status_code == 404


async def test_who_may_not_read_raw_messages_sees_no_person(client: httpx.AsyncClient):
    await post(client, BAD.format("2"))
    listed = await client.get("/exchange/messages")
    found = re.search(r'href="(/exchange/messages/\d+)"', listed.text)
    assert found
    open_ = await client.get(found[1])
    assert "周秀兰" in open_.text
    assert "<mark" in open_.text
    masked = await client.get(found[1], headers={"role": "clinician"})
    assert "周秀兰" not in masked.text
    assert "19560304" not in masked.text
    assert "已遮盖" in masked.text


def test_the_marked_field_is_the_faulty_one():
    shown = show(GOOD.encode(), Reason("exchange.bad-date", "PID-7"), masked=False)
    assert [part.text for part in shown.lines[2].parts if part.marked] == ["19560304"]
    header = show(GOOD.encode(), Reason("exchange.no-control-id", "MSH-10"), masked=True)
    assert [part.text for part in header.lines[0].parts if part.marked] == ["{}"]
    broken = show(b"MSH|^~\\&\rOB\x07x", Reason("exchange.bad-segment", "", {"line": "2"}), masked=True)
    assert broken.lines[1].parts[0].marked


async def test_the_raw_page_of_anything_is_drawn(client: httpx.AsyncClient, services: Services):
    intake = Intake(services.database, services.gate, services.keys)
    for body in (b"\xff\xfe\x00", b"", b"MSH|^~\\&|" + b"\xc3(" * 50, b"MSH|^~\\&|A\r" + b"Z|" * 300_000, "MSH|^~\\&|A".encode("utf-16")):
        receipt = await intake.take(body)
        page = await client.get(f"/exchange/messages/{receipt.outcome.message_id}")
        assert page.status_code == 200
