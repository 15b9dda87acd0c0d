"""Merge notices by FHIR Subscription, held to a receiver behind a real connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from kangyun.app.services import Services
from kangyun.base.reactions import Change
from kangyun.commons.access import Handle, Write, key_of
from kangyun.commons.exchange.actions import notices
from kangyun.commons.exchange.decisions.outbound.subscriptions import Unwanted, concerns, links_changed, wanted
from kangyun.commons.population import register
from kangyun.commons.population.actions import link, unlink
from kangyun.commons.population.tests.people import id_number, resident


def subscription(endpoint: str, criteria: str = "Linkage", **channel: Any) -> dict[str, Any]:
    return {
        "resourceType": "Subscription", "status": "requested", "reason": "merges", "criteria": criteria,
        "channel": {"type": "rest-hook", "endpoint": endpoint, **channel},
    }


@pytest.mark.parametrize(("more", "reason"), [
    ({"criteria": "Observation"}, "criteria"),
    ({"criteria": "Linkage?author=1"}, "criteria"),
    ({"channel": {"type": "email", "endpoint": "mailto:a@b"}}, "channel"),
    ({"channel": {"type": "rest-hook", "endpoint": "https://a", "payload": "application/fhir+json"}}, "payload"),
])
def test_what_is_not_offered_is_said(more: dict[str, Any], reason: str):
    with pytest.raises(Unwanted) as refused:
        wanted({"id": "1", **subscription("https://a"), **more})
    assert refused.value.reason == reason


def test_headers_of_ours_are_not_the_subscribers_to_set():
    header = ["Authorization: Bearer x", "Host: inside", "X: a\r\nY: b"]
    assert wanted({"id": "1", **subscription("https://a", header=header)}).headers == {"Authorization": "Bearer x"}


def test_only_merges_and_partings_change_a_linkage():
    alone, two = ({"link": [{"target": {"reference": f"Patient/{n}"}} for n in numbers]} for numbers in ((1,), (1, 2)))
    assert not links_changed(None, alone)
    assert not links_changed(two, two)
    assert links_changed(alone, two)
    assert links_changed(two, alone)
    assert concerns((("item", "Patient/9,Patient/2"),), "p", alone, two)
    assert not concerns((("item", "Patient/9"),), "p", alone, two)


@dataclass
class Receiver:
    """A receiver of notices: what it was sent, and which statuses it answers with first."""

    taken: list[str] = field(default_factory=list[str])
    answers: list[int] = field(default_factory=list[int])
    address: str = ""

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Receiver]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken.append((await reader.readuntil(b"\r\n\r\n")).decode())
        status = self.answers.pop(0) if self.answers else 200
        writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@dataclass
class Region:
    """Two Patients, the subscriber's receiver, and the services that may reach it."""

    services: Services
    handle: Handle
    receiver: Receiver
    one: str
    other: str
    seq: int = 0

    async def subscribe(self, criteria: str, **channel: Any) -> str:
        whole = subscription(f"{self.receiver.address}/hook", criteria, **channel)
        [written] = await self.handle.commit([Write("create", "Subscription", whole)])
        await notices.notify(self.services, {})
        return written.id

    async def status(self, id_: str) -> tuple[str, str]:
        found = await self.handle.read("Subscription", id_)
        assert found
        return found["status"], found.get("error", "")

    async def change(self) -> None:
        """Deliver the newest change of each Person, as the feed does."""
        notices.forget()
        for person in (await self.handle.search("Person", "")).resources:
            self.seq += 1
            version = int(person["meta"]["versionId"])
            await notices.put(self.handle, Change(self.seq, 7, key_of("Person", person["id"]), "Person", person["id"], version, "update"))

    async def told(self) -> int:
        await notices.notify(self.services, {})
        return len(self.receiver.taken)


@pytest.fixture
async def region(services: Services) -> AsyncGenerator[Region]:
    async with services.database.connection() as connection:
        await connection.execute("TRUNCATE resource, span, history, change, commit_once, identity, candidate, outbound")
    handle = services.gate.system("test")
    one = await register(handle, resident("A1", id_number("1956-03-04", 42)), "A")
    other = await register(handle, resident("C1", name="吴桂英", birthDate="1990-01-02", phone="13700000000"), "C")
    async with Receiver().open() as receiver:
        allowed = replace(services, settings=replace(services.settings, outside_allow=receiver.address))
        yield Region(allowed, handle, receiver, one, other)
    notices.forget()


async def test_a_merge_and_its_undoing_are_told_once_each(region: Region):
    id_ = await region.subscribe(f"Linkage?item=Patient/{region.one}", header=["Authorization: Bearer x"])
    assert await region.status(id_) == ("active", "")
    await region.change()
    assert await region.told() == 0   # Nobody was linked yet.
    await link(region.handle, region.one, region.other, "anna")
    await region.change()
    assert await region.told() == 1
    assert await region.told() == 1
    assert region.receiver.taken[0].startswith("POST /hook ")
    assert "bearer x" in region.receiver.taken[0].lower()
    assert region.one not in region.receiver.taken[0]
    await unlink(region.handle, region.one, "anna")
    await region.change()
    assert await region.told() == 2


async def test_documents_are_told_to_those_who_asked_for_such_ones(region: Region):
    await region.subscribe(f"DocumentReference?patient=Patient/{region.one}&status=current")
    await region.subscribe("Person")
    for number, whose in enumerate((region.other, region.one)):
        document = {
            "resourceType": "DocumentReference", "status": "current", "subject": {"reference": f"Patient/{whose}"},
            "content": [{"attachment": {"contentType": "text/plain", "data": "eA=="}}],
        }  # fmt: skip
        [written] = await region.handle.commit([Write("create", "DocumentReference", document)])
        notices.forget()
        key = key_of("DocumentReference", written.id)
        await notices.put(region.handle, Change(number + 1, 7, key, "DocumentReference", written.id, 1, "create"))
        assert await region.told() == number   # That of the other resident is nobody's wish.


async def test_a_receiver_that_fails_is_asked_again_and_given_up_in_the_end(region: Region):
    id_ = await region.subscribe("Person?name=吴桂英")
    region.receiver.answers = [500] * 8
    await region.change()
    for _ in range(9):
        async with region.services.database.connection() as connection:
            await connection.execute("UPDATE outbound SET next_try = now() - interval '1 second'")
        await region.told()
    assert len(region.receiver.taken) == 8
    assert await region.status(id_) == ("error", "not delivered: status 500")


async def test_an_address_inside_our_own_network_is_refused(region: Region):
    region.services = replace(region.services, settings=replace(region.services.settings, outside_allow=""))
    assert await region.status(await region.subscribe("Person")) == ("error", "address refused: scheme")
    assert await region.status(await region.subscribe("Person", payload="application/fhir+json")) == ("error", "not offered: payload")
    assert region.receiver.taken == []
