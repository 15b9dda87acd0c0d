"""The WebSocket of a browser in a call: what it says, what it is told, and whether it may still be there."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from kangyun.base import errors
from kangyun.base.errors import Problem, refuse
from kangyun.base.web.preferences import preferences_of
from kangyun.care.internet_hospital.actions import calls
from kangyun.care.internet_hospital.actions.calls import ROSTER, Arriving, Means, ice
from kangyun.care.internet_hospital.actions.calls_post import post, switchboard
from kangyun.care.internet_hospital.decisions.calls import LEVELS, levels, may, next_level, terms
from kangyun.care.internet_hospital.model.calls import Call, Place, Sample, Seat
from kangyun.care.internet_hospital.queries.calls import sql

# Codes of our own (RFC 6455, 7.4.2): the browser does not come back after one of them by itself.
MOVED, REFUSED, BAD = 4001, 4003, 4400
_HELLO_SECONDS = 10
_POLL_SECONDS = 5.0
_MOST_SAMPLES = 10

Judge = Callable[[], Awaitable[Call]]
Say = Callable[[dict[str, Any]], Awaitable[None]]


class _Ended(Exception):  # noqa: N818 - the end of a connection is no error
    def __init__(self, code: int) -> None:
        super().__init__()
        self.code = code


class Line:
    """One connection. `judge` gives the call as it is now; it raises Problem when whoever sits here may no longer."""

    def __init__(self, socket: WebSocket, means: Means, seat: Seat, judge: Judge) -> None:
        self._socket = socket
        self._means = means
        self._seat = seat
        self._judge = judge
        self._sent = 0
        self._shown: Any = None
        self._samples: deque[Sample] = deque(maxlen=_MOST_SAMPLES)
        self._level = ("text", "")
        self._allowance, self._counted = float(terms()["signals_per_second"]), time.monotonic()
        self._call: Call
        self._place: Place

    async def serve(self, call: Call) -> None:
        """Talk until one side ends; the connection has been accepted."""
        self._call = call
        try:
            await self._enter()
            async with switchboard(self._means.database).plugged(self._place.peer) as bell:
                await self._say({"kind": "welcome", "you": self._place.peer, "levels": levels(), "ice": ice(self._means.settings, self._place.peer)})
                await self._show()
                await _first([self._hear(), self._deliver(bell), self._pulse()])
        except Problem as problem:
            await turn_away(self._socket, problem)
        except _Ended as ended:
            await close(self._socket, ended.code)
        except (WebSocketDisconnect, RuntimeError):
            await self._broke()

    async def _enter(self) -> None:
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                told = await self._heard()
        except TimeoutError:
            raise _Ended(BAD) from None
        if told.get("kind") != "hello":
            raise _Ended(BAD)
        arriving = Arriving(str(told.get("device", "")), str(told.get("run", "")), move=told.get("move") is True)
        self._place = await calls.enter(self._means.database, self._call, self._seat, arriving)

    async def _heard(self) -> dict[str, Any]:
        text = await self._socket.receive_text()
        self._count()
        try:
            told = orjson.loads(text)
        except ValueError:
            raise _Ended(BAD) from None
        if not isinstance(told, dict):
            raise _Ended(BAD)
        return told

    def _count(self) -> None:
        now, most = time.monotonic(), float(terms()["signals_per_second"])
        self._allowance = min(most * 5, self._allowance + (now - self._counted) * most) - 1
        self._counted = now
        if self._allowance < 0:
            raise _Ended(BAD)

    async def _hear(self) -> None:
        answers: Mapping[str, Say] = {
            "signal": self._pass_on, "taken": self._taken, "level": self._choose, "agree": self._agree, "sample": self._adapt,
            "ice": self._renew, "bye": self._leave,
        }
        while True:
            told = await self._heard()
            answer = answers.get(str(told.get("kind")))
            if answer is None:
                raise _Ended(BAD)
            await answer(told)

    async def _pass_on(self, told: dict[str, Any]) -> None:
        signal = {"kind": "signal", "from": self._place.peer, "body": told.get("body")}
        async with self._means.database.connection() as connection:
            await post(connection, self._call, signal, to=str(told.get("to", "")), sender=self._place.peer)

    async def _taken(self, told: dict[str, Any]) -> None:
        if isinstance(told.get("id"), int):
            async with self._means.database.connection() as connection:
                await connection.execute(sql.taken, self._call.resident, self._place.peer, min(told["id"], self._sent))

    async def _choose(self, told: dict[str, Any]) -> None:
        self._level = str(told.get("level")), str(told.get("why", ""))
        self._samples.clear()
        await calls.set_level(self._means.database, self._call, self._place.peer, *self._level)

    async def _agree(self, told: dict[str, Any]) -> None:
        agreed = told.get("agreed") is True
        if not may("agree", self._seat.kind):
            raise refuse(403, "forbidden", "base.not-yours-to-do")
        await calls.agree(self._means.database, self._call, self._place.peer, agreed=agreed)

    async def _adapt(self, told: dict[str, Any]) -> None:
        """Judge a report about the network; a level that the network took away, the network may give back."""
        level, why = self._level
        self._samples.append(Sample(_number(told, "lost"), _number(told, "kbps"), _number(told, "ms")))
        wanted = next_level(level, list(self._samples))
        worse = LEVELS.index(wanted) > LEVELS.index(level)
        if wanted != level and (worse or why == "network"):
            best = wanted == "video"
            self._level = wanted, "" if best else "network"
            self._samples.clear()
            await calls.set_level(self._means.database, self._call, self._place.peer, *self._level)
            await self._say({"kind": "adapt", "level": self._level[0], "why": self._level[1]})

    async def _renew(self, _told: dict[str, Any]) -> None:
        await self._say({"kind": "ice", "ice": ice(self._means.settings, self._place.peer)})

    async def _leave(self, _told: dict[str, Any]) -> None:
        await calls.leave(self._means.database, self._call, self._place)
        raise _Ended(1000)

    async def _deliver(self, bell: asyncio.Event) -> None:
        while True:
            bell.clear()
            await self._hand_over()
            with suppress(TimeoutError):
                await asyncio.wait_for(bell.wait(), _POLL_SECONDS)

    async def _hand_over(self) -> None:
        async with self._means.database.connection() as connection:
            rows = await connection.fetch(sql.waiting, self._call.resident, self._place.peer, self._sent)
        for row in rows:
            signal = orjson.loads(row["content"])
            self._sent = int(row["id"])
            if signal == ROSTER:
                # What somebody who has come says is understood only after it is known that he has.
                await self._show()
            await self._say({**signal, "id": self._sent})
            if signal["kind"] in {"moved", "removed"}:
                raise _Ended(MOVED if signal["kind"] == "moved" else REFUSED)

    async def _pulse(self) -> None:
        """Ask again and again whether this one may be here; silence of the others shows here as well."""
        while True:
            await asyncio.sleep(float(terms()["pulse_seconds"]))
            self._call = await self._judge()
            if not self._call.is_open:
                raise refuse(409, "conflict", "internet_hospital.call-closed")
            if not await calls.still(self._means.database, self._call, self._place):
                raise _Ended(MOVED)
            await calls.look_after(self._means.database, self._call)
            await self._show()

    async def _show(self) -> None:
        """Say who is in the call and whether it is recorded, when that has changed."""
        present, recording = await calls.present(self._means.database, self._call)
        people = [{name: value for name, value in asdict(one).items() if name != "who"} for one in present]
        if (people, recording) != self._shown:
            self._shown = people, recording
            await self._say({"kind": "people", "people": people, "recording": recording})

    async def _say(self, told: dict[str, Any]) -> None:
        await self._socket.send_text(orjson.dumps(told).decode())

    async def _broke(self) -> None:
        if hasattr(self, "_place"):
            await calls.fall_silent(self._means.database, self._call, self._place)


async def turn_away(socket: WebSocket, problem: Problem) -> None:
    """Say why, in the language of whoever reads it, and close; a browser comes back by itself only after a fault of ours."""
    text = " ".join(errors.text(issue, preferences_of(socket).language) for issue in problem.issues)
    told = {"kind": "refused", "why": problem.issues[0].key if problem.issues else "", "text": text}
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.send_text(orjson.dumps(told).decode())
    await close(socket, REFUSED if problem.status < 500 else 1012)


async def close(socket: WebSocket, code: int) -> None:
    """Close, if it is not closed."""
    with suppress(WebSocketDisconnect, RuntimeError):
        await socket.close(code)


def _number(told: dict[str, Any], name: str) -> float | None:
    value = told.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


async def _first(works: list[Awaitable[None]]) -> None:
    """Do all until the first ends, then end the others; raises what it raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        task.result()
