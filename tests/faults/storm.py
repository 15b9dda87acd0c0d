"""Clients that write as fast as they can and remember exactly what was acknowledged."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import orjson

from kangyun.base.database.embedded import EmbeddedServer
from tests.fhir import bundle, entry
from tests.serving import Server

SYSTEM = "urn:storm"


def drop(mark: str, value: str, id_: str | None = None) -> dict[str, Any]:
    """A small resource with a mark that never changes and a value that does."""
    own = {"id": id_} if id_ else {}
    return {"resourceType": "Basic", **own, "identifier": [{"system": SYSTEM, "value": mark}], "code": {"text": value}}


@dataclass
class Known:
    """What the clients know: versions and values by id, marks of transactions, and what stayed without an answer."""

    stored: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    unanswered: dict[str, str] = field(default_factory=dict[str, str])
    groups: dict[str, bool] = field(default_factory=dict[str, bool])
    answers: list[int] = field(default_factory=list[int])


class Client:
    """One writer; it never has more than one request on the way."""

    def __init__(self, http: httpx.AsyncClient, name: str, chance: random.Random, known: Known) -> None:
        self.http = http
        self.name = name
        self.chance = chance
        self.known = known
        self.own: list[str] = []
        self.number = 0
        self.going = True

    async def run(self) -> None:
        """Write until told to stop; a request that fails on its way counts as unanswered."""
        while self.going:
            self.number += 1
            try:
                await self.chance.choice([self.create, self.update, self.update, self.transact])()
            except httpx.HTTPError:
                await asyncio.sleep(0.05)

    async def create(self) -> None:
        value = f"{self.name}-{self.number}"
        response = await self.http.post("/fhir/Basic", json=drop(value, value))
        self.known.answers.append(response.status_code)
        if response.status_code == 201:
            id_ = response.json()["id"]
            self.known.stored[id_] = (1, value)
            self.own.append(id_)

    async def update(self) -> None:
        if not self.own:
            return
        id_ = self.own.pop(self.chance.randrange(len(self.own)))
        version, _ = self.known.stored[id_]
        value = f"{self.name}-{self.number}"
        self.known.unanswered[id_] = value
        headers = {"if-match": f'W/"{version}"'}
        response = await self.http.put(f"/fhir/Basic/{id_}", json=drop("updated", value, id_), headers=headers)
        self.known.answers.append(response.status_code)
        if response.status_code < 500:
            del self.known.unanswered[id_]
            self.own.append(id_)
            assert response.status_code == 200, response.text
            self.known.stored[id_] = (version + 1, value)

    async def transact(self) -> None:
        mark = f"group-{self.name}-{self.number}"
        self.known.groups[mark] = False
        entries = [entry("POST", "Basic", drop(mark, str(n))) for n in range(3)]
        response = await self.http.post("/fhir", json=bundle("transaction", *entries))
        self.known.answers.append(response.status_code)
        self.known.groups[mark] = response.status_code == 200


class Storm:
    """Several clients at once; each ends its last request by itself, because a cancelled one would leave its socket."""

    def __init__(self, server: Server, chance: random.Random, known: Known, clients: int = 6) -> None:
        self.url = server.url
        self.known = known
        name = f"{chance.getrandbits(40):x}"
        self.chances = {f"{name}-{number}": random.Random(chance.random()) for number in range(clients)}
        self.clients: list[Client] = []
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with httpx.AsyncClient(base_url=self.url, timeout=30) as http, asyncio.TaskGroup() as group:
            for name, chance in self.chances.items():
                self.clients.append(Client(http, name, chance, self.known))
                group.create_task(self.clients[-1].run())

    async def rage(self, answers: int, seconds: float = 10) -> None:
        """Return after so many more answers, or after some time."""
        goal, end_at = len(self.known.answers) + answers, time.monotonic() + seconds
        while len(self.known.answers) < goal and time.monotonic() < end_at and not self.task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.002)

    async def end(self) -> None:
        """Stop the clients; raises what they found wrong."""
        for client in self.clients:
            client.going = False
        await self.task


def dsn(server: Server) -> str:
    """The server's own database, for looking at it from outside."""
    return EmbeddedServer(server.data / "postgres").dsn()


async def check(server: Server, known: Known) -> int:
    """Compare the database with what the clients know; returns how many acknowledged writes it holds."""
    connection = await asyncpg.connect(dsn(server))
    try:
        rows = await connection.fetch("SELECT id, version, body FROM resource WHERE body LIKE '%urn:storm%'")
        now = {row["id"]: (row["version"], orjson.loads(row["body"])) for row in rows}
        for id_, (version, value) in known.stored.items():
            assert id_ in now, f"an acknowledged create is lost: {id_}"
            _check_one(now[id_], version, value, known.unanswered.get(id_))
        _check_groups([body["identifier"][0]["value"] for _, body in now.values()], known)
        await _check_versions(connection)
        return sum(version for version, _ in known.stored.values())
    finally:
        await connection.close()


def _check_one(now: tuple[int, dict[str, Any]], version: int, value: str, unanswered: str | None) -> None:
    text = now[1]["code"]["text"]
    if now[0] == version:
        assert text == value, "an acknowledged update is lost"
    else:
        assert (now[0], text) == (version + 1, unanswered), f"version {now[0]} was never asked for"


def _check_groups(marks: list[str], known: Known) -> None:
    for mark, acknowledged in known.groups.items():
        number = marks.count(mark) if acknowledged else -1
        assert number in (-1, 3), f"an acknowledged transaction is lost or half: {number} of 3"
    groups = [mark for mark in marks if mark.startswith("group-")]
    half = {mark for mark in set(groups) if groups.count(mark) != 3}
    assert not half, f"a half transaction: {half}"


async def _check_versions(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Every version from 1 on is there once, in the history and in the change feed."""
    gaps = await connection.fetch("""
        SELECT r.id FROM resource r
        LEFT JOIN (SELECT key, id, count(*) AS n, max(version) AS last FROM history GROUP BY key, id) h USING (key, id)
        LEFT JOIN (SELECT key, id, count(*) AS n, count(DISTINCT version) AS d, max(version) AS last FROM change GROUP BY key, id) c
            USING (key, id)
        WHERE coalesce(h.n, 0) <> r.version - 1 OR coalesce(h.last, 0) <> r.version - 1
           OR c.n IS DISTINCT FROM r.version OR c.d IS DISTINCT FROM r.version OR c.last IS DISTINCT FROM r.version""")
    assert gaps == [], f"versions with gaps or changes that are missing or double: {len(gaps)}"
