"""A hospital with a cardiologist, residents, and everybody's way in, for the tests of this room."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

import httpx

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.base import clock
from kangyun.commons.access import SESSION_COOKIE, Actor, Write
from kangyun.commons.population import ID_NUMBER_SYSTEM, person_of, register
from kangyun.support.appointments import Part, Schedule, Template, add_template, arrange
from kangyun.support.appointments.model import CHINA, Sitting
from kangyun.support.appointments.queries import pool

HOSPITAL, CLINIC, OTHER = "county-hospital", "village-clinic", "other-hospital"
DOCTOR = "dr-wang"
_count = itertools.count(1)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def today() -> date:
    """The day it is in China."""
    return clock.now().astimezone(CHINA).date()


def id_number(born: str = "19581104") -> str:
    """A made-up number with a right check digit."""
    body = f"990101{born}{next(_count):03d}"[:17]
    return body + "10X98765432"[sum(int(a) * b for a, b in zip(body, _WEIGHTS, strict=True)) % 11]


@dataclass(frozen=True)
class Somebody:
    """A resident: ids of the Person and of a Patient that the village clinic keeps."""

    person: str
    patient: str
    name: str


@dataclass
class World:
    """One installation with the application over it."""

    services: Services
    transport: httpx.ASGITransport

    async def settle(self) -> None:
        """The institutions and the doctor."""
        named = [(HOSPITAL, "青溪县人民医院", None), (OTHER, "云州市第二医院", None), (CLINIC, "柳河村卫生室", HOSPITAL)]
        writes = [
            Write("update", "Organization", {"resourceType": "Organization", "id": id_, "name": name, **({"partOf": {"reference": f"Organization/{up}"}} if up else {})}, id_)
            for id_, name, up in named
        ]
        places = [(HOSPITAL, 26.1, 119.3), (OTHER, 26.5, 119.9)]
        writes += [
            Write("update", "Location", {"resourceType": "Location", "id": id_, "name": id_, "position": {"latitude": a, "longitude": b}}, id_) for id_, a, b in places]
        writes += [
            Write("update", "Practitioner", {"resourceType": "Practitioner", "id": id_, "name": [{"text": name}]}, id_) for id_, name in ((DOCTOR, "王建国"), ("dr-li", "李心梅"))]
        await self.services.gate.system("test").commit(writes)

    async def resident(self, name: str = "周秀兰", born: str = "1958-11-04", *, sex: str = "female", document: bool = True) -> Somebody:
        """Somebody whom the village clinic knows."""
        numbered = [{"system": ID_NUMBER_SYSTEM, "value": id_number(born.replace("-", ""))}] if document else []
        who = {"name": [{"text": name, "use": "official"}], "gender": sex, "birthDate": born, **({"identifier": numbered} if numbered else {})}
        work = self.services.gate.system("test")
        patient = {"resourceType": "Patient", **who, "managingOrganization": {"reference": f"Organization/{CLINIC}"}}
        if not numbered:
            patient["identifier"] = [{"system": "urn:kangyun:test", "value": str(next(_count))}]
        id_ = await register(work, patient, "village-his")
        person = await person_of(work, id_)
        assert person
        return Somebody(str(person["id"]), id_, name)

    @asynccontextmanager
    async def client(self, actor: Actor, kind: str = "token") -> AsyncGenerator[httpx.AsyncClient]:
        """What somebody asks with: an access token for machines, or a session of a browser."""
        secret = await self.services.entries.issue(actor, kind=kind, lasts=60 * 86_400)
        async with httpx.AsyncClient(transport=self.transport, base_url="http://kangyun.test") as client:
            if kind == "token":
                client.headers["authorization"] = f"Bearer {secret}"
            else:
                client.cookies.set(SESSION_COOKIE, secret)
                client.headers.update({"accept": "text/html", "accept-language": "zh"})
            yield client

    def as_resident(self, who: Somebody) -> Any:
        """The resident's own way in."""
        return self.client(Actor(f"user/{who.person}", "resident", person=who.person, account=who.person))

    def as_staff(self, role: str = "clerk", institution: str | None = HOSPITAL, practitioner: str | None = None) -> Any:
        """The way in of somebody who works there."""
        return self.client(Actor(f"user/{role}-{institution}", role, institution=institution, practitioner=practitioner, account=f"{role}-{institution}"))

    async def schedule(self, **more: Any) -> Schedule:
        """The cardiologist's clinic; `more` replaces what it is."""
        wish = replace(Schedule("", HOSPITAL, "outpatient", "03.04", "", "心血管内科门诊", practitioner=DOCTOR, room="3诊室", rank="主任医师", fee=1500), **more)
        return await arrange(self.services.gate.system("test"), wish)

    async def sitting(self, numbers: int = 5, *, ahead: int = 1, at: time = time(8), schedule: Schedule | None = None, minutes: int = 10, **quotas: int) -> Sitting:
        """A sitting so many days ahead, of a schedule of its own unless one is named."""
        of = schedule or await self.schedule()
        day = today() + timedelta(days=ahead)
        await add_template(self.services.gate.system("test"), of.id, Template(day.isoweekday(), Part(at, minutes, numbers, quotas), day, day))
        async with self.services.database.connection() as connection:
            found = await pool.week(connection, [of.id], day, day, clock.now())
        return next(one["sitting"] for one in found if one["sitting"].starts.astimezone(CHINA).time() == at)

    async def states(self, sitting: str) -> list[str]:
        """The states of the numbers of a sitting, in their order."""
        async with self.services.database.connection() as connection:
            return [one.state for one in await pool.numbers(connection, sitting)]


async def opened(services: Services) -> World:
    """The world of a test file."""
    world = World(services, httpx.ASGITransport(build(services, {}), raise_app_exceptions=False))
    await world.settle()
    return world


def parameters(**values: str | int) -> dict[str, Any]:
    """Parameters of a request."""
    kinds = {str: "valueString", int: "valueInteger"}
    return {"resourceType": "Parameters", "parameter": [{"name": name, kinds[type(value)]: value} for name, value in values.items()]}


async def book(client: httpx.AsyncClient, **values: str | int) -> httpx.Response:
    """Book over HTTP."""
    return await client.post("/fhir/Appointment/$book", json=parameters(**values))


def key_of(answer: httpx.Response) -> str:
    """Which message a refusal is."""
    return str(answer.json()["issue"][0]["diagnostics"])


def at(moment: datetime) -> None:
    """Let it be this moment, and time stand still."""
    clock.set_source(lambda: moment)


def in_china(day: date, hour: int, minute: int = 0) -> datetime:
    """A moment of a day in China."""
    return datetime.combine(day, time(hour, minute), CHINA)


def ids() -> Iterator[str]:
    """Ids that no other test uses."""
    return (f"x{n}" for n in _count)
