"""The doctor's side of a consultation's life: begin it in person, judge the proof, send off line, finish.

Who may is judged at the beginning: licence, registration, years, subjects, presence; and nobody stands in for the doctor.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kangyun.base import clock, lifecycles
from kangyun.base.errors import Issue, Problem, refuse
from kangyun.base.web import message
from kangyun.care.internet_hospital.actions import seats
from kangyun.care.internet_hospital.actions.asking import today
from kangyun.care.internet_hospital.decisions import admission, doctors
from kangyun.care.internet_hospital.model import Node, extended, extension, id_of, reference, with_extension
from kangyun.care.internet_hospital.model.consultations import Consultation, moved
from kangyun.care.internet_hospital.queries import consultations, places
from kangyun.commons.access import Actor, Handle, Transaction, Write, presence_of, tell

_ROOM = "kangyun.care.internet_hospital"
_ANSWER = "consult.answer"
_STARTED = message("internet_hospital.sms.started")
_OFFLINE = message("internet_hospital.sms.offline")
_FINISHED = message("internet_hospital.sms.finished")


def about(id_: str) -> str:
    """What a doctor proves to be present for."""
    return f"Encounter/{id_}"


async def check_doctor(handle: Handle, of: Consultation, *, young: bool) -> str:
    """The caller's name as a doctor who may answer here; `young` as `is_young` says.

    Raises Problem 403 with every reason why he may not: licence, years, registration, subjects, age of a child.
    """
    clinic = await places.clinic_of(handle, of.clinic)
    doctor = await places.doctor_at(handle, handle.actor.practitioner or "", of.institution)
    found = doctors.faults(doctor, await places.hospital_of(handle, of.institution), clinic, today())
    if doctor is not None and not clinic.is_line and clinic.id not in doctor.clinics:
        found.append("not-assigned")
    if young and not admission.is_specialist(clinic):
        found.append("no-specialist")
    if found:
        raise Problem(403, *(Issue("forbidden", f"internet_hospital.doctor-{one}") for one in found))
    return doctor.name if doctor else ""


async def is_young(handle: Handle, of: Consultation) -> bool:
    """Whether the patient is a child who comes with a guardian to a specialist."""
    patient = await handle.read("Patient", of.patient) or {}
    age = admission.age_on(str(patient.get("birthDate", "")), today())
    return of.kind != "advice" and age is not None and age < admission.child_age()


async def start(services: Any, handle: Handle, id_: str, *, guardian_seen: bool = False) -> Consultation:
    """Begin a consultation in person; where it is under way, go on with it from this device.

    Raises Problem 403 when the caller may not (see check_doctor), has not proved to be present or is not the doctor of the
    consultation; 409 when it cannot begin now, or the doctor is in another talk; 422 for a child whose guardian was not seen.
    """
    of = await consultations.consultation_of(handle, id_)
    mine(handle.actor, of)
    young = await is_young(handle, of)
    name = await check_doctor(handle, of, young=young)
    proof = await presence_of(services, handle.actor, about(id_))
    if proof is None:
        raise refuse(403, "login", "internet_hospital.not-present")
    if young and not (guardian_seen or extended(of.node, "guardian-seen")):
        raise refuse(422, "required", "internet_hospital.guardian-not-seen", "guardian")
    own = handle.acting(_ANSWER, "consult.start", writes="Encounter")
    written = await own.commit([], beside=lambda session: _begin(session, own, of, (proof.means, name), guardian_seen=guardian_seen))
    return await consultations.after(own, written, id_)


async def _begin(session: Transaction, handle: Handle, of: Consultation, how: tuple[str, str], *, guardian_seen: bool) -> Sequence[Write]:
    of, actor, now = await consultations.again(session, of), handle.actor, clock.instant(clock.now())
    mine(actor, of)
    await seats.take(session.connection, of, "doctor", actor, over=True)
    if of.state == "in-progress":
        return []
    state = lifecycles.load(_ROOM).next(of.state, "start", "doctor")
    await _check_others(session, of, actor)
    node = moved(of.node, state, now)
    presence = [{"url": "means", "valueCode": how[0]}, {"url": "at", "valueInstant": now}]
    node = {**node, "extension": [*node["extension"], {**extension("presence"), "extension": presence}]}
    if guardian_seen:
        node = with_extension(node, "guardian-seen", valueBoolean=True)
    if not of.practitioner:
        node["participant"] = [{"individual": reference("Practitioner", actor.practitioner or "", how[1])}]
    notice = await tell(session.connection, of.patient, _STARTED, about=about(of.id), page=f"/consult/visits/{of.id}")
    return [Write("update", "Encounter", node, of.id, if_match=of.version), notice]


async def _check_others(session: Transaction, of: Consultation, actor: Actor) -> None:
    practitioner = actor.practitioner or ""
    if of.live:
        await seats.go_live(session.connection, of, practitioner)
        return
    query = [("participant", f"Practitioner/{practitioner}"), ("status", "in-progress"), ("_tag", f"{consultations.KIND}|text"), ("_summary", "count")]
    if ((await session.search("Encounter", query)).total or 0) >= doctors.most("text"):
        raise refuse(409, "conflict", "internet_hospital.too-many-open", most=str(doctors.most("text")))


def mine(actor: Actor, of: Consultation) -> None:
    """Raise Problem 403 unless the caller is the consultation's doctor, or it has none yet: nobody stands in for a doctor."""
    if actor.practitioner is None:
        raise refuse(403, "forbidden", "internet_hospital.only-doctors")
    if of.practitioner and of.practitioner != actor.practitioner:
        raise refuse(403, "forbidden", "internet_hospital.other-doctor")


async def at_work(session: Transaction, handle: Handle, of: Consultation) -> Consultation:
    """The consultation, in which the caller is the doctor, on the one device, while it is under way. Raises Problem 403 and 409."""
    of = await consultations.again(session, of)
    mine(handle.actor, of)
    if of.state != "in-progress":
        raise refuse(409, "conflict", "internet_hospital.not-under-way")
    await seats.take(session.connection, of, "doctor", handle.actor)
    return of


async def judge_proof(handle: Handle, id_: str, *, accepted: bool) -> None:
    """The doctor's judgement of the uploaded proof; without one that is accepted the consultation goes off line.

    Raises Problem 409 when there is nothing to judge.
    """
    of = await consultations.consultation_of(handle, id_)
    found = consultations.proofs(await consultations.papers(handle, of, consultations.PROOFS))
    open_ones = [one for one in found if one.get("docStatus") == "preliminary"]
    if not open_ones:
        raise refuse(409, "conflict", "internet_hospital.no-proof-to-judge")
    own = handle.acting(_ANSWER, "consult.judge-proof", writes="DocumentReference")

    async def beside(session: Transaction) -> Sequence[Write]:
        await at_work(session, own, of)
        authenticator = reference("Practitioner", own.actor.practitioner or "")
        # A proof that is refused stays, so that it can be seen later what was refused.
        told = {"docStatus": "final" if accepted else "amended", "authenticator": authenticator, "status": "current" if accepted else "entered-in-error"}
        return [Write("update", "DocumentReference", {**one, **told}, str(one["id"]), if_match=int(one["meta"]["versionId"])) for one in open_ones]

    await own.commit([], beside=beside)
    if not accepted:
        await send_offline(handle, id_, "first-visit")


async def send_offline(handle: Handle, id_: str, code: str, words: str = "") -> Consultation:
    """End it and send the resident to a hospital. code: first-visit, unsuitable, worse, child or other; words: the doctor's own.

    Raises Problem 403 for another's consultation, 409 when it is over, 422 without a reason.
    """
    if code not in REASONS or (code == "other" and not words.strip()):
        raise refuse(422, "required", "internet_hospital.no-reason", "reason")
    return await _end(handle, await consultations.consultation_of(handle, id_), "offline", code, words)


REASONS = ("first-visit", "unsuitable", "worse", "child", "other")


async def finish(handle: Handle, id_: str) -> Consultation:
    """The consultation is done. Raises Problem 409 while its medical record is not signed or its proof not judged."""
    of = await consultations.consultation_of(handle, id_)
    if of.kind != "advice":
        record = await consultations.record_of(handle, of)
        if record is None or record["status"] != "final":
            raise refuse(409, "conflict", "internet_hospital.record-not-signed")
    return await _end(handle, of, "finish", "", "")


async def _end(handle: Handle, of: Consultation, event: str, code: str, words: str) -> Consultation:
    mine(handle.actor, of)
    own = handle.acting(_ANSWER, f"consult.{event}", writes="Encounter")

    async def beside(session: Transaction) -> Sequence[Write]:
        now_of = await consultations.again(session, of)
        mine(own.actor, now_of)
        if now_of.state == "in-progress":
            await seats.take(session.connection, now_of, "doctor", own.actor)
        state = lifecycles.load(_ROOM).next(now_of.state, event, "doctor")
        await seats.leave(session.connection, now_of)
        key = _OFFLINE if event == "offline" else _FINISHED
        notice = await tell(session.connection, now_of.patient, key, about=about(of.id), page=f"/consult/visits/{of.id}")
        return [ended(now_of, state, "offline" if event == "offline" else "done", code, words), notice]

    return await consultations.after(own, await own.commit([], beside=beside), of.id)


def ended(of: Consultation, state: str, outcome: str, code: str = "", words: str = "") -> Write:
    """The last word on a consultation: how it ended and why."""
    node: Node = with_extension(moved(of.node, state, clock.instant(clock.now())), "outcome", valueCode=outcome)
    if code:
        node = with_extension(node, "outcome-reason", valueCode=code)
    if words.strip():
        node = with_extension(node, "outcome-words", valueString=words.strip()[:500])
    return Write("update", "Encounter", node, of.id, if_match=of.version)


def proof_of(papers: dict[str, list[Node]]) -> tuple[str, list[str]]:
    """How the re-visit proof stands (none, judge, accepted, refused), and the pictures to judge."""
    found = consultations.proofs(papers)
    shots = [id_of(one, "Media") for paper in found for one in paper.get("context", {}).get("related", ())]
    states = {"preliminary": "judge", "final": "accepted", "amended": "refused"}
    return (states.get(str(found[0].get("docStatus")), "accepted") if found else "none", [one for one in shots if one])
