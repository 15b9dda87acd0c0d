"""Advance directives of a document to Consent of the scope `adr`. C-CDA R2.1, Advance Directive Observation (V3).

Such a Consent says what is wanted in an emergency; it opens and closes nothing of the record, since only the scopes of privacy
and research do (commons/access).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kangyun.commons.exchange.decisions.cda import codes, datatypes
from kangyun.commons.exchange.decisions.cda.narrative import referred
from kangyun.commons.exchange.decisions.cda.xml import Element, attribute, every, first, text
from kangyun.commons.exchange.decisions.drafts import Draft

if TYPE_CHECKING:
    from kangyun.commons.exchange.decisions.cda.acts import Place

_SCOPE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "adr"}]}
_CATEGORY = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentcategorycodes", "code": "acd"}]}
_RULE = {"text": "预立医疗指示 / Advance directive"}
_ROLE = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"


def directive(act: Element, place: Place) -> list[Draft]:
    """A directive to a Consent: what is wanted, since when, who keeps and who has verified it."""
    kind, value = codes.concept(first(act, "code")), first(act, "value")
    wanted = codes.concept(value) if attribute(value, ".", "code") else {"text": words} if (words := referred(value) or text(value)) else None
    if wanted is None or attribute(act, ".", "negationInd") == "true":
        return []
    paper = place.paper
    span = datatypes.period(first(act, "effectiveTime"), paper.sender.zone)
    over = "end" in span and span["end"][:10] < paper.occurred[:10]
    keepers = [{"role": {"coding": [{"system": _ROLE, "code": "CST"}]}, "reference": {"display": name}} for name in _names(act, "CST")]
    provision = {"period": span, "code": [wanted], "actor": keepers}
    found: dict[str, Any] = {
        "resourceType": "Consent", "status": "inactive" if over else "active", "scope": _SCOPE, "category": [_CATEGORY, *([kind] if kind else [])],
        "patient": paper.subject, "dateTime": span.get("start") or place.when, "policyRule": _RULE, "identifier": codes.identifiers(act),
        "sourceAttachment": _document(act), "verification": _verified(act, place),
        "provision": {name: part for name, part in provision.items() if part},
    }  # fmt: skip
    filled = {name: part for name, part in found.items() if part not in (None, "", [], {})}
    return [paper.once(filled, _key(kind), _key(wanted), span.get("start", ""))]


def _key(concept: dict[str, Any] | None) -> str:
    codings = (concept or {}).get("coding")
    return f"{codings[0].get('system', '')}|{codings[0]['code']}" if codings else str((concept or {}).get("text", ""))


def _participants(act: Element, kind: str) -> list[Element]:
    return [one for one in every(act, "participant") if attribute(one, ".", "typeCode") == kind]


def _names(act: Element, kind: str) -> list[str]:
    people = (first(one, "participantRole/playingEntity/name") for one in _participants(act, kind))
    return [name for one in people if one is not None and (name := str(datatypes.human_name(one).get("text", "")))]


def _verified(act: Element, place: Place) -> list[dict[str, Any]]:
    whens = [datatypes.moment(first(one, "time"), place.paper.sender.zone) for one in _participants(act, "VRF")]
    return [{"verified": True, **({"verificationDate": when} if when else {})} for when in whens]


def _document(act: Element) -> dict[str, str] | None:
    """The signed paper that the entry points to: what kind and under which name; its bytes are not in the document."""
    told = first(act, "reference/externalDocument/text")
    name = attribute(told, "reference") or text(act, "reference/externalDocument/text")
    kind = attribute(told, ".", "mediaType")
    found = {"contentType": kind, "title": name}
    return {key: value for key, value in found.items() if value} or None
