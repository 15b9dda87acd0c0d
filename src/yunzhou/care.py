"""The internet hospital alive: residents of the city who ask, pay and get their medicine, and everybody who works for that.

The stage is a file, readable by its owner only, that the demonstration has written: addresses, the app, and who logs in how.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from yunzhou import entrance
from yunzhou.actors import Actor, RefusalError
from yunzhou.entrance import App, Authenticator, Browser, RefusedError
from yunzhou.journey import Cast, Doctor, Journey, LostError
from yunzhou.line import Line, LineLostError

_BACK = "http://127.0.0.1/back"
_EVERY = 25.0


class Worker(msgspec.Struct, frozen=True):
    """Somebody of the staff: role hospital_doctor, pharmacist, retail_pharmacist or courier."""

    role: str
    name: str
    password: str
    totp: str
    practitioner: str = ""


class Stage(msgspec.Struct, frozen=True):
    """Where it is played and by whom; `residents` are telephones."""

    url: str
    phones: str
    bank: str
    app: str
    clinic: str
    pharmacy: str
    courier: str
    staff: list[Worker]
    residents: list[str]


@dataclass(slots=True)
class City:
    """The people of a stage, logged in as they are needed."""

    stage: Stage
    line: Line
    bank: Line
    known: dict[str, Actor] = field(default_factory=dict[str, Actor])
    """The residents who are logged in, by telephone: nobody logs in for each errand, and codes are few for one address."""

    async def worker(self, one: Worker, app: Authenticator) -> Actor:
        """Somebody of the staff with a token."""
        browser = Browser(self.stage.url)
        try:
            await entrance.staff(browser, one.name, one.password, app)
            told = await entrance.token(browser, App(self.stage.app, _BACK, "user/*.cruds offline_access"))
        finally:
            await browser.close()
        return Actor(self.line, str(told["access_token"]), name=one.name)

    async def resident(self, phone: str) -> Actor:
        """A resident with a token, that of before where there is one."""
        if phone in self.known:
            return self.known[phone]
        browser = Browser(self.stage.url)
        try:
            await entrance.resident(browser, self.stage.phones, phone)
            told = await entrance.token(browser, App(self.stage.app, _BACK, "launch/patient patient/*.cruds offline_access"))
        finally:
            await browser.close()
        self.known[phone] = Actor(self.line, str(told["access_token"]), str(told["patient"]))
        return self.known[phone]

    async def cast(self) -> Cast:
        """Everybody who works, logged in anew; residents log in anew with their next errand."""
        self.known.clear()
        actors: dict[str, list[Actor]] = {}
        doctors: list[Doctor] = []
        for one in self.stage.staff:
            app = Authenticator(one.totp)
            actor = await self.worker(one, app)
            actors.setdefault(one.role, []).append(actor)
            if one.role == "hospital_doctor":
                doctors.append(Doctor(actor, one.practitioner, app))
        return Cast(
            self.stage.clinic, self.bank, doctors, actors["pharmacist"], actors["retail_pharmacist"], actors["courier"],
            self.stage.pharmacy, self.stage.courier)


def read(file: Path) -> Stage:
    """The stage of a file. Raises OSError, and msgspec.ValidationError for another file."""
    return msgspec.json.decode(file.read_bytes(), type=Stage)


async def play(stage: Stage, stopped: asyncio.Event) -> None:
    """Let residents of a stage have one consultation after the other until stopped; everybody logs in anew from time to time."""
    # Beyond all places of an earlier run, since each names a consultation.
    city, chance, place = City(stage, Line(stage.url), Line(stage.bank)), random.Random(), int(time.time())
    while not stopped.is_set():
        try:
            cast = await city.cast()
            for _ in range(100):
                place += 1
                print(f"internet hospital: {await _one(city, cast, chance.choice(stage.residents), place)}", flush=True)
                if await _pause(stopped, _EVERY * chance.uniform(0.5, 1.5)):
                    return
        except (RefusedError, RefusalError, LineLostError, OSError) as error:
            print(f"internet hospital: {type(error).__name__} {error}", flush=True)
            if await _pause(stopped, _EVERY):
                return


async def _one(city: City, cast: Cast, phone: str, place: int) -> str:
    try:
        return f"prescription {await Journey(cast, await city.resident(phone), place).run()} is at the door"
    except LostError as error:
        return str(error)


async def _pause(stopped: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await stopped.wait()
    except TimeoutError:
        return False
