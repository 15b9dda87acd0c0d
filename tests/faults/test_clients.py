"""Clients that misbehave, alone and by the thousand: each is told why, and a well-behaved client notices nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from kangyun.base.fhir.validation import validate
from tests.fhir import FHIR_JSON, bundle, entry, patient, refused
from tests.serving import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SLOW: dict[str, Any] = {"slow_client_seconds": "3"}


@asynccontextmanager
async def healthy(server: Server, most_seconds: float) -> AsyncGenerator[list[float]]:
    """A client that goes on reading and writing; the seconds of each of its requests."""
    seconds: list[float] = []
    going = True

    async def go() -> None:
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            while going:
                began = time.monotonic()
                response = await http.post("/fhir/Patient", json=patient())
                assert response.status_code == 201, response.text
                assert (await http.get(f"/fhir/Patient/{response.json()['id']}")).status_code == 200
                seconds.append(time.monotonic() - began)
                await asyncio.sleep(0.02)

    task = asyncio.create_task(go())
    try:
        yield seconds
    finally:
        going = False
        await task
    assert seconds
    assert max(seconds) < most_seconds, f"the healthy client waited {max(seconds):.1f} s"


async def say(server: Server, *parts: bytes, pause: float = 0.0) -> tuple[int, dict[str, Any]]:
    """Write raw bytes to the server and read its answer: status and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
        except ConnectionError:
            pass
        async with asyncio.timeout(40):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
    finally:
        writer.close()
    return int(head.split()[1]), json.loads(body)


def assert_told(answer: tuple[int, dict[str, Any]], status: int) -> None:
    """The answer is an OperationOutcome of this status."""
    assert answer[0] == status
    assert answer[1]["resourceType"] == "OperationOutcome"
    assert validate(answer[1]) == []
    assert answer[1]["issue"][0]["details"]["text"] != answer[1]["issue"][0]["diagnostics"]


async def test_what_is_not_http_is_told_so(server: Server) -> None:
    host = b"Host: x\r\n"
    assert_told(await say(server, b"nonsense\r\n\r\n"), 400)
    assert_told(await say(server, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 300), 400)
    assert_told(await say(server, b"GET /fhir/Patient HTTP/1.1\r\n" + host + b"bad header\r\n\r\n"), 400)
    assert_told(await say(server, b"GET /fhir/Nonsense HTTP/1.1\r\n" + host + b"X: " + b"x" * 300_000 + b"\r\n\r\n"), 431)
    assert_told(await say(server, b"GET /fhir/" + b"x" * 300_000 + b" HTTP/1.1\r\n" + host + b"\r\n"), 431)
    many = b"".join(b"X-%d: 1\r\n" % n for n in range(30_000))
    assert_told(await say(server, b"GET /fhir/Nonsense HTTP/1.1\r\n" + host + many + b"\r\n"), 431)
    assert_told(await say(server, b"POST /fhir/Patient HTTP/1.1\r\n" + host + b"Content-Length: -5\r\n\r\n"), 400)
    both = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    assert_told(await say(server, b"POST /fhir/Patient HTTP/1.1\r\n" + host + both), 400)
    assert_told(await say(server, b"POST /fhir/Patient HTTP/1.1\r\n" + host + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400)


async def test_a_slow_body_and_a_slow_head_are_given_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Server(tmp_path_factory.mktemp("slow"), **SLOW)
    server.start()
    try:
        head = b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
        async with healthy(server, 30):
            drips = [say(server, head, *[b" "] * 40, pause=0.1) for _ in range(50)]
            for answer in await asyncio.gather(*drips):
                assert_told(answer, 408)
            began = time.monotonic()
            idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(200)]
            for _, writer in idle[:100]:
                writer.write(b"GET /fhir/Patient HTTP/1.1\r\nX-Slow: ")
            closed = await asyncio.wait_for(asyncio.gather(*(reader.read() for reader, _ in idle)), 60)
            assert time.monotonic() - began < 50
            assert all(b"OperationOutcome" in text for text in closed[:100])
            for _, writer in idle:
                writer.close()
    finally:
        server.stop()


async def test_a_thousand_connections_at_once_are_all_answered(server: Server) -> None:
    request = b"GET /fhir/Patient/nobody HTTP/1.1\r\nHost: x\r\n\r\n"
    async with healthy(server, 30):
        answers = await asyncio.gather(*(say(server, request) for _ in range(1000)))
    assert {status for status, _ in answers} <= {404, 503}
    assert sum(status == 404 for status, _ in answers) > 900
    assert_told(answers[0], answers[0][0])


async def test_fifty_megabytes_are_refused_and_the_memory_stays_bounded(server: Server) -> None:
    before = server.resident_bytes()
    most = before

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, server.resident_bytes())
            await asyncio.sleep(0.02)

    watching = asyncio.create_task(watch())
    name = b'{"text":"' + b"x" * 80 + b'"},'
    just_taken = b'{"resourceType":"Patient","name":[' + name * (31_000_000 // len(name)) + b'{"text":"x"}]}'
    tiny = b'{"resourceType":"Patient","name":[' + b"{}," * 10_000_000 + b"{}]}"

    async def endless() -> AsyncGenerator[bytes]:
        for _ in range(500):
            yield b" " * 100_000

    async with healthy(server, 30), httpx.AsyncClient(base_url=server.url, timeout=200) as http:
        refused(await http.post("/fhir/Patient", content=b" " * 50_000_000, headers=FHIR_JSON), 413)
        refused(await http.post("/fhir/Patient", content=endless(), headers=FHIR_JSON), 413)
        refused(await http.post("/fhir/Patient", content=tiny, headers=FHIR_JSON), 413)
        answers = await asyncio.gather(*(http.post("/fhir/Patient", content=just_taken, headers=FHIR_JSON) for _ in range(4)))
        assert {answer.status_code for answer in answers} <= {201, 413, 422, 503}
        after = server.resident_bytes()
    watching.cancel()
    print(f"resident memory: {before >> 20} MB before, at most {most >> 20} MB, {after >> 20} MB after")
    assert most < 800_000_000


async def test_ten_thousand_entries_let_others_pass(server: Server) -> None:
    basic = {"resourceType": "Basic", "code": {"coding": [{"system": "urn:test", "code": "many"}]}}
    body = json.dumps(bundle("transaction", *(entry("POST", "Basic", basic) for _ in range(10_000)))).encode()
    async with healthy(server, 30) as seconds, httpx.AsyncClient(base_url=server.url, timeout=200) as http:
        response = await http.post("/fhir", content=body, headers=FHIR_JSON)
        assert response.status_code == 200
        print(f"a healthy pair of requests took at most {max(seconds, default=0):.2f} s beside it")


async def test_clients_that_hang_up_leave_nothing_behind(server: Server) -> None:
    async with healthy(server, 30):
        for number in range(100):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            body = json.dumps(patient()).encode()
            head = b"POST /fhir/Patient HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            writer.write((head + body)[: (number * 7) % (len(head) + len(body) + 1)])
            await writer.drain()
            writer.transport.abort()
    assert "http.bug" not in server.words()


async def test_one_of_two_writers_wins(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        stored = (await http.post("/fhir/Patient", json=patient())).json()
        address = f"/fhir/Patient/{stored['id']}"
        for version in range(1, 11):
            match = {"if-match": f'W/"{version}"'}
            answers = await asyncio.gather(*(http.put(address, json={**stored, "birthDate": f"19{n + 10}-01-01"}, headers=match) for n in range(6)))
            assert sorted(answer.status_code for answer in answers) == [200] + [412] * 5
            refused(next(answer for answer in answers if answer.status_code == 412), 412, "conflict")
            [winner] = [answer.json() for answer in answers if answer.status_code == 200]
            assert (await http.get(address)).json() == winner


async def test_twins_create_one_resource_between_them(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        for number in range(5):
            body = patient(identifier=[{"system": "urn:twin", "value": str(number)}])
            once = {"if-none-exist": f"identifier=urn:twin|{number}"}
            calls = [http.post("/fhir/Patient", json=body, headers=once) for _ in range(5)]
            calls += [http.put(f"/fhir/Patient?identifier=urn:twin|{number}", json=body) for _ in range(2)]
            answers = await asyncio.gather(*calls)
            assert {answer.status_code for answer in answers} <= {200, 201}
            assert len({answer.json()["id"] for answer in answers}) == 1
            only_new = [http.put(f"/fhir/Patient/twin-{number}", json={**body, "id": f"twin-{number}"}, headers={"if-none-match": "*"}) for _ in range(4)]
            assert sorted(answer.status_code for answer in await asyncio.gather(*only_new)) == [201, 412, 412, 412]
