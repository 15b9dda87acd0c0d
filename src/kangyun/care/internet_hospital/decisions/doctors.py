"""Who may answer on line: a doctor's licence, registration, years and subjects against rules/doctors.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from kangyun.base.rules import load
from kangyun.care.internet_hospital.model.doctors import Doctor
from kangyun.care.internet_hospital.model.places import Clinic, Hospital

_ROOM = "kangyun.care.internet_hospital"


def faults(doctor: Doctor | None, hospital: Hospital | None, clinic: Clinic, today: date) -> list[str]:
    """Why a doctor may not answer in a clinic today; [] when he may. The words are those of internet_hospital.doctor-<word>."""
    if doctor is None:
        return ["no-licence", "not-registered"]
    if hospital is None or closed(hospital, today):
        return ["hospital-closed"]
    found = _registration(doctor, clinic, today) + _years(doctor, today)
    if clinic.subject and clinic.subject not in hospital.subjects:
        return [*found, "out-of-licence"]
    return [*found, "out-of-scope"] if clinic.subject and clinic.subject not in doctor.subjects else found


def closed(hospital: Hospital, today: date) -> bool:
    """Whether an internet hospital may not work today: shut, or outside of its licence's time."""
    return not hospital.active or not _covers(hospital.starts, hospital.ends, today)


def _registration(doctor: Doctor, clinic: Clinic, today: date) -> list[str]:
    found = [] if doctor.licence else ["no-licence"]
    if doctor.institution != clinic.institution:
        return [*found, "other-institution"]
    if not doctor.active or not doctor.registered:
        return [*found, "not-registered"]
    return found if _covers(doctor.registered, doctor.until, today) else [*found, "registration-over"]


def _years(doctor: Doctor, today: date) -> list[str]:
    if not doctor.licensed:
        return []
    years = int(load(_ROOM, "doctors.yaml").map["years"])
    return [] if _later(date.fromisoformat(doctor.licensed), years) <= today else ["too-short"]


def _later(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, month=3, day=1)


def _covers(starts: str, ends: str, today: date) -> bool:
    return (not starts or starts <= today.isoformat()) and (not ends or today.isoformat() <= ends)


def most(kind: str) -> int:
    """How many consultations of a kind (live, text) one doctor may have under way."""
    return int(load(_ROOM, "doctors.yaml").map[kind])


def example(given: Mapping[str, Any]) -> list[str]:
    """The faults of a doctor that an example describes."""
    told: Any = {key: str(given[key]) for key in ("licensed", "registered", "until")}
    one = Doctor("p", "here" if given["same"] else "there", licence=given["number"], subjects=tuple(given["subjects"]), active=given["active"], **told)
    hospital = Hospital("here", "", "1", subjects=tuple(given["licence_subjects"]))
    return faults(one, hospital, Clinic("here", "", subject=given["subject"]), date.fromisoformat(str(given["today"])))
