"""The internet hospital of the demonstration: its licence, 32 special-disease clinics, an advice line, and a doctor for each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from kangyun.app.demo.staff import Kept, Login, Wanted, employ
from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.care.internet_hospital.decisions.admission import subjects
from kangyun.care.internet_hospital.model.doctors import Doctor, qualified, role_of
from kangyun.care.internet_hospital.model.places import Clinic, Hospital, clinic_service, hospital_service
from kangyun.commons.access import Handle, Write
from kangyun.support.drugs.model.circulation import RIGHT_SYSTEM

_TABLE = Path(__file__).with_name("clinics.yaml")
_RIGHTS = ("prescribe", "unrestricted")
_MORE_RIGHTS = {"attending": ("restricted",), "associate": ("restricted", "special"), "chief": ("restricted", "special")}
_FIRST_DOCTOR = "demo.hospital-doctor"


@dataclass(frozen=True, slots=True)
class Open:
    """What is open: ids of the clinics, in the order of clinics.yaml, and the login of the doctor of each."""

    clinics: list[str]
    doctors: list[Login]


async def settle(services: Services, kept: Kept, institution: str, most: int = 32, more: int = 0) -> Open:
    """Open the clinics at an institution, at most so many, with their doctors, and `more` doctors in the first; once for each data folder."""
    handle, open_ones = services.gate.system("demo"), rows()[:most]
    await _put(handle, hospital_service(_licence(institution, open_ones), subjects("zh")))
    await _put(handle, clinic_service(_advice(institution), subjects("zh")))
    clinics: list[str] = []
    doctors: list[Login] = []
    for number, row in enumerate(open_ones, 1):
        clinic = _clinic(institution, number, row)
        doctor = await employ(services, kept, _wanted(number, row), institution)
        await _put(handle, clinic_service(clinic, subjects("zh")))
        await _register(handle, doctor, clinic, row)
        clinics.append(clinic.id)
        doctors.append(doctor)
    for number in range(more):
        wanted = Wanted("hospital_doctor", f"demo.doctor-{number:03d}", f"云医{number:03d}")
        doctors.append(await employ(services, kept, wanted, institution))
        await _register(handle, doctors[-1], _clinic(institution, 1, open_ones[0]), open_ones[0] | {"doctor": wanted.called})
    kept.write()
    return Open(clinics, doctors)


def rows() -> list[dict[str, Any]]:
    """The table of clinics."""
    return yaml.load(_TABLE.read_text("utf-8"), Loader=yaml.CSafeLoader)


def _licence(institution: str, open_ones: list[dict[str, Any]]) -> Hospital:
    today = clock.now().date()
    return Hospital(
        institution, "云州市第一人民医院互联网医院", "PDY99010001", f"{today.year - 3}-01-01", f"{today.year + 2}-12-31", f"{today.year}-03-01",
        tuple(sorted({str(row["subject"]) for row in open_ones})), "0990-12320")


def _clinic(institution: str, number: int, row: dict[str, Any]) -> Clinic:
    return Clinic(
        institution, row["name"], sort="disease", subject=str(row["subject"]), price=int(row["price"]), diagnoses=tuple(row["diagnoses"]),
        id=f"demo-clinic-{number:02d}")


def _advice(institution: str) -> Clinic:
    return Clinic(institution, "健康咨询专线", "advice-line", about="由护士和医生免费解答，不作诊断，不开处方。", id="demo-advice")


def _wanted(number: int, row: dict[str, Any]) -> Wanted:
    login = _FIRST_DOCTOR if number == 1 else f"demo.clinic-{number:02d}"
    return Wanted("hospital_doctor", login, str(row["doctor"]))


async def _register(handle: Handle, login: Login, clinic: Clinic, row: dict[str, Any]) -> None:
    """The doctor's licence to practise and the registration at the institution."""
    today = clock.now().date()
    doctor = Doctor(
        login.practitioner, clinic.institution, str(row["doctor"]), str(row["title"]), f"1109900{clinic.id[-2:]}000001", _years_ago(today, 12),
        _years_ago(today, 6), f"{today.year + 3}-12-31", (clinic.subject,), (clinic.id,))
    kept = await handle.read("Practitioner", login.practitioner)
    assert kept is not None, "whoever is employed with a name has an entry"
    await _put(handle, _with_rights(qualified(kept, doctor), _RIGHTS + _MORE_RIGHTS.get(doctor.title, ())))
    await _put(handle, role_of(doctor, subjects("zh")))


def _with_rights(practitioner: dict[str, Any], rights: tuple[str, ...]) -> dict[str, Any]:
    """The Practitioner with the right to prescribe, and antimicrobials by title (抗菌药物临床应用管理办法 第24条)."""
    told = {"code": {"coding": [{"system": RIGHT_SYSTEM, "code": one} for one in rights], "text": "处方权"}}
    others = [one for one in practitioner["qualification"] if one.get("code", {}).get("text") != "处方权"]
    return {**practitioner, "qualification": [*others, told]}


def _years_ago(day: date, years: int) -> str:
    return (day - timedelta(days=365 * years)).isoformat()


async def _put(handle: Handle, resource: dict[str, Any]) -> None:
    """Write a resource unless one of its id is there and says the same things by now."""
    kept = await handle.read(resource["resourceType"], resource["id"])
    if kept is None or {**kept, "meta": None} != {**resource, "meta": None}:
        await handle.commit([Write("update", resource["resourceType"], resource, resource["id"])])
