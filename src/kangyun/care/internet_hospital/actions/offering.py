"""What operations keep of their own institution: the licence, clinics, doctors' registrations, and advice lines that open at once."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from uuid import uuid4

from kangyun.base.errors import Issue, Problem, refuse
from kangyun.care.internet_hospital.actions.asking import today
from kangyun.care.internet_hospital.decisions import admission, papers, triage
from kangyun.care.internet_hospital.model import KIND
from kangyun.care.internet_hospital.model.doctors import Doctor, qualified, role_of
from kangyun.care.internet_hospital.model.places import Clinic, Hospital, clinic_service, hospital_service
from kangyun.care.internet_hospital.queries import places
from kangyun.commons.access import Handle, Write

_OPERATE = "consult.operate"
_RANGE = re.compile(r"[A-Z]\d\d(?:\.\d{1,4})?(?:-[A-Z]\d\d(?:\.\d{1,4})?)?")
TITLES = ("resident", "attending", "associate", "chief")
KINDS = ("text", "video")
_MOST_FEN = 1_000_00


def own_institution(handle: Handle) -> str:
    """The caller's institution. Raises Problem 403 for whoever has none."""
    if not handle.actor.institution:
        raise refuse(403, "forbidden", "internet_hospital.no-institution")
    return handle.actor.institution


async def keep_hospital(handle: Handle, wish: Hospital) -> Hospital:
    """Keep the licence of the caller's own institution. Raises Problem 422 with every field that cannot be right."""
    wish = replace(wish, institution=own_institution(handle), id=f"internet-{own_institution(handle)}")
    _refuse([
        *_missing(wish.name, "name"), *_missing(wish.licence, "licence"), *_missing(wish.complaints, "complaints"),
        *_dates(starts=wish.starts, ends=wish.ends), *([_wrong("checked")] if wish.checked and not _is_day(wish.checked) else []),
        *([] if wish.subjects and set(wish.subjects) <= set(admission.subjects("zh")) else [_wrong("subjects")]),
    ])
    own = handle.acting(_OPERATE, "consult.keep-hospital", writes="HealthcareService")
    await own.commit([Write("update", "HealthcareService", hospital_service(wish, admission.subjects("zh")), wish.id)])
    return wish


async def keep_clinic(handle: Handle, wish: Clinic) -> Clinic:
    """Keep a clinic or an advice line of the caller's own institution; without an id it is a new one.

    Raises Problem 404 for another institution's, 409 without a licence, 422 with every field that cannot be right.
    """
    institution = own_institution(handle)
    if wish.id:
        await own_clinic(handle, wish.id)
    hospital = await places.hospital_of(handle, institution)
    if hospital is None:
        raise refuse(409, "conflict", "internet_hospital.no-licence-yet")
    subject = wish.subject in hospital.subjects or (wish.is_line and not wish.subject)
    _refuse([
        *_missing(wish.name, "name"), *([] if subject else [_wrong("subject")]),
        *([] if 0 <= wish.price <= _MOST_FEN else [_wrong("price")]),
        *([] if all(_RANGE.fullmatch(one) for one in wish.diagnoses) else [_wrong("diagnoses")]),
        *([] if wish.triage in triage.names() else [_wrong("triage")]), *([] if wish.template in papers.templates() else [_wrong("template")]),
        *([] if wish.kinds and set(wish.kinds) <= set(KINDS) else [_wrong("kinds")]),
    ])
    made = replace(wish, institution=institution, id=wish.id or uuid4().hex)
    own = handle.acting(_OPERATE, "consult.keep-clinic", writes="HealthcareService")
    await own.commit([
        Write("update", "HealthcareService", clinic_service(made, admission.subjects("zh")), made.id),
        Write("update", "Questionnaire", triage.questionnaire(made.triage), f"triage-{made.triage}"),
    ])
    return made


async def own_clinic(handle: Handle, id_: str) -> Clinic:
    """A clinic or an advice line of the caller's own institution. Raises Problem 404 for any other."""
    found = await places.clinic_of(handle, id_)
    if found.institution != own_institution(handle):
        raise refuse(404, "not-found", "internet_hospital.no-clinic")
    return found


async def open_line(handle: Handle, name: str, about: str, triage_name: str = "epidemic") -> Clinic:
    """Open an advice line: free, without a proof, answered by all doctors of the institution who answer on line."""
    return await keep_clinic(handle, Clinic("", name, "advice-line", about=about, triage=triage_name, kinds=("text",)))


async def turn(handle: Handle, id_: str, *, active: bool) -> Clinic:
    """Open or close a clinic or an advice line; what is under way goes on."""
    return await keep_clinic(handle, replace(await own_clinic(handle, id_), active=active))


async def keep_doctor(handle: Handle, wish: Doctor) -> Doctor:
    """Keep a doctor's licence and registration at the caller's own institution, and the clinics where he answers.

    Raises Problem 404 for a practitioner who is none, 422 with every field that cannot be right.
    """
    wish = replace(wish, institution=own_institution(handle))
    kept = await handle.read("Practitioner", wish.practitioner) if wish.practitioner else None
    if kept is None:
        raise refuse(404, "not-found", "internet_hospital.no-doctor")
    clinics = {one.id for category in ("clinic", "advice-line") for one in await places.clinics(handle, wish.institution, category=category, closed=True)}
    _refuse([
        *_missing(wish.licence, "licence"), *([] if wish.title in TITLES else [_wrong("title")]),
        *([] if _is_day(wish.licensed) else [_wrong("licensed")]), *_dates(registered=wish.registered, until=wish.until),
        *([] if wish.subjects and set(wish.subjects) <= set(admission.subjects("zh")) else [_wrong("subjects")]),
        *([] if set(wish.clinics) <= clinics else [_wrong("clinics")]),
    ])
    before = await places.doctor_at(handle, wish.practitioner, wish.institution)
    wish = replace(wish, role=before.role if before else "", name=wish.name or (before.name if before else ""))
    role, own = role_of(wish, admission.subjects("zh")), handle.acting(_OPERATE, "consult.keep-doctor", writes="PractitionerRole")
    await own.commit([
        Write("update", "Practitioner", qualified(kept, wish), wish.practitioner, if_match=int(kept["meta"]["versionId"])),
        Write("update", "PractitionerRole", role, str(role["id"])),
    ])
    return replace(wish, role=str(role["id"]))


async def numbers(handle: Handle) -> dict[str, int]:
    """How many consultations of the caller's own institution wait, are under way, and were finished today: nobody's names."""
    institution, own = own_institution(handle), handle.acting(_OPERATE, "consult.numbers", writes="HealthcareService")
    base = [("service-provider", f"Organization/{institution}"), ("_tag", f"{KIND}|"), ("_summary", "count")]
    asked = {
        "waiting": [("status", "arrived")], "under-way": [("status", "in-progress")],
        "finished": [("status", "finished"), ("date", f"ge{today().isoformat()}")],
    }
    return {name: (await own.search("Encounter", [*base, *more])).total or 0 for name, more in asked.items()}


def _refuse(issues: list[Issue]) -> None:
    if issues:
        raise Problem(422, *issues)


def _missing(text: str, field: str) -> list[Issue]:
    return [] if text.strip() and len(text) <= 200 else [_wrong(field)]


def _wrong(field: str) -> Issue:
    return Issue("value", f"internet_hospital.wrong-{field}", {}, field)


def _dates(**named: str) -> list[Issue]:
    """A first day, and a last day that may be open."""
    (first, begins), (last, ends) = named.items()
    if not _is_day(begins):
        return [_wrong(first)]
    return [] if not ends or (_is_day(ends) and begins <= ends) else [_wrong(last)]


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10
