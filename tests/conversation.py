"""A consultation under way on a running platform: a doctor, a resident, a specialist, and a browser's session for each."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from kangyun.base.database import Database
from kangyun.base.database.connection import open_pool
from kangyun.base.database.embedded import EmbeddedServer
from kangyun.commons.access import SESSION_COOKIE, Actor
from kangyun.commons.access.actions.entries import Entries
from tests.serving import Server

LICENCE = "110330100007788"
# What proving presence leaves behind; how it is proved has tests of its own.
_PRESENT = "INSERT INTO access_presence VALUES ($1, $2, $3, 'totp', now(), now() + interval '8 hours')"
_LICENCES = "urn:kangyun:test:licence"


@dataclass
class Conversation:
    """What a test needs: the address, the consultation, and the secret of each one's session."""

    url: str
    data: Path
    encounter: str = ""
    patient: str = ""
    sessions: dict[str, str] = field(default_factory=dict[str, str])

    def cookies(self, who: str) -> dict[str, str]:
        """The cookies of somebody's browser."""
        return {SESSION_COOKIE: self.sessions[who]}

    @property
    def room(self) -> str:
        """The page of the call."""
        return f"/calls/{self.encounter}"

    def put(self, resource: dict[str, Any]) -> dict[str, Any]:
        """Write a resource as whoever runs this machine."""
        answer = httpx.put(f"{self.url}/fhir/{resource['resourceType']}/{resource['id']}", json=resource, timeout=30)
        assert answer.status_code in {200, 201}, answer.text
        return answer.json()

    def get(self, path: str) -> dict[str, Any]:
        """Read as whoever runs this machine."""
        answer = httpx.get(f"{self.url}/fhir/{path}", timeout=30)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def person_above(self, patient: str) -> str:
        """The id of the Person whom the platform makes for a Patient, as soon as it has."""
        end = time.monotonic() + 30
        while not (found := self.get(f"Person?link=Patient/{patient}").get("entry")):
            assert time.monotonic() < end, "nobody was placed"
            time.sleep(0.05)
        return str(found[0]["resource"]["id"])

    def become(self, status: str) -> None:
        """Let the consultation be in another state."""
        self.put(self.get(f"Encounter/{self.encounter}") | {"status": status})

    def revoke(self, who: str) -> None:
        """End somebody's session."""
        _aside(_revoke(self.data, self.sessions[who]))


def converse(server: Server, number: str = "1") -> Conversation:
    """Make a consultation that has begun; `number` tells several on one platform apart."""
    made = Conversation(server.url, server.data)
    ids = {name: f"call-{name}-{number}" for name in ("house", "doctor", "specialist", "patient", "visit", "stranger")}
    made.encounter, made.patient = ids["visit"], ids["patient"]
    entries = [{"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}} for one in _resources(ids)]
    answer = httpx.post(f"{server.url}/fhir", json={"resourceType": "Bundle", "type": "transaction", "entry": entries}, timeout=60)
    assert answer.status_code == 200, answer.text
    persons = {who: made.person_above(ids[who]) for who in ("patient", "stranger")}
    actors = {
        "doctor": Actor("user/d", "hospital_doctor", ids["house"], practitioner=ids["doctor"], account=f"d{number}"),
        "specialist": Actor("user/s", "hospital_doctor", ids["house"], practitioner=ids["specialist"], account=f"s{number}"),
        "resident": Actor("user/r", "resident", person=persons["patient"], account=f"r{number}"),
        "stranger": Actor("user/x", "resident", person=persons["stranger"], account=f"x{number}"),
    }
    made.sessions = _aside(_issue(server.data, actors, made.encounter))
    return made


def _resources(ids: dict[str, str]) -> list[dict[str, Any]]:
    house = {"reference": f"Organization/{ids['house']}"}
    patient = {"reference": f"Patient/{ids['patient']}"}
    return [
        {"resourceType": "Organization", "id": ids["house"], "name": "云州市第一人民医院"},
        {"resourceType": "Practitioner", "id": ids["doctor"], "name": [{"text": "王建国"}]},
        {"resourceType": "Practitioner", "id": ids["specialist"], "name": [{"text": "赵明远"}], "identifier": [{"system": _LICENCES, "value": LICENCE + ids["visit"].rpartition("-")[2]}]},
        {"resourceType": "Patient", "id": ids["patient"], "name": [{"text": "林秀英"}], "birthDate": "1958-03-05", "gender": "female", "managingOrganization": house},
        {"resourceType": "Patient", "id": ids["stranger"], "name": [{"text": "路人"}]},
        {
            "resourceType": "Encounter", "id": ids["visit"], "status": "in-progress", "subject": patient, "serviceProvider": house,
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "VR"}, "period": {"start": "2026-11-22T08:00:00+08:00"},
            "participant": [{"individual": {"reference": f"Practitioner/{ids['doctor']}", "display": "王建国"}}],
        },
    ]


def _aside(work: Any) -> Any:
    """The result of a coroutine, also where this thread runs a loop already."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(work)))
    thread.start()
    thread.join(30)
    assert found, "it failed, see above"
    return found[0]


async def _issue(data: Path, actors: dict[str, Actor], encounter: str) -> dict[str, str]:
    database = _database(data)
    try:
        entries = Entries(database)
        made = {who: await entries.issue(actor, kind="session", lasts=3600) for who, actor in actors.items()}
        doctor = await entries.actor(made["doctor"])
        assert doctor is not None
        async with database.connection() as connection:
            await connection.execute(_PRESENT, doctor.session, f"Encounter/{encounter}", doctor.account)
        return made
    finally:
        await database.close()


async def _revoke(data: Path, secret: str) -> list[str]:
    database = _database(data)
    try:
        return await Entries(database).revoke(secret=secret)
    finally:
        await database.close()


def _database(data: Path) -> Database:
    dsn = EmbeddedServer(data / "postgres", "32MB").dsn()
    return Database(dsn, open_pool(dsn, 2, 30), None)
