"""Problems, allergies, procedures, visits, family history, goals and plans of a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kangyun.base import rules
from kangyun.commons.exchange.decisions.cda import codes, datatypes
from kangyun.commons.exchange.decisions.cda.header import practitioner
from kangyun.commons.exchange.decisions.cda.narrative import referred
from kangyun.commons.exchange.decisions.cda.xml import Element, attribute, every, first, is_null, text
from kangyun.commons.exchange.decisions.drafts import Draft

if TYPE_CHECKING:
    from kangyun.commons.exchange.decisions.cda.acts import Place

_PACKAGE = "kangyun.commons.exchange"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem/"
_ACT = f"{_TERMINOLOGY}v3-ActCode"
OPERATION = ("DE06.00.093.00", "DE06.00.094.00")
"""The data elements with the code and the name of an operation."""

_OVER = {"completed", "aborted", "resolved", "inactive", "413322009", "73425007"}
_CRITICALITY = {"CRITH": "high", "CRITL": "low", "CRITU": "unable-to-assess"}
_SEVERITY = {"255604002": "mild", "371923003": "mild", "6736007": "moderate", "371924009": "moderate", "24484000": "severe", "399166001": "severe"}


def says_nothing(concept: dict[str, Any] | None) -> bool:
    """Whether a value is one of the words by which systems say that there is nothing."""
    words: set[str] = set(rules.load(_PACKAGE, "cda/nothing.yaml").value)
    if concept is None:
        return True
    told = [concept.get("text"), *(one.get("display") for one in concept.get("coding", []))]
    plain = [str(one).strip() for one in told if one]
    return bool(plain) and all(one in words for one in plain)


def _meaning(element: Element | None, act: Element) -> dict[str, Any] | None:
    """What a coded value means, in code or in the words of the narrative."""
    found = codes.concept(element) if element is not None else None
    if found is None:
        words = referred(element) or referred(first(act, "text"))
        return {"text": words} if words else None
    return found if found.get("text") or not (words := referred(element)) else {**found, "text": words}


def problem(act: Element, place: Place) -> list[Draft]:
    """A problem observation (C-CDA) to a Condition."""
    code = _meaning(first(act, "value"), act)
    if code is None or says_nothing(code):
        return []
    return _condition(act, place, code)


def diagnosis(act: Element, place: Place) -> list[Draft]:
    """A data element whose value is a disease, in code or in words, to a Condition."""
    value = first(act, "value")
    code = codes.concept(value) if value is not None and attribute(value, ".", "code") else {"text": text(value)} if value is not None and text(value) else None
    if code is None or says_nothing(code) or attribute(value, ".") == "false":
        return []
    if "coding" not in code and _told_already(str(code["text"]), place):
        return []
    return _condition(act, place, code)


def _told_already(words: str, place: Place) -> bool:
    """A name beside its code is one diagnosis and not two."""
    return any(draft.type == "Condition" and draft.resource["code"].get("text") == words for draft in place.paper.drafts)


def _condition(act: Element, place: Place, code: dict[str, Any]) -> list[Draft]:
    paper, refuted = place.paper, attribute(act, ".", "negationInd") == "true"
    span = datatypes.period(first(act, "effectiveTime"), paper.sender.zone)
    over = "end" in span or _status_of(act) in _OVER
    category = "encounter-diagnosis" if paper.encounter else "problem-list-item"
    found: dict[str, Any] = {
        "resourceType": "Condition", "code": code, "subject": paper.subject, "encounter": paper.encounter,
        "clinicalStatus": _concept("condition-clinical", "resolved" if over else "active"),
        "verificationStatus": _concept("condition-ver-status", "refuted" if refuted else "confirmed"),
        "category": [_concept("condition-category", category)], "identifier": codes.identifiers(act),
        "onsetDateTime": span.get("start"), "abatementDateTime": span.get("end"), "recordedDate": paper.occurred,
    }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, [], {})}
    drop_words_beside_code(filled, place)
    key = _key(code)
    if paper.encounter and paper.visit is not None:
        return [paper.add(filled, *paper.visit.seed, key)]
    return [paper.once(filled, key, span.get("start", ""))]


def drop_words_beside_code(resource: dict[str, Any], place: Place) -> None:
    """A diagnosis that came in words before its code came is taken back."""
    words = resource["code"].get("text")
    if "coding" in resource["code"]:
        place.paper.drafts[:] = [
            draft for draft in place.paper.drafts
            if draft.type != "Condition" or "coding" in draft.resource["code"] or draft.resource["code"].get("text") != words
        ]


def _status_of(act: Element) -> str:
    """The status that a nested observation or the concern around it gives to a problem."""
    for inner in every(act, "entryRelationship/observation"):
        if attribute(inner, "code", "code") == "33999-4":
            return attribute(inner, "value", "code")
    parent = act.getparent()
    around = parent.getparent() if parent is not None else None
    return attribute(around, "statusCode", "code") if around is not None and around.tag == "act" else ""


def _key(concept: dict[str, Any]) -> str:
    codings = concept.get("coding")
    return f"{codings[0].get('system', '')}|{codings[0]['code']}" if codings else str(concept.get("text", ""))


def _concept(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": _TERMINOLOGY + system, "code": code}]}


def allergy(act: Element, place: Place) -> list[Draft]:
    """An allergy observation to an AllergyIntolerance: its substance, else its value, else words."""
    substance = first(act, "participant/participantRole/playingEntity/code")
    value = first(act, "value")
    code = _meaning(substance, act) if substance is not None else None
    if code is None and value is not None:
        code = codes.concept(value) if attribute(value, ".", "code") else {"text": text(value)} if text(value) else None
    if code is None or says_nothing(code) or attribute(act, ".", "negationInd") == "true" or attribute(value, ".") == "false":
        return []
    span = datatypes.period(first(act, "effectiveTime"), place.paper.sender.zone)
    over = "end" in span or _status_of(act) in _OVER
    found: dict[str, Any] = {
        "resourceType": "AllergyIntolerance", "patient": place.paper.subject, "code": code,
        "clinicalStatus": _concept("allergyintolerance-clinical", "resolved" if over else "active"),
        "verificationStatus": _concept("allergyintolerance-verification", "confirmed"), "onsetDateTime": span.get("start"),
        "criticality": _nested(act, "82606-5", _CRITICALITY), "identifier": codes.identifiers(act),
        "reaction": _reactions(act), "recordedDate": place.paper.occurred,
    }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, [], {})}
    return [place.paper.once(filled, _key(code))]


def _nested(act: Element, code: str, meanings: dict[str, str]) -> str | None:
    for inner in every(act, "entryRelationship/observation"):
        if attribute(inner, "code", "code") == code:
            return meanings.get(attribute(inner, "value", "code"))
    return None


def _reactions(act: Element) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for inner in every(act, "entryRelationship"):
        reaction = first(inner, "observation")
        if attribute(inner, ".", "typeCode") != "MFST" or reaction is None:
            continue
        meaning = _meaning(first(reaction, "value"), reaction)
        severity = _nested(reaction, "SEV", _SEVERITY)
        found += [{"manifestation": [meaning], **({"severity": severity} if severity else {})}] if meaning else []
    return found


def procedure(act: Element, place: Place) -> list[Draft]:
    """A procedure to a Procedure; one that is only planned to a ServiceRequest."""
    if attribute(act, ".", "moodCode") in {"INT", "RQO", "PRMS", "PRP", "ARQ", "APT"}:
        return request(act, place)
    code = _procedure_code(act)
    if code is None or says_nothing(code):
        return []
    paper = place.paper
    span = datatypes.period(first(act, "effectiveTime"), paper.sender.zone)
    performed = {"performedPeriod": span} if "end" in span else {"performedDateTime": span["start"]} if span else {}
    doctors = [one for role in every(act, "performer/assignedEntity") if (one := practitioner(role, paper))]
    refused = attribute(act, ".", "negationInd") == "true"
    found: dict[str, Any] = {
        "resourceType": "Procedure", "status": "not-done" if refused else "completed", "code": code, "subject": paper.subject,
        "encounter": paper.encounter, **performed, "identifier": codes.identifiers(act),
        "bodySite": [one for part in every(act, "targetSiteCode") if not is_null(part) and (one := codes.concept(part))],
        "performer": [{"actor": one} for one in doctors],
    }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, [], {})}
    return [paper.stated(filled, act, _key(code))]


def _procedure_code(act: Element) -> dict[str, Any] | None:
    """The code of a procedure: its own, else the data elements with the code and the name of an operation below or in it."""
    inner = [act, *every(act, "entryRelationship/observation")] if act.tag == "procedure" else [act]
    told = {codes.element_code(one): first(one, "value") for one in inner}
    coded, named = (told.get(name) for name in OPERATION)
    own = codes.concept(coded) if coded is not None else None
    words = text(named) if named is not None else ""
    if own or words:
        return {**(own or {}), **({"text": words} if words else {})}
    if act.tag == "observation" and codes.element_code(act):
        return None
    return _meaning(first(act, "code"), act)


def request(act: Element, place: Place) -> list[Draft]:
    """Something that is wanted or planned to a ServiceRequest; medicines to a MedicationRequest by their own builder."""
    code = _meaning(first(act, "code"), act)
    if code is None:
        return []
    when = datatypes.moment(first(act, "effectiveTime"), place.paper.sender.zone)
    found: dict[str, Any] = {
        "resourceType": "ServiceRequest", "status": "active", "intent": "order" if attribute(act, ".", "moodCode") == "RQO" else "plan",
        "code": code, "subject": place.paper.subject, "encounter": place.paper.encounter, "occurrenceDateTime": when,
        "authoredOn": place.paper.occurred, "identifier": codes.identifiers(act),
    }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, [], {})}
    return [place.paper.stated(filled, act, _key(code))]


def goal(act: Element, place: Place) -> list[Draft]:
    """A goal to a Goal."""
    meaning = _meaning(first(act, "code"), act)
    value = datatypes.value_of(first(act, "value"), place.paper.sender.zone)
    words = value.get("valueString")
    if words:
        meaning = {**(meaning or {}), "text": words}
    if meaning is None:
        return []
    found = {"resourceType": "Goal", "lifecycleStatus": "active", "description": meaning, "subject": place.paper.subject}
    return [place.paper.stated(found, act, _key(meaning))]


def encounter(act: Element, place: Place) -> list[Draft]:
    """A visit of the past to an Encounter."""
    if attribute(act, ".", "moodCode") != "EVN":
        return request(act, place)
    paper = place.paper
    span = datatypes.period(first(act, "effectiveTime"), paper.sender.zone)
    kind = _meaning(first(act, "code"), act)
    where = text(act, "performer/assignedEntity/representedOrganization/name")
    reason = next((text(inner, "value") for inner in every(act, "entryRelationship/observation") if codes.element_code(inner) == "DE05.10.053.00"), "")
    if not span and not codes.identifiers(act):
        return []
    found: dict[str, Any] = {
        "resourceType": "Encounter", "status": "finished", "class": {"system": _ACT, "code": str(place.rule.get("visit", "AMB"))},
        "type": [kind] if kind else [], "subject": paper.subject, "period": span, "identifier": codes.identifiers(act),
        "serviceProvider": {"display": where} if where else None, "reasonCode": [{"text": reason}] if reason else [],
    }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, [], {})}
    return [paper.stated(filled, act, span.get("start", ""))]


def family(act: Element, place: Place) -> list[Draft]:
    """An organizer about a relative to a FamilyMemberHistory."""
    relative = first(act, "subject/relatedSubject")
    code = first(relative, "code")
    conditions: list[dict[str, Any]] = []
    for inner in every(act, "component/observation"):
        meaning = _meaning(first(inner, "value"), inner)
        conditions += [{"code": meaning}] if meaning and not says_nothing(meaning) else []
    return _relative(place, act, _relationship(code), conditions, _sex(first(relative, "subject")))


def family_element(act: Element, place: Place) -> list[Draft]:
    """A data element that names a disease in the family, of a relative that is not named."""
    value = first(act, "value")
    meaning = codes.concept(value) if value is not None and not is_null(value) else None
    if meaning is None or says_nothing(meaning):
        return []
    return _relative(place, act, {"text": "亲属"}, [{"code": meaning}], None)


def _relative(place: Place, act: Element, who: dict[str, Any], conditions: list[dict[str, Any]], sex: str | None) -> list[Draft]:
    if not conditions:
        return []
    found: dict[str, Any] = {
        "resourceType": "FamilyMemberHistory", "status": "completed", "patient": place.paper.subject, "relationship": who,
        "condition": conditions, "date": place.paper.occurred,
    }  # fmt: skip
    if sex:
        found["sex"] = {"coding": [{"system": "http://hl7.org/fhir/administrative-gender", "code": sex}]}
    return [place.paper.stated(found, act, _key(who), _key(conditions[0]["code"]))]


def _relationship(code: Element | None) -> dict[str, Any]:
    found = codes.concept(code) if code is not None and not is_null(code) else None
    known = rules.load(_PACKAGE, "cda/relatives.yaml").map.get(attribute(code, ".", "code")) if found else None
    if found and known:
        return {**found, "coding": [known, *found.get("coding", [])], "text": found.get("text") or known["display"]}
    return found or {"text": "亲属"}


def _sex(subject: Element | None) -> str | None:
    code = attribute(subject, "administrativeGenderCode", "code")
    found = rules.load(_PACKAGE, "codes/sex.yaml").map.get(code) if code else None
    return str(found) if found else None


