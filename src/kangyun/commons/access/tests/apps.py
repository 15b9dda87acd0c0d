"""Apps at the door, for this room's tests: clients, a resident who is logged in, and the way from a request to tokens."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.commons.access import Actor, Write
from kangyun.commons.access.actions import clients
from kangyun.commons.access.actions.clients import Added
from kangyun.commons.access.decisions.clients import Registration
from kangyun.commons.access.tests.doors import ID_NUMBERS, OPERATOR, Browser

BACK = "https://app.example/back"
FHIR = "http://kangyun.test/fhir"
EVERYTHING = "openid fhirUser profile launch launch/patient offline_access patient/*.cruds user/*.cruds"


async def app(services: Services, kind: str = "public", scopes: str = EVERYTHING, **more: Any) -> Added:
    """A registered app."""
    told: dict[str, Any] = {"name_zh": "血压日记", "name_en": "Pressure diary", "redirects": (BACK,), "launch": "https://app.example/launch"} | more
    return await clients.add(services, OPERATOR, Registration(scopes=scopes, kind=kind, **told))


async def service(services: Services, scopes: str = "system/*.cruds", **more: Any) -> Added:
    """A registered service."""
    return await clients.add(services, OPERATOR, Registration("检验平台", "Laboratory", scopes, **more))


async def in_record(services: Services, name: str, number: str, born: str) -> tuple[str, str]:
    """Somebody in the record: the ids of Person and Patient."""
    handle = services.gate.system("tests")
    who: dict[str, Any] = {"name": [{"use": "official", "text": name}], "birthDate": born, "gender": "female"}
    patient = who | {"resourceType": "Patient", "identifier": [{"system": ID_NUMBERS, "value": number}]}
    [made] = await handle.commit([Write("create", "Patient", patient)])
    person = who | {"resourceType": "Person", "active": True, "link": [{"target": {"reference": f"Patient/{made.id}"}}]}
    [above] = await handle.commit([Write("create", "Person", person)])
    return above.id, made.id


async def resident_in(services: Services, at: Browser, name: str, number: str) -> tuple[Actor, str]:
    """A resident who is logged in in a browser: as whom, and the id of the Patient."""
    person, patient = await in_record(services, name, number, "1960-05-01")
    id_ = secrets.token_hex(8)
    async with services.database.connection() as connection:
        await connection.execute(
            "INSERT INTO account (id, kind, person, state, made) VALUES ($1, 'resident', $2, 'active', $3)", id_, person, clock.now())
    actor = Actor(f"user/{id_}", "resident", person=person, account=id_)
    at.client.cookies.set("kangyun_session", await services.entries.issue(actor, kind="session", lasts=3600))
    return actor, patient


async def doctor_in(services: Services, at: Browser, name: str) -> Actor:
    """A hospital doctor who is logged in in a browser, at a hospital of its own."""
    handle, id_ = services.gate.system("tests"), secrets.token_hex(8)
    [hospital] = await handle.commit([Write("create", "Organization", {"resourceType": "Organization", "name": "云州市第一医院"})])
    [practitioner] = await handle.commit([Write("create", "Practitioner", {"resourceType": "Practitioner", "name": [{"text": name}]})])
    async with services.database.connection() as connection:
        await connection.execute(
            "INSERT INTO account (id, kind, login, practitioner, state, made) VALUES ($1, 'staff', $1, $2, 'active', $3)",
            id_, practitioner.id, clock.now())
        await connection.execute(
            "INSERT INTO membership (id, account, institution, role, practitioner, starts) VALUES ($1, $1, $2, 'hospital_doctor', $3, $4)",
            id_, hospital.id, practitioner.id, clock.now())
    actor = Actor(f"user/{id_}", "hospital_doctor", institution=hospital.id, practitioner=practitioner.id, account=id_)
    at.client.cookies.set("kangyun_session", await services.entries.issue(actor, kind="session", lasts=3600))
    return actor


async def seen_by(services: Services, doctor: Actor, patient: str) -> str:
    """A visit of somebody at a doctor's hospital."""
    told = {"resourceType": "Encounter", "status": "in-progress", "subject": {"reference": f"Patient/{patient}"},
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
            "serviceProvider": {"reference": f"Organization/{doctor.institution}"}}
    [made] = await services.gate.system("tests").commit([Write("create", "Encounter", told)])
    return made.id


async def ward_of(services: Services, guardian: Actor, name: str, number: str) -> str:
    """The Patient of somebody whom a resident is the guardian of."""
    person, patient = await in_record(services, name, number, "2015-05-01")
    async with services.database.connection() as connection:
        await connection.execute(
            """INSERT INTO account_ward (id, number, account, guardian, ward, kind, document, document_number, state, asked, starts, ends)
               VALUES ($1, $1, $2, $3, $4, 'child', 'birth', '', 'attested', now(), now(), now() + interval '300 days')""",
            secrets.token_hex(4), guardian.account, guardian.person, person)
    return patient


async def observation(services: Services, patient: str, category: str = "laboratory") -> str:
    """A result of somebody."""
    system = "http://terminology.hl7.org/CodeSystem/observation-category"
    told = {"resourceType": "Observation", "status": "final", "subject": {"reference": f"Patient/{patient}"},
            "category": [{"coding": [{"system": system, "code": category}]}], "code": {"text": "K"}, "valueString": "4.1"}
    [made] = await services.gate.system("tests").commit([Write("create", "Observation", told)])
    return made.id


@dataclass
class Asking:
    """An app that asks for a person's yes in a browser."""

    at: Browser
    client: str
    verifier: str = "v" * 64

    def request(self, scope: str, **more: str | None) -> str:
        """The address at which the app begins."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        told = {"response_type": "code", "client_id": self.client, "redirect_uri": BACK, "scope": scope, "state": "s 1", "aud": FHIR,
                "code_challenge": challenge, "code_challenge_method": "S256", "nonce": "n-1"} | more
        return str(httpx.URL("/oauth/authorize", params={name: value for name, value in told.items() if value is not None}))

    async def begin(self, scope: str, **more: str | None) -> str:
        """The address of the page that asks the person."""
        answer = await self.at.get(self.request(scope, **more))
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def answered(self, scope: str, act: str = "allow", patient: str = "", **more: str) -> dict[str, str]:
        """What the app is told at its address after the person's answer."""
        page = await self.begin(scope, **more)
        fields = {"asking": page.partition("asking=")[2], "act": act} | ({"patient": patient} if patient else {})
        answer = await self.at.post(page, "/oauth/authorize", **fields)
        assert answer.status_code == 303, answer.text
        return told_at(answer.headers["location"])

    async def tokens(self, scope: str, patient: str = "", **more: str) -> dict[str, Any]:
        """The tokens after a yes."""
        told = await self.answered(scope, patient=patient, **more)
        answer = await self.redeem(told["code"])
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def redeem(self, code: str, **more: str) -> httpx.Response:
        """Show a code at the token endpoint."""
        told = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": self.verifier, "client_id": self.client}
        return await self.post("token", **(told | more))

    async def renew(self, refresh: str, **more: str) -> httpx.Response:
        """Show a refresh token at the token endpoint."""
        return await self.post("token", grant_type="refresh_token", refresh_token=refresh, client_id=self.client, **more)

    async def post(self, what: str, **told: str) -> httpx.Response:
        """Send a form to an endpoint for machines, as a program without cookies."""
        return await machine(self.at, f"/oauth/{what}", told)

    async def fhir(self, token: str, path: str) -> httpx.Response:
        """Ask the FHIR API with a token."""
        return await self.at.client.get(f"/fhir/{path}", headers={"authorization": f"Bearer {token}", "accept": "application/fhir+json"})


async def machine(at: Browser, path: str, told: dict[str, str], **headers: str) -> httpx.Response:
    """A posted form of a program."""
    request = at.client.build_request("POST", path, data=told, headers={"accept": "application/json", **headers})
    request.headers.pop("cookie", None)
    return await at.client.send(request)


def told_at(address: str) -> dict[str, str]:
    """The parameters of an address that leads to the app."""
    assert re.match(re.escape(BACK) + r"\?", address), address
    return dict(parse_qsl(urlsplit(address).query))


def claims(token: str) -> dict[str, Any]:
    """The claims of a JSON Web Token, unchecked."""
    import json

    part = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
