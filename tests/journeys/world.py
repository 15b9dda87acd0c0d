"""A whole internet hospital for journeys: the real server, everything outside of it simulated, and people who log in and do things."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from kangyun.app.demo import hospital, logins, outside, stock
from kangyun.app.demo.hospital import Open
from kangyun.app.demo.outside import Around
from kangyun.app.demo.residents import HYPERTENSION, Known, Resident, settle_all
from kangyun.app.demo.staff import BY, Kept, Login, Wanted, employ
from kangyun.app.services import Services, open_services
from kangyun.base.settings import Settings
from kangyun.commons.access.actions import clients
from kangyun.commons.access.decisions.clients import Registration
from tests.serving import Server
from yunzhou import entrance
from yunzhou.actors import Actor
from yunzhou.entrance import App, Authenticator, Browser
from yunzhou.line import Line
from yunzhou.patients import patients

MOTHER = Resident("周秀兰", "990101195803040246", "13800001958", "云州市东湖区梧桐里8号", HYPERTENSION)
_BACK = "http://127.0.0.1/back"
_SCOPES = "openid fhirUser launch/patient patient/*.cruds user/*.cruds offline_access"


@dataclass
class World:
    """The server, what lies around it, and who can log in."""

    server: Server
    around: Around
    staff: dict[str, Login] = field(default_factory=dict[str, Login])
    places: dict[str, str] = field(default_factory=dict[str, str])
    open: Open = field(default_factory=lambda: Open([], []))
    people: list[Known] = field(default_factory=list[Known])
    app: str = ""
    tokens: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    authenticators: dict[str, Authenticator] = field(default_factory=dict[str, Authenticator])

    lines: dict[str, Line] = field(default_factory=dict[str, Line])

    @property
    def bank(self) -> Line:
        """The way to the pages of the payment channels."""
        return self.line(self.around.bank_url)

    def line(self, url: str = "") -> Line:
        """The connections to the server, or to another address; all actors share them."""
        return self.lines.setdefault(url, Line(url or self.server.url, 256))

    async def hang_up(self) -> None:
        """Close all connections, in the loop in which they were opened."""
        for one in self.lines.values():
            one.close()
        self.lines.clear()
        await asyncio.sleep(0.05)

    async def resident(self, who: Known, address: str = "10.7.0.1") -> Actor:
        """A resident with an app: logged in by telephone, the app let in; once, since a telephone gets a code a minute."""
        if who.patient not in self.tokens:
            self.tokens[who.patient] = await self._resident_token(who, address)
        token, patient = self.tokens[who.patient]
        return Actor(self.line(), token, patient, who.who.name)

    async def _resident_token(self, who: Known, address: str) -> tuple[str, str]:
        browser = Browser(self.server.url, address)
        await entrance.resident(browser, self.around.phones_url, who.who.phone)
        told = await entrance.token(browser, App(self.app, _BACK, "launch/patient patient/*.cruds offline_access"), who.patient)
        await browser.close()
        return str(told["access_token"]), str(told["patient"])

    def authenticator(self, login: Login) -> Authenticator:
        """The app on the telephone of somebody of the staff."""
        return self.authenticators.setdefault(login.name, Authenticator(login.totp))

    async def worker(self, login: Login) -> Actor:
        """Somebody of the staff with an app."""
        return (await self.devices(login, 1))[0]

    async def devices(self, login: Login, count: int) -> list[Actor]:
        """Somebody of the staff who has let in an app on several devices after one login."""
        browser = Browser(self.server.url, "10.8.0.1")
        await entrance.staff(browser, login.name, login.password, self.authenticator(login))
        told = [await entrance.token(browser, App(self.app, _BACK, "user/*.cruds offline_access")) for _ in range(count)]
        await browser.close()
        return [Actor(self.line(), str(one["access_token"]), "", login.name) for one in told]


@contextmanager
def hospital_of(folder: Path, *, clinics: int = 1, residents: int = 0, doctors: int = 0, **settings: Any) -> Generator[World]:
    """A running internet hospital with so many clinics (of the demonstration), one old woman, and so many residents more."""
    data = folder / "data"
    with outside.running(Settings(data=data)) as around:
        server = Server(data, trusted_proxies="127.0.0.1/32", access_local_role="", **around.settings, **settings)
        try:
            server.start(120)
            world = World(server, around)
            asyncio.run(_settle(world, clinics, residents, doctors))
            yield world
        finally:
            server.stop()


async def _settle(world: World, clinics: int, residents: int, doctors: int) -> None:
    services = await open_services(Settings(data=world.server.data))
    try:
        made = await logins.prepare(services)
        kept = Kept.of(world.server.data)
        world.places = made.places
        place = made.places["hospital_doctor"]
        world.staff = {one.role: one for one in made.logins}
        second = await employ(services, kept, Wanted("pharmacist", "demo.pharmacist-2", "吴桐"), place)
        world.staff["second_pharmacist"] = second
        both = Wanted("pharmacist", "demo.both", entry="demo-hospital-doctor")
        world.staff["doctor_and_pharmacist"] = await employ(services, kept, both, place)
        world.open = await hospital.settle(services, kept, place, clinics, doctors)
        await stock.fill(services, [made.places["retail_pharmacist"], place], 100_000)
        world.people = await settle_all(services, [MOTHER, *_more(residents)], place)
        world.app = await _app(services)
    finally:
        await services.close()


def _more(count: int) -> Sequence[Resident]:
    found = patients(7, count, date(2026, 11, 22))
    return [Resident(one.name, one.number, one.phone, "云州市东湖区学府路1号", HYPERTENSION) for one in found]


async def _app(services: Services) -> str:
    told = Registration("云州就医", "Yunzhou Care", _SCOPES, kind="public", redirects=(_BACK,))
    return (await clients.add(services, BY, told)).id
