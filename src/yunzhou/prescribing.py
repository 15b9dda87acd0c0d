"""A prescription on its way: the doctor writes and signs, a pharmacist of the pool judges, a pharmacy dispenses, a courier brings it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from yunzhou.actors import AGAIN, Actor, RefusalError, parameter
from yunzhou.consulting import ICD10
from yunzhou.line import LineLostError

_PAUSE = 0.5
_CATALOGUE = "urn:kangyun:drug"
_FREQUENCY, _ROUTE, _SHEET = "urn:kangyun:frequency", "urn:kangyun:route", "urn:kangyun:extension:prescription"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A line: code of the catalogue, dose and its unit, frequency, route, days, and how many of which unit."""

    code: str
    name: str
    dose: float
    dose_unit: str
    frequency: str
    days: int
    quantity: int
    quantity_unit: str = "盒"
    route: str = "po"


AMLODIPINE = Wanted("amlodipine", "苯磺酸氨氯地平片", 5, "mg", "qd", 28, 1)
HYDROCHLOROTHIAZIDE = Wanted("hydrochlorothiazide", "氢氯噻嗪片", 25, "mg", "qd", 28, 1)


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands above the lines: whom it is for, in which consultation, why, and why for longer than usual."""

    patient: str
    encounter: str
    diagnosis: tuple[str, str]
    reason: str = "慢性病病情稳定，长期用药"
    long_term: bool = True


async def prescribe(doctor: Actor, sheet: Sheet, lines: tuple[Wanted, ...], *, sign: bool = True) -> str:
    """Write a prescription and sign it; gives its number. Asked again after a lost answer it would be another one: see prescribe_once."""
    told: dict[str, Any] = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": _request(sheet, one)} for one in lines]}
    body = {"resourceType": "Parameters", "parameter": [{"name": "prescription", "resource": told}, {"name": "sign", "valueBoolean": sign}]}
    return str(parameter(await doctor.do("MedicationRequest/$prescribe", body), "number"))


async def prescribe_once(doctor: Actor, sheet: Sheet, lines: tuple[Wanted, ...]) -> str:
    """The same, asked once only; '' when no answer came, and nobody knows."""
    alone = Actor(doctor.line, doctor.token, patience=-1.0)
    try:
        return await prescribe(alone, sheet, lines)
    except LineLostError:
        doctor.again += 1
        await asyncio.sleep(_PAUSE)
        return ""
    except RefusalError as refusal:
        if refusal.status not in AGAIN:
            raise
        doctor.again += 1
        await asyncio.sleep(_PAUSE)
        return ""


def _request(sheet: Sheet, one: Wanted) -> dict[str, Any]:
    code, words = sheet.diagnosis
    extension = [{"url": "setting", "valueString": "internet"}, {"url": "reason", "valueString": sheet.reason}, {"url": "valid_days", "valueDecimal": 3}]
    extension += [{"url": "long_term", "valueBoolean": True}, {"url": "assessed", "valueBoolean": True}] if sheet.long_term else []
    return {
        "resourceType": "MedicationRequest", "status": "draft", "intent": "order", "extension": [{"url": _SHEET, "extension": extension}],
        "subject": {"reference": f"Patient/{sheet.patient}"}, "encounter": {"reference": f"Encounter/{sheet.encounter}"},
        "medicationCodeableConcept": {"coding": [{"system": _CATALOGUE, "code": one.code}], "text": one.name},
        "reasonCode": [{"coding": [{"system": ICD10, "code": code}], "text": words}],
        "dosageInstruction": [{
            "doseAndRate": [{"doseQuantity": {"value": one.dose, "unit": one.dose_unit}}],
            "timing": {"code": {"coding": [{"system": _FREQUENCY, "code": one.frequency}]}}, "route": {"coding": [{"system": _ROUTE, "code": one.route}]}}],
        "dispenseRequest": {"quantity": {"value": one.quantity, "unit": one.quantity_unit}, "expectedSupplyDuration": {"value": one.days, "unit": "d"}},
    }


async def claim(pharmacist: Actor, number: str = "") -> str:
    """Take a prescription out of the pool, this one or the most urgent; gives its number, or '' when none waits."""
    return str(parameter(await pharmacist.do("MedicationRequest/$claim", **({"number": number} if number else {})), "number") or "")


async def pass_(pharmacist: Actor, number: str, reason: str = "") -> None:
    """Pass what was claimed, with a reason where findings ask for one."""
    await pharmacist.do("MedicationRequest/$pass", number=number, reason=reason)


@dataclass(frozen=True, slots=True)
class Way:
    """How the medicine comes: hospital, retail or courier, from which pharmacy, by which courier, to whom and where."""

    way: str
    pharmacy: str
    courier: str = ""
    name: str = ""
    address: str = ""
    phone: str = ""


async def choose(patient: Actor, number: str, way: Way) -> None:
    """Choose how the medicine comes."""
    told = {name: getattr(way, name) for name in ("way", "pharmacy", "courier", "name", "address", "phone") if getattr(way, name)}
    await patient.do("MedicationRequest/$choose", number=number, **told)


async def standing(whoever: Actor, number: str) -> dict[str, Any]:
    """Where a prescription stands, as Parameters."""
    return await whoever.do("MedicationRequest/$standing", number=number)


async def dispense(pharmacy: Actor, number: str, key: str) -> None:
    """Lock a prescription and dispense all of it."""
    await pharmacy.do("MedicationRequest/$lock", number=number, key=key)
    await pharmacy.do("MedicationRequest/$dispense", number=number, key=key)


async def code(patient: Actor, number: str) -> str:
    """The code that the recipient says."""
    return str(parameter(await patient.do("MedicationRequest/$code", number=number), "code"))


async def deliver(courier: Actor, number: str, said: str) -> None:
    """Fetch the parcel of a prescription and hand it over to whoever says the code."""
    await courier.do(f"SupplyDelivery/{number}-parcel/$pick-up")
    await courier.do(f"SupplyDelivery/{number}-parcel/$deliver", code=said)
