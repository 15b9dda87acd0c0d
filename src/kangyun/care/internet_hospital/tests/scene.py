"""A hospital with its licence, a clinic for hypertension, a doctor, operations and a resident: the scene of this room's tests."""

from __future__ import annotations

import io
import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from PIL import Image
from tests.staffing import PASSWORD, account

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.base import clock
from kangyun.care.internet_hospital.actions import offering
from kangyun.care.internet_hospital.model.doctors import Doctor
from kangyun.care.internet_hospital.model.places import Clinic, Hospital
from kangyun.commons.access import SESSION_COOKIE, Actor, Handle, Post, Write
from kangyun.support import institutions
from kangyun.support.institutions import Institution

OPERATOR = Actor("local", "operator")
ID_NUMBERS = "urn:oid:2.16.156.10011.1.3"
ICD = "http://hl7.org/fhir/sid/icd-10"
_numbers = itertools.count(1)

CALM = {
    "chest-pain": False, "breathless": False, "stroke": False, "bleeding": False, "worse": False, "headache": False, "systolic": 148,
    "diastolic": 92,
}


def picture(side: int = 60, kind: str = "PNG") -> bytes:
    """A small picture."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), "teal").save(out, kind)
    return out.getvalue()


def parameters(**told: Any) -> dict[str, Any]:
    """FHIR Parameters: texts, truths, numbers, references ("Practitioner/1"), resources and lists of them."""
    return {"resourceType": "Parameters", "parameter": [_parameter(name, one) for name, value in told.items() for one in (value if isinstance(value, list) else [value])]}


def _parameter(name: str, value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"name": name, "valueBoolean": value}
        case int():
            return {"name": name, "valueInteger": value}
        case dict() if "resourceType" in value:
            return {"name": name, "resource": value}
        case dict() if "code" in value:
            return {"name": name, "valueCoding": value}
        case dict():
            return {"name": name, "part": [{"name": key, "valueString": text} for key, text in value.items()]}
        case bytes():
            return {"name": name, "valueBase64Binary": value.decode()}
        case _:
            return {"name": name, "valueReference": {"reference": value}} if "/" in value and name in {"doctor", "practitioner"} else {"name": name, "valueString": value}


def answers(**changed: Any) -> dict[str, Any]:
    """A QuestionnaireResponse to the triage of hypertension in which nothing is dangerous but what is changed."""
    said = CALM | {name.replace("_", "-"): value for name, value in changed.items()}
    kinds = {bool: "valueBoolean", int: "valueInteger", str: "valueString"}
    items = [{"linkId": link, "answer": [{kinds[type(value)]: value}]} for link, value in said.items()]
    return {"resourceType": "QuestionnaireResponse", "status": "completed", "item": items}


RECORD = {
    "chief": "复诊取药", "present": "血压 148/92 mmHg，无头痛。", "allergy": "否认", "plan": "继续氨氯地平，低盐饮食；胸痛 <20 分钟也要就诊 & 记录。",
}


@dataclass
class Somebody:
    """Somebody who is logged in: a browser, and a program with a token of the same person's."""

    actor: Actor
    page: httpx.AsyncClient
    api: httpx.AsyncClient
    login: str = ""

    async def do(self, path: str, **told: Any) -> httpx.Response:
        """An operation of the FHIR API."""
        return await self.api.post(f"/fhir/{path}", json=parameters(**told), headers={"content-type": "application/fhir+json"})


@dataclass
class Scene:
    """Everything that is there, by name."""

    services: Services
    hospital: str = ""
    clinic: str = ""
    children: str = ""
    app: Any = None

    @property
    def platform(self) -> Handle:
        """A handle that sees everything."""
        return self.services.gate.open(OPERATOR)

    async def resident(self, name: str, born: str = "1958-03-05", diagnosis: str = "I10", days: int = 30, role: str = "resident", **told: str) -> Actor:
        """Somebody of the record who was diagnosed at the hospital so many days ago ('' for nothing); told: gender, where it matters."""
        number, when = f"9901011958{next(_numbers):08d}", clock.now() - timedelta(days=days)
        patient = {
            "resourceType": "Patient", "active": True, "name": [{"text": name}], "birthDate": born, "gender": "female",
            "identifier": [{"system": ID_NUMBERS, "value": number}], "managingOrganization": {"reference": f"Organization/{self.hospital}"},
        }
        [made] = await self.platform.commit([Write("create", "Patient", patient)])
        person = {"resourceType": "Person", "active": True, "name": patient["name"], "birthDate": born, "link": [{"target": {"reference": f"Patient/{made.id}"}}], **told}
        [above] = await self.platform.commit([Write("create", "Person", person)])
        if diagnosis:
            await self.platform.commit([Write("create", "Condition", {
                "resourceType": "Condition", "subject": {"reference": f"Patient/{made.id}"}, "recordedDate": clock.instant(when),
                "code": {"coding": [{"system": ICD, "code": diagnosis, "display": "诊断"}], "text": "诊断"}})])
        return Actor(f"user/{name}", role, person=above.id, account=f"account-{above.id}")

    async def doctor(self, name: str, **changed: Any) -> Actor:
        """A doctor of the hospital's, with an account, who answers in the clinic for hypertension unless something is changed."""
        [made] = await self.platform.commit([Write("create", "Practitioner", {"resourceType": "Practitioner", "name": [{"text": name}]})])
        login = f"doctor{next(_numbers)}"
        account_id = await account(self.services, login, Post("hospital_doctor", self.hospital, made.id))
        told: dict[str, Any] = {
            "title": "chief", "licence": f"11033{next(_numbers):010d}", "licensed": "2010-07-01", "registered": "2015-01-01",
            "subjects": ("03",), "clinics": (self.clinic,), "name": name}
        await offering.keep_doctor(self.services.gate.open(self.operations), Doctor(made.id, "", **told | changed))
        return Actor(f"user/{login}", "hospital_doctor", self.hospital, practitioner=made.id, account=account_id)

    @property
    def operations(self) -> Actor:
        """Whoever runs the internet hospital."""
        return Actor("user/operations", "operations", self.hospital, account="operations", purpose="administration")

    @asynccontextmanager
    async def at(self, actor: Actor) -> AsyncGenerator[Somebody]:
        """Somebody at a browser and with a program; each has an entry of its own unless it is the same session."""
        secret = await self.services.entries.issue(actor, kind="session", lasts=3600)
        token = await self.services.entries.issue(actor, kind="session", lasts=3600)
        self.app = self.app or build(self.services, {})
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        told = {"accept": "text/html", "accept-language": "en"}
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://kangyun.test", cookies={SESSION_COOKIE: secret}, headers=told) as page,
            httpx.AsyncClient(transport=transport, base_url="http://kangyun.test", headers={"authorization": f"Bearer {token}"}) as api,
        ):
            yield Somebody(actor, page, api)

    async def begun(self, resident: Somebody, doctor: Somebody, **told: Any) -> str:
        """A consultation that the resident asked for and the doctor has begun; its id."""
        asked = await self.ask(resident, **told)
        assert asked.status_code == 201, asked.text
        id_ = str(asked.json()["id"])
        started = await doctor.do(f"Encounter/{id_}/$start", means="password", code=PASSWORD)
        assert started.status_code == 200, started.text
        return id_

    async def ask(self, resident: Somebody, clinic: str = "", **told: Any) -> httpx.Response:
        """Ask for a consultation in the clinic for hypertension, everything in order unless something is changed."""
        said = {"kind": "text", "complaint": "血压药快吃完了，想复诊。", "consent": True, "triage": answers()} | told
        return await resident.do(f"HealthcareService/{clinic or self.clinic}/$ask", **said)


async def set_up(services: Services) -> Scene:
    """A hospital with its internet licence for internal medicine and paediatrics, and a clinic of each."""
    made = Scene(services)
    handle = services.gate.open(OPERATOR)
    made.hospital = (await institutions.add(services, handle, Institution("云州市第一人民医院", "hospital", "91350100M000100Y43"))).id
    own = services.gate.open(made.operations)
    await offering.keep_hospital(own, Hospital(
        "", "云州市第一人民医院互联网医院", "PDY990100001", "2024-01-01", "2029-12-31", "2026-03-01", ("03", "07"), "0990-12320"))
    clinic = Clinic("", "高血压专病门诊", sort="disease", subject="03", diagnoses=("I10-I15",), triage="hypertension", template="hypertension")
    made.clinic = (await offering.keep_clinic(own, clinic)).id
    made.children = (await offering.keep_clinic(own, Clinic("", "儿科门诊", subject="07", triage="children", template="children"))).id
    return made
