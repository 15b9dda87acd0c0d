"""A hospital, two pharmacies, a courier, a resident with hypertension, and everybody's way in, for the tests of a prescription's way."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.commons.access import SESSION_COOKIE, Actor, Handle, Write
from kangyun.commons.population import ID_NUMBER_SYSTEM, person_of, register

HOSPITAL, OTHER_HOSPITAL = "d-hospital", "d-hospital-2"
PHARMACY, SECOND, COURIER = "d-pharmacy", "d-pharmacy-2", "d-courier"
DOCTOR, SECOND_DOCTOR, STRANGER = "d-dr-wang", "d-dr-li", "d-dr-x"
PHARMACIST, SECOND_PHARMACIST, SHOP, RIDER = "d-ph-zhao", "d-ph-sun", "d-ph-shop", "d-rider"
KIND = "urn:kangyun:institution-kind"
_count = itertools.count(1)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

Json = dict[str, Any]


def id_number(born: str) -> str:
    """A made-up number with a right check digit."""
    body = f"990102{born}{next(_count):03d}"
    return body + "10X98765432"[sum(int(a) * b for a, b in zip(body, _WEIGHTS, strict=True)) % 11]


@dataclass(frozen=True)
class Visit:
    """Somebody in an open visit."""

    person: str
    patient: str
    encounter: str


@dataclass
class City:
    """One installation with the application over it."""

    services: Services
    transport: httpx.ASGITransport

    @property
    def system(self) -> Handle:
        """The platform's own way."""
        return self.services.gate.system("tests")

    async def settle(self) -> None:
        """The institutions, and who works there."""
        places = [(HOSPITAL, "云州市第一医院", "hospital"), (OTHER_HOSPITAL, "云州市第二医院", "hospital"), (PHARMACY, "安康大药房", "pharmacy"),
                  (SECOND, "百姓药店", "pharmacy"), (COURIER, "云州速递", "delivery")]
        made: list[Json] = [
            {"resourceType": "Organization", "id": id_, "name": name, "active": True, "type": [{"coding": [{"system": KIND, "code": kind}]}],
             "address": [{"text": f"云州市青溪区{number + 1}号"}]} for number, (id_, name, kind) in enumerate(places)]
        made += [
            {"resourceType": "Location", "id": f"{id_}-spot", "name": id_, "managingOrganization": {"reference": f"Organization/{id_}"},
             "position": {"latitude": 26.0 + number / 10, "longitude": 119.3}} for number, id_ in enumerate((PHARMACY, SECOND))]
        doctors = [(DOCTOR, "王建国"), (SECOND_DOCTOR, "李心梅"), (PHARMACIST, "赵药师"), (SECOND_PHARMACIST, "孙药师"), (SHOP, "钱药师"), (RIDER, "周骑手")]
        made += [_practitioner(id_, name) for id_, name in doctors]
        made += [{"resourceType": "Practitioner", "id": STRANGER, "name": [{"text": "外院医生"}]}]
        made += [_post(id_) for id_ in (DOCTOR, SECOND_DOCTOR)]
        await self.system.commit([Write("update", one["resourceType"], one, one["id"]) for one in made])
        await self.stock(PHARMACY, amlodipine="2800", metformin="2000")
        await self.stock(SECOND, amlodipine="2800", metformin="2000")
        await self.stock(HOSPITAL, amlodipine="2800", metformin="2000")

    async def stock(self, pharmacy: str, **amounts: str) -> httpx.Response:
        """Count a shelf, as the pharmacy's system does."""
        drugs = [
            {"name": "drug", "part": [{"name": "code", "valueString": code.replace("_", "-")}, {"name": "amount", "valueDecimal": float(amount)},
             {"name": "batch", "valueString": "A1"}, {"name": "expires", "valueString": "2031-05-31"}]} for code, amount in amounts.items()]
        async with self.shop(pharmacy) as client:
            answer = await client.post("/fhir/Organization/$stock", json={"resourceType": "Parameters", "parameter": drugs})
        assert answer.status_code == 200, answer.text
        return answer

    async def visit(self, name: str = "周秀兰", born: str = "1958-11-04", *, doctor: str = DOCTOR, document: bool = True, status: str = "in-progress") -> Visit:
        """Somebody who is with the doctor now."""
        identifier = [{"system": ID_NUMBER_SYSTEM, "value": id_number(born.replace("-", ""))}] if document else [{"system": "urn:kangyun:test", "value": str(next(_count))}]
        who = {"name": [{"text": name}], "gender": "female", "birthDate": born, "identifier": identifier}
        patient = await register(self.system, {"resourceType": "Patient", **who, "managingOrganization": {"reference": f"Organization/{HOSPITAL}"}}, "his")
        person = await person_of(self.system, patient)
        assert person
        encounter = {
            "resourceType": "Encounter", "status": status, "class": {"code": "VR"}, "subject": {"reference": f"Patient/{patient}"},
            "serviceProvider": {"reference": f"Organization/{HOSPITAL}"}, "participant": [{"individual": {"reference": f"Practitioner/{doctor}"}}]}
        [made] = await self.system.commit([Write("create", "Encounter", encounter)])
        return Visit(str(person["id"]), patient, made.id)

    @asynccontextmanager
    async def client(self, actor: Actor, kind: str = "token", language: str = "zh") -> AsyncGenerator[httpx.AsyncClient]:
        """What somebody asks with: an access token, or a session of a browser."""
        secret = await self.services.entries.issue(actor, kind=kind, lasts=60 * 86_400)
        async with httpx.AsyncClient(transport=self.transport, base_url="http://kangyun.test", timeout=60) as client:
            client.headers["accept-language"] = language
            if kind == "token":
                client.headers["authorization"] = f"Bearer {secret}"
            else:
                client.cookies.set(SESSION_COOKIE, secret)
                client.headers["accept"] = "text/html"
            yield client

    def doctor(self, practitioner: str = DOCTOR, institution: str = HOSPITAL, kind: str = "token") -> Any:
        """A doctor's way in."""
        return self.client(Actor(f"user/{practitioner}", "hospital_doctor", institution=institution, practitioner=practitioner, account=practitioner), kind)

    def pharmacist(self, practitioner: str = PHARMACIST, institution: str = HOSPITAL, kind: str = "token") -> Any:
        """A hospital pharmacist's way in."""
        return self.client(Actor(f"user/{practitioner}", "pharmacist", institution=institution, practitioner=practitioner, account=practitioner), kind)

    def shop(self, pharmacy: str = PHARMACY, kind: str = "token") -> Any:
        """A pharmacy's way in; the hospital's is its pharmacist's."""
        role = "pharmacist" if pharmacy == HOSPITAL else "retail_pharmacist"
        return self.client(Actor(f"user/{pharmacy}", role, institution=pharmacy, practitioner=SHOP, account=pharmacy), kind)

    def rider(self, courier: str = COURIER, kind: str = "token") -> Any:
        """A courier's way in."""
        return self.client(Actor(f"user/{courier}", "courier", institution=courier, practitioner=RIDER, account=courier), kind)

    def resident(self, who: Visit, kind: str = "token") -> Any:
        """The resident's own way in."""
        return self.client(Actor(f"user/{who.person}", "resident", person=who.person, account=who.person), kind)

    async def signed(self, visit: Visit, *lines: Json, doctor: str = DOCTOR, **more: Any) -> str:
        """A signed prescription's number."""
        async with self.doctor(doctor) as client:
            answer = await client.post("/fhir/MedicationRequest/$prescribe", json=prescribe(visit, *(lines or (line(),)), **more))
        assert answer.status_code == 200, answer.text
        return str(said(answer)["number"])

    async def passed(self, visit: Visit, *lines: Json, **more: Any) -> str:
        """A prescription that a pharmacist has passed."""
        number = await self.signed(visit, *lines, **more)
        async with self.pharmacist() as client:
            assert (await client.post("/fhir/MedicationRequest/$claim", json=parameters(number=number))).status_code == 200
            answer = await client.post("/fhir/MedicationRequest/$pass", json=parameters(number=number, reason="已与医生核实"))
        assert answer.status_code == 200, answer.text
        return number

    async def chosen(self, visit: Visit, *lines: Json, way: str = "retail", pharmacy: str = PHARMACY, paid: bool = True, **more: Any) -> str:
        """A prescription that a pharmacy may lock."""
        from kangyun.support import drugs

        number = await self.passed(visit, *lines, **more)
        async with self.resident(visit) as client:
            answer = await client.post("/fhir/MedicationRequest/$choose", json=choice(number, way, pharmacy))
        assert answer.status_code == 200, answer.text
        if paid:
            await drugs.paid(self.system, number)
        return number

    async def state(self, number: str) -> str:
        """Where a prescription stands."""
        from kangyun.support import drugs

        return (await drugs.standing(self.system, number)).state


def _practitioner(id_: str, name: str) -> Json:
    right = {"system": "urn:kangyun:prescribing-right"}
    return {"resourceType": "Practitioner", "id": id_, "active": True, "name": [{"text": name}], "qualification": [
        {"code": {"coding": [{**right, "code": code} for code in ("prescribe", "unrestricted", "restricted", "tcm")]}}]}


def _post(id_: str) -> Json:
    return {
        "resourceType": "PractitionerRole", "id": f"{id_}-post", "active": True, "practitioner": {"reference": f"Practitioner/{id_}"},
        "organization": {"reference": f"Organization/{HOSPITAL}"}, "code": [{"coding": [{"system": "urn:kangyun:title", "code": "attending"}]}]}


async def opened(services: Services) -> City:
    """The city of a test file."""
    city = City(services, httpx.ASGITransport(build(services, {}), raise_app_exceptions=False))
    await city.settle()
    return city


def line(code: str = "amlodipine", **more: Any) -> Json:
    """A line as FHIR: amlodipine 5 mg once a day for a week, one package."""
    told = {"dose": 5, "unit": "mg", "frequency": "qd", "route": "po", "days": 7, "quantity": 1, "package": "盒"} | more
    extension = [{"url": "urn:kangyun:extension:prescription-line", "extension": more["extension"]}] if "extension" in more else []
    return {
        "resourceType": "MedicationRequest", "status": "draft", "intent": "order", **({"extension": extension} if extension else {}),
        "medicationCodeableConcept": {"coding": [{"system": "urn:kangyun:drug", "code": code}]},
        "dosageInstruction": [{
            "timing": {"code": {"coding": [{"system": "urn:kangyun:frequency", "code": told["frequency"]}]}},
            "route": {"coding": [{"system": "urn:kangyun:route", "code": told["route"]}]},
            "doseAndRate": [{"doseQuantity": {"value": told["dose"], "unit": told["unit"]}}]}],
        "dispenseRequest": {"quantity": {"value": told["quantity"], "unit": told["package"]}, "expectedSupplyDuration": {"value": told["days"], "unit": "d"}},
    }


def prescribe(visit: Visit, *lines: Json, sign: bool = True, diagnosis: str = "I10", replaces: str = "", **sheet: Any) -> Json:
    """The Parameters of $prescribe; `sheet`: facts of the sheet such as setting="internet"."""
    kinds = {bool: "valueBoolean", int: "valueDecimal", str: "valueString"}
    heads = {"kind": "western", "setting": "internet", **sheet}
    extension = {"url": "urn:kangyun:extension:prescription", "extension": [{"url": name, kinds[type(value)]: value} for name, value in heads.items()]}
    entries = [{"resource": {
        **one, "subject": {"reference": f"Patient/{visit.patient}"}, "encounter": {"reference": f"Encounter/{visit.encounter}"},
        "extension": [extension, *one.get("extension", ())],
        "reasonCode": [{"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": diagnosis}], "text": "高血压"}] if diagnosis else [],
    }} for one in lines]
    return {"resourceType": "Parameters", "parameter": [
        {"name": "prescription", "resource": {"resourceType": "Bundle", "type": "collection", "entry": entries}}, {"name": "sign", "valueBoolean": sign},
        *([{"name": "replaces", "valueString": replaces}] if replaces else [])]}


def choice(number: str, way: str = "retail", pharmacy: str = PHARMACY) -> Json:
    """The Parameters of $choose."""
    told = parameters(number=number, way=way)
    told["parameter"].append({"name": "pharmacy", "valueReference": {"reference": f"Organization/{pharmacy}"}})
    if way == "courier":
        told["parameter"].append({"name": "courier", "valueReference": {"reference": f"Organization/{COURIER}"}})
        told["parameter"] += parameters(name="周秀兰", address="云州市青溪区柳河路8号3单元501", phone="13900001234")["parameter"]
    return told


def parameters(**values: Any) -> Json:
    """Parameters of a request."""
    kinds = {str: "valueString", int: "valueInteger", bool: "valueBoolean", float: "valueDecimal"}
    return {"resourceType": "Parameters", "parameter": [{"name": name, kinds[type(value)]: value} for name, value in values.items()]}


def said(answer: httpx.Response) -> Json:
    """The parameters of an answer by name."""
    assert answer.status_code == 200, answer.text
    return {one["name"]: next((value for key, value in one.items() if key.startswith("value")), one.get("part")) for one in answer.json().get("parameter", ())}


def reason(answer: httpx.Response) -> str:
    """Why something was refused: the key of the message."""
    return str(answer.json()["issue"][0]["diagnostics"])
