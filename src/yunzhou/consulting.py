"""A consultation as both sides play it: the patient asks, pays the fee, tells; the doctor proves presence, answers, records, ends."""

from __future__ import annotations

from typing import Any

from yunzhou.actors import Actor

ICD10 = "http://hl7.org/fhir/sid/icd-10"


async def ask(patient: Actor, clinic: str, complaint: str, *, doctor: str = "", key: str = "", kind: str = "text") -> dict[str, Any]:
    """Ask in a clinic (id), of a doctor (id of the Practitioner) or of whoever is free; gives the Encounter. The same key asks once."""
    parameters: list[dict[str, Any]] = [
        {"name": "kind", "valueCode": kind}, {"name": "complaint", "valueString": complaint}, {"name": "consent", "valueBoolean": True}]
    parameters += [{"name": "doctor", "valueReference": {"reference": f"Practitioner/{doctor}"}}] if doctor else []
    parameters += [{"name": "key", "valueString": key}] if key else []
    return await patient.do(f"HealthcareService/{clinic}/$ask", {"resourceType": "Parameters", "parameter": parameters})


async def begin(doctor: Actor, visit: str, code: str) -> dict[str, Any]:
    """Begin a consultation in person: `code` is what the authenticator app shows."""
    return await doctor.do(f"Encounter/{visit}/$start", means="totp", code=code)


async def say(patient: Actor, visit: str, text: str, client: str) -> None:
    """Write as the patient; `client` is the sender's own name of the message, so that it is there once."""
    await patient.do(f"Encounter/{visit}/$say", client=client, text=text)


async def answer(doctor: Actor, visit: str, text: str, client: str) -> None:
    """Write as the doctor."""
    await doctor.do(f"Encounter/{visit}/$answer", client=client, text=text)


async def sign_record(doctor: Actor, visit: str, sections: dict[str, str], diagnosis: tuple[str, str]) -> None:
    """Sign the medical record with its sections and a diagnosis (ICD-10 code, words)."""
    parts = [{"name": name, "valueString": text} for name, text in sections.items()]
    code, words = diagnosis
    coded = {"system": ICD10, "code": code, "display": words}
    body = {"resourceType": "Parameters", "parameter": [{"name": "sections", "part": parts}, {"name": "diagnosis", "valueCoding": coded}]}
    await doctor.do(f"Encounter/{visit}/$sign", body)


async def end(doctor: Actor, visit: str) -> None:
    """End the consultation."""
    await doctor.do(f"Encounter/{visit}/$finish")


async def rate(patient: Actor, visit: str, stars: int, words: str = "") -> None:
    """Say how it was: 1 to 5 for doctor and service."""
    await patient.do(f"Encounter/{visit}/$rate", doctor=stars, service=stars, words=words)
