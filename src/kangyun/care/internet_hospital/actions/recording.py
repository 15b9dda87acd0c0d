"""The medical record of a consultation: drafted from its clinic's template, diagnosis coded, signed by the doctor, kept as signed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kangyun.base import clock
from kangyun.base.errors import Issue, Problem, refuse
from kangyun.care.internet_hospital.actions.attending import at_work, proof_of
from kangyun.care.internet_hospital.decisions import papers
from kangyun.care.internet_hospital.decisions.diagnosing import is_code
from kangyun.care.internet_hospital.model import ICD10, Node, id_of, reference
from kangyun.care.internet_hospital.model.consultations import Consultation, id_by
from kangyun.care.internet_hospital.queries import consultations, places
from kangyun.commons.access import Content, Handle, Transaction, Write, sign

_ANSWER = "consult.answer"
_CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
_MOST = 8


@dataclass(frozen=True, slots=True)
class Draft:
    """What the doctor wrote: texts by section, and diagnoses as (ICD-10 code, name), the main one first."""

    sections: Mapping[str, str]
    diagnoses: tuple[tuple[str, str], ...] = ()


async def keep(handle: Handle, id_: str, draft: Draft, *, final: bool = False) -> Node:
    """Keep the record of a consultation; `final`: complete and sign it, after which nothing of it changes.

    Raises Problem 403 for another doctor's consultation, 409 when it is signed already, not under way, open on another device,
    or its proof is not judged; 422 with every section that must be filled and is not, without a diagnosis, or for a wrong code.
    """
    of = await consultations.consultation_of(handle, id_)
    clinic = await places.clinic_of(handle, of.clinic)
    _check(draft, clinic.template, final=final)
    if final and of.kind != "advice" and proof_of(await consultations.papers(handle, of, consultations.PROOFS))[0] != "accepted":
        raise refuse(409, "business-rule", "internet_hospital.proof-not-judged")
    own = handle.acting(_ANSWER, "consult.sign" if final else "consult.record", writes="Composition")
    await own.commit([], beside=lambda session: _write(session, own, of, (draft, clinic.template), final=final))
    return await consultations.record_of(own, of) or {}


def _check(draft: Draft, template: str, *, final: bool) -> None:
    known = {one.key for one in papers.sections(template)}
    issues = [Issue("value", "internet_hospital.no-section", {"section": key[:40]}, key[:40]) for key in draft.sections if key not in known]
    issues += [Issue("too-long", "internet_hospital.too-long", {"most": "4000"}, key) for key, text in draft.sections.items() if len(text) > 4000]
    issues += [Issue("code-invalid", "internet_hospital.no-code", {"code": code[:20]}, "diagnosis") for code, _ in draft.diagnoses if not is_code(code)]
    if len(draft.diagnoses) > _MOST:
        issues.append(Issue("too-long", "internet_hospital.too-many-diagnoses", {"most": str(_MOST)}, "diagnosis"))
    if final:
        titles = {one.key: one.titles for one in papers.sections(template)}
        issues += [
            Issue("required", "internet_hospital.section-empty", {"section": titles[key]["zh"], "section_en": titles[key]["en"]}, key)
            for key in papers.lacking(template, draft.sections)
        ]
        issues += [] if draft.diagnoses else [Issue("required", "internet_hospital.no-diagnosis", {}, "diagnosis")]
    if issues:
        raise Problem(422, *issues)


async def _write(session: Transaction, handle: Handle, of: Consultation, what: tuple[Draft, str], *, final: bool) -> Sequence[Write]:
    draft, template = what
    of = await at_work(session, handle, of)
    kept = await session.read("Composition", papers.record_id(of.id))
    if kept is not None and kept["status"] == "final":
        raise refuse(409, "conflict", "internet_hospital.signed")
    now = clock.instant(clock.now())
    author = reference("Practitioner", handle.actor.practitioner or "", of.doctor)
    before = await session.search("Condition", [("encounter", f"Encounter/{of.id}"), ("_count", "50")])
    conditions = [_condition(of, code, name, author, now, final=final) for code, name in draft.diagnoses]
    written = [Write("update", "Condition", one, str(one["id"])) for one in conditions]
    gone = [Write("update", "Condition", _withdrawn(one), str(one["id"])) for one in before.resources if one["id"] not in {c["id"] for c in conditions}]
    named = [reference("Condition", str(one["id"]), str(one["code"]["text"])) for one in conditions]
    record = papers.composition(of, template, draft.sections, named, author=author, now=now, final=final)
    version = int(kept["meta"]["versionId"]) if kept else 0
    writes = [*written, *gone, Write("update", "Composition", record, str(record["id"]), if_match=version), _diagnosed(of, named)]
    if not final:
        return writes
    contents = [Content(record, version + 1), *(Content(one, _next(one, before.resources)) for one in conditions)]
    return [*writes, await sign(session.connection, handle.actor, contents)]


def _withdrawn(one: Node) -> Node:
    """A diagnosis of the draft that the doctor took back."""
    rest = {key: value for key, value in one.items() if key != "clinicalStatus"}
    return rest | {"verificationStatus": {"coding": [{"system": _VERIFIED, "code": "entered-in-error"}]}}


def _next(one: Node, before: Sequence[Node]) -> int:
    """The version that a Condition will have."""
    return next((int(kept["meta"]["versionId"]) + 1 for kept in before if kept["id"] == one["id"]), 1)


def _condition(of: Consultation, code: str, name: str, author: Node, now: str, *, final: bool) -> Node:
    return {
        "resourceType": "Condition", "id": id_by(of.id, "diagnosis", code),
        "clinicalStatus": {"coding": [{"system": _CLINICAL, "code": "active"}]},
        "verificationStatus": {"coding": [{"system": _VERIFIED, "code": "confirmed" if final else "provisional"}]},
        "category": [{"coding": [{"system": _CATEGORY, "code": "encounter-diagnosis"}]}],
        "code": {"coding": [{"system": ICD10, "code": code, "display": name}], "text": name},
        "subject": reference("Patient", of.patient), "encounter": reference("Encounter", of.id), "recordedDate": now, "recorder": author,
    }


def _diagnosed(of: Consultation, named: list[Node]) -> Write:
    """The Encounter tells its diagnoses as well, as the order entry and the regulator read them."""
    rest = {key: value for key, value in of.node.items() if key != "diagnosis"}
    told = [{"condition": one, "rank": number} for number, one in enumerate(named, 1)]
    return Write("update", "Encounter", rest | ({"diagnosis": told} if told else {}), of.id, if_match=of.version)


def diagnosed(conditions: Sequence[Node], of: Consultation) -> list[tuple[str, str]]:
    """The diagnoses of a consultation as (code, name), in their order."""
    by_id = {str(one["id"]): one for one in conditions}
    ranked = [id_of(one.get("condition")) for one in of.node.get("diagnosis", ())]
    return [
        (str(by_id[one]["code"]["coding"][0]["code"]), str(by_id[one]["code"].get("text", ""))) for one in ranked if one in by_id
    ]
