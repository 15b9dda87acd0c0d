"""A document to drafts of resources: Composition, DocumentReference, the original, and what its entries state."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from kangyun.base.clock import is_later
from kangyun.commons.exchange.decisions.cda import acts, codes, datatypes, header
from kangyun.commons.exchange.decisions.cda.narrative import section_text, xhtml
from kangyun.commons.exchange.decisions.cda.sheet import DOCUMENTS, Paper, received_text
from kangyun.commons.exchange.decisions.cda.xml import Element, attribute, every, first, read, text
from kangyun.commons.exchange.decisions.drafts import Draft
from kangyun.commons.exchange.decisions.senders import Sender, sender_of
from kangyun.commons.exchange.model import Fault

VERSION = "http://hl7.org/fhir/StructureDefinition/composition-clinicaldocument-versionNumber"
_CONFIDENTIALITY = {"N", "R", "V", "L", "M", "U"}
_LEAST = 4


def translate(body: bytes, sent_by: str, received: datetime) -> Paper:
    """The drafts of a document. Raises Fault, naming the place as an XPath, when it cannot be translated whole.

    `sent_by` is the sender that brought it; the institution that keeps the document stands in where that is not known.
    """
    root = read(body)
    paper = Paper(root, _sender(root, sent_by), _occurred(root, sent_by, received))
    if not paper.own_id:
        raise Fault("exchange.missing-element", "/ClinicalDocument/id", code="101")
    paper.patients.append(header.patient(paper))
    if is_later(str(paper.patients[0].get("birthDate", "")), received):
        raise Fault("exchange.in-the-future", "/ClinicalDocument/recordTarget/patientRole/patient/birthTime/@value", code="102")
    paper.authors = header.authors(paper)
    header.encounter(paper)
    sections = _sections(paper)
    _add_document(paper, body, sections)
    return paper


def _sender(root: Element, sent_by: str) -> Sender:
    number, name = header.sender_of(root)
    sender = sender_of((number or sent_by)[:80])
    return sender if sender.known or not name else replace(sender, name=name)


def _occurred(root: Element, sent_by: str, received: datetime) -> str:
    found = datatypes.time(first(root, "effectiveTime"), sender_of(sent_by).zone)
    return found or received_text(received)


def _sections(paper: Paper) -> list[dict[str, Any]]:
    # Some systems leave the body out and put the sections where it should stand.
    elements = [one for path in ("component/structuredBody/component/section", "component/section") for one in every(paper.root, path)]
    found = [_section(one, paper, _LEAST) for one in elements]
    return [one for one in found if one]


def _section(element: Element, paper: Paper, deeper: int) -> dict[str, Any] | None:
    code = first(element, "code")
    concept = codes.concept(code) if code is not None else None
    number = attribute(code, ".", "code") if code is not None else ""
    title = text(element, "title") or attribute(code, ".", "displayName")
    where = acts.Place(paper, number or title[:60], acts.section_rule(number or title), _when(paper))
    drafts = [draft for entry in every(element, "entry") for draft in acts.drafts_of(entry, where)]
    inner = [one for sub in every(element, "component/section") if deeper and (one := _section(sub, paper, deeper - 1))]
    words = section_text(element)
    if not (drafts or inner or words):
        return None
    found: dict[str, Any] = {"title": title or number, "code": concept, "text": words, "entry": drafts, "section": inner}
    return {name: part for name, part in found.items() if part not in (None, "", [], {})}


def _when(paper: Paper) -> str:
    """When what a document states happened, where it does not say: at the visit, else when it was made."""
    period = paper.visit.resource.get("period", {}) if paper.visit is not None and paper.about is not None else {}
    return str(period.get("start") or paper.occurred)


def _add_document(paper: Paper, body: bytes, sections: list[dict[str, Any]]) -> None:
    kind = _kind(paper)
    original = _original(paper, body)
    whole = paper.add(_composition(paper, kind, sections), paper.sender.key, paper.set_id)
    reference = _reference(paper, kind, body, original)
    paper.add(reference, paper.sender.key, paper.own_id, str(paper.version))
    if not sections and "section" not in whole.resource:
        whole.resource["text"] = _plain(paper)
        if not whole.resource["text"]:
            del whole.resource["text"]


def _plain(paper: Paper) -> dict[str, str] | None:
    body = first(paper.root, "component/nonXMLBody/text")
    kind = attribute(body, ".", "mediaType") if body is not None else ""
    found = xhtml(body) if kind.startswith("text/plain") and attribute(body, ".", "representation") != "B64" else ""
    return {"status": "generated", "div": found} if found else None


def _kind(paper: Paper) -> dict[str, Any]:
    code = first(paper.root, "code")
    found = (codes.concept(code) if code is not None else None) or {}
    title = text(paper.root, "title")
    if paper.about is not None:
        own = {"system": DOCUMENTS, "code": paper.about.code, "display": paper.about.title["zh"]}
        others = [one for one in found.get("coding", []) if one.get("code") != paper.about.code]
        return {"coding": [own, *others], "text": title or paper.about.title["zh"]}
    return {**found, "text": found.get("text") or title or "document"}


def _composition(paper: Paper, kind: dict[str, Any], sections: list[dict[str, Any]]) -> dict[str, Any]:
    kept = {id(draft) for draft in paper.drafts}
    level = attribute(paper.root, "confidentialityCode", "code")
    found: dict[str, Any] = {
        "resourceType": "Composition", "status": "final", "type": kind, "subject": paper.subject, "date": paper.occurred,
        "identifier": set_identifier(paper),
        "author": paper.authors, "title": text(paper.root, "title") or kind["text"], "custodian": paper.organization(),
        "confidentiality": level if level in _CONFIDENTIALITY else None, "encounter": paper.visit.reference if paper.visit else None,
        "extension": [{"url": VERSION, "valueString": str(paper.version)}], "section": [_pointing(one, kept) for one in sections],
    }  # fmt: skip
    language = attribute(paper.root, "languageCode", "code")
    found["language"] = language or None
    return {name: part for name, part in found.items() if part not in (None, "", [], {})}


def _pointing(section: dict[str, Any], kept: set[int]) -> dict[str, Any]:
    """A section whose entries are references to the drafts that are written."""
    drafts: list[Draft] = section.get("entry", [])
    entries = list({id(draft): draft.reference for draft in drafts if id(draft) in kept}.values())
    inner = [_pointing(one, kept) for one in section.get("section", [])]
    found = {**section, "entry": entries, "section": inner}
    # FHIR cmp-1: a section has a text, entries or sections.
    if not entries and not inner and "text" not in found:
        found["text"] = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{_safe(section["title"])}</div>'}
    return {name: part for name, part in found.items() if part not in (None, [], {})}


def _safe(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") or "-"


def _original(paper: Paper, body: bytes) -> Draft:
    resource = {
        "resourceType": "Binary", "contentType": "text/xml", "securityContext": paper.subject,
        "data": base64.b64encode(body).decode(),
    }  # fmt: skip
    return paper.add(resource, paper.sender.key, paper.own_id, str(paper.version))


def _reference(paper: Paper, kind: dict[str, Any], body: bytes, original: Draft) -> dict[str, Any]:
    # FHIR counts the hash of an attachment in SHA-1; it tells whether two are the same and keeps nothing secret.
    digest = hashlib.sha1(body, usedforsecurity=False).digest()
    attachment = {
        "contentType": "text/xml", "size": len(body), "hash": base64.b64encode(digest).decode(), "title": kind["text"],
        "creation": paper.occurred, "url": f"Binary/{original.settle('')}",
    }  # fmt: skip
    related = header.other_numbers(paper)
    context = {"encounter": [paper.visit.reference] if paper.visit else [], "related": related}
    found: dict[str, Any] = {
        "resourceType": "DocumentReference", "status": "current", "docStatus": "final", "type": kind, "subject": paper.subject,
        "masterIdentifier": identifier_of(paper.own_id), "identifier": [set_identifier(paper)],
        "date": paper.issued, "author": paper.authors, "custodian": paper.organization(),
        "content": [{"attachment": attachment}],
        "context": {name: part for name, part in context.items() if part},
    }  # fmt: skip
    return {name: part for name, part in found.items() if part not in (None, "", [], {})}


def set_identifier(paper: Paper) -> dict[str, str]:
    """The identifier that a document keeps through all its versions."""
    return identifier_of(paper.set_id)


def identifier_of(own_id: str) -> dict[str, str]:
    """The Identifier of an id in our writing, root^extension."""
    root, _, extension = own_id.partition("^")
    if extension:
        return {"system": codes.system_of(root), "value": extension}
    return {"system": "urn:ietf:rfc:3986", "value": codes.system_of(root)}


def replaced(paper: Paper) -> list[str]:
    """The own ids of the documents that this one replaces (relatedDocument RPLC)."""
    found: list[str] = []
    for related in every(paper.root, "relatedDocument"):
        if attribute(related, ".", "typeCode") == "RPLC":
            for one in every(related, "parentDocument/id"):
                root, extension = attribute(one, ".", "root"), attribute(one, ".", "extension")
                found.append("^".join(part for part in (root, extension) if part))
    return [one for one in found if one]
