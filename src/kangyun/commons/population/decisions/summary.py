"""The International Patient Summary: one person's record, from all institutions, as a FHIR document for strangers.

HL7 IPS 1.1, https://hl7.org/fhir/uv/ips/: a document Bundle whose Composition has the sections of rules/summary.yaml.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any
from uuid import UUID, uuid5

from kangyun.base import rules

Node = dict[str, Any]

LOINC = "http://loinc.org"
ABSENT = "http://hl7.org/fhir/uv/ips/CodeSystem/absent-unknown-uv-ips"
_PROFILE = "http://hl7.org/fhir/uv/ips/StructureDefinition/"
_NAMESPACE = UUID("0f1d7a36-41b6-5d43-8a0f-1115c0de0060")

_OVER = {
    "inactive", "remission", "resolved", "refuted", "entered-in-error", "completed", "stopped", "cancelled", "not-taken",
    "on-hold", "draft", "preliminary", "registered", "not-done",
}
_ENDED_ONLY = {"entered-in-error", "cancelled", "not-done", "registered", "draft"}
_MOMENTS = (
    "effectiveDateTime", "occurrenceDateTime", "performedDateTime", "onsetDateTime", "authoredOn", "recordedDate", "dateAsserted",
    "recordedOn", "issued",
)
_PERIODS = ("effectivePeriod", "performedPeriod", "onsetPeriod")
_TITLES = {"zh": "国际患者摘要", "en": "International Patient Summary"}
_NOTHING = {"zh": "没有记录", "en": "Nothing is recorded"}
_TONGUES = {"zh": "zh-CN", "en": "en"}
_AUTHOR = {"zh": "康云区域健康云", "en": "Kangyun regional health cloud"}


def types() -> tuple[str, ...]:
    """The resource types that a summary is made of."""
    return tuple(dict.fromkeys(kind for row in _sections() for kind in row["types"]))


def chosen(resources: Sequence[Node]) -> dict[str, list[Node]]:
    """LOINC code of a section -> its entries, newest first; what several institutions say of one thing stands once."""
    return {str(row["code"]): _entries(row, resources) for row in _sections()}


def document(who: Node, resources: Sequence[Node], language: str, moment: str) -> Node:
    """The document Bundle. `who` is the person's Person or Patient, `moment` the FHIR instant at which it is made."""
    found = chosen(resources)
    patient = _patient(who)
    author = {"resourceType": "Organization", "id": "author", "name": _AUTHOR[language]}
    missing = [_missing(str(row["needed"]), patient["id"]) for row in _sections() if row.get("needed") and not found[str(row["code"])]]
    entries = {_key(one): one for group in found.values() for one in group}
    urls = {f"{kind}/{id_}": _url(kind, id_) for kind, id_ in entries} | dict.fromkeys(_own_names(resources, who), _url("Patient", patient["id"]))
    composition = _composition(found, (patient, author), language, moment)
    whole = [composition, patient, author, *missing, *(_bound(one, urls) for one in entries.values())]
    return {
        "resourceType": "Bundle", "meta": {"profile": [_PROFILE + "Bundle-uv-ips"]}, "language": _TONGUES[language],
        "identifier": {"system": "urn:ietf:rfc:3986", "value": _url("Bundle", f"{patient['id']}|{moment}|{language}")},
        "type": "document", "timestamp": moment,
        "entry": [{"fullUrl": _url(*_key(one)), "resource": one} for one in whole],
    }


def _sections() -> Sequence[Mapping[str, Any]]:
    return rules.load("kangyun.commons.population", "summary.yaml").table


def _entries(row: Mapping[str, Any], resources: Sequence[Node]) -> list[Node]:
    told = [one for one in resources if one["resourceType"] in row["types"] and _fits(row, one)]
    told.sort(key=moment_of, reverse=True)
    if row["keep"] == "all":
        return told[: row["most"]]
    once: dict[str, Node] = {}
    for one in told:
        once.setdefault(_meaning(one), one)
    return list(once.values())[: row["most"]]


def _fits(row: Mapping[str, Any], one: Node) -> bool:
    categories = row.get("category")
    if categories and not {code for concept in one.get("category", []) for code in _codes(concept)} & set(categories):
        return False
    states = {str(one.get("status", "")), *_codes(one.get("clinicalStatus")), *_codes(one.get("verificationStatus"))}
    return not states & (_OVER if row["keep"] == "current" else _ENDED_ONLY)


def moment_of(one: Node) -> str:
    """When it happened or was told, as it is written; empty where nobody says. Good enough to sort by."""
    plain = next((str(one[name]) for name in _MOMENTS if name in one), "")
    return plain or next((str(one[name].get("start", "")) for name in _PERIODS if name in one), "")


def _meaning(one: Node) -> str:
    concept = _concept(one)
    coded = next((f"{coding.get('system')}|{coding['code']}" for coding in concept.get("coding", []) if coding.get("code")), "")
    return coded or str(concept.get("text") or f"{one['resourceType']}/{one.get('id')}")


def _concept(one: Node) -> Node:
    return next((one[name] for name in ("code", "medicationCodeableConcept", "vaccineCode") if isinstance(one.get(name), dict)), {})


def _codes(concept: Node | None) -> Iterator[str]:
    yield from (str(coding.get("code")) for coding in (concept or {}).get("coding", []))


def _patient(who: Node) -> Node:
    kept = ("identifier", "name", "telecom", "gender", "birthDate", "deceasedBoolean", "deceasedDateTime", "address")
    return {"resourceType": "Patient", "id": str(who["id"]), **{name: who[name] for name in kept if who.get(name)}}


def _own_names(resources: Iterable[Node], who: Node) -> Iterator[str]:
    """How the resources call the person: by the Patients of all institutions."""
    yield f"Patient/{who['id']}"
    for link in who.get("link", []):
        yield str(link.get("target", {}).get("reference", ""))
    for one in resources:
        subject = one.get("subject") or one.get("patient") or {}
        if str(subject.get("reference", "")).startswith("Patient/"):
            yield str(subject["reference"])


def _composition(found: Mapping[str, list[Node]], parties: tuple[Node, Node], language: str, moment: str) -> Node:
    patient, author = parties
    return {
        "resourceType": "Composition", "id": "summary", "meta": {"profile": [_PROFILE + "Composition-uv-ips"]},
        "language": _TONGUES[language], "status": "final",
        "type": {"coding": [{"system": LOINC, "code": "60591-5", "display": "Patient summary Document"}]},
        "subject": {"reference": _url("Patient", patient["id"])}, "date": moment,
        "author": [{"reference": _url("Organization", author["id"])}], "title": _TITLES[language],
        "section": [section for row in _sections() if (section := _section(row, found[str(row["code"])], patient["id"], language))],
    }


def _section(row: Mapping[str, Any], entries: list[Node], patient: str, language: str) -> Node | None:
    title = str(row["title"][language])
    if not entries and not row.get("needed"):
        return None
    keys = [_key(one) for one in entries] or [_key(_missing(str(row["needed"]), patient))]
    lines = [line_of(one, language) for one in entries] or [_NOTHING[language]]
    return {
        "title": title, "code": {"coding": [{"system": LOINC, "code": str(row["code"])}]},
        "text": {"status": "generated", "div": _narrative(title, lines)},
        "entry": [{"reference": _url(*key)} for key in keys],
    }


def _narrative(title: str, lines: Iterable[str]) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<div xmlns="http://www.w3.org/1999/xhtml"><h3>{escape(title)}</h3><ul>{items}</ul></div>'


def line_of(one: Node, language: str) -> str:
    """One entry in words: what it is, its value, when."""
    quantity = one.get("valueQuantity", {})
    value = f"{quantity['value']} {quantity.get('unit', '')}".strip() if "value" in quantity else str(one.get("valueString", ""))
    dose = next((str(dosage.get("text", "")) for dosage in [*one.get("dosage", []), *one.get("dosageInstruction", [])] if isinstance(dosage, dict)), "")
    return " · ".join(part for part in (called(_concept(one), language), value, dose, moment_of(one)[:10]) if part)


def called(concept: Node, language: str) -> str:
    """A concept in the reader's language where the record has it, else as it was written."""
    texts = [concept.get("text"), *(coding.get("display") for coding in concept.get("coding", [])), *_codes(concept)]
    known = [str(text) for text in texts if text]
    fitting = [text for text in known if text.isascii() == (language == "en")]
    return (fitting or known or [""])[0]


def _missing(code: str, patient: str) -> Node:
    """The entry by which IPS says that nothing is known of a needed section."""
    subject = {"reference": _url("Patient", patient)}
    concept = {"coding": [{"system": ABSENT, "code": code}]}
    if code == "no-allergy-info":
        return {"resourceType": "AllergyIntolerance", "id": code, "code": concept, "patient": subject, **_state("allergyintolerance")}
    if code == "no-medication-info":
        return {"resourceType": "MedicationStatement", "id": code, "status": "unknown", "medicationCodeableConcept": concept, "subject": subject}
    return {"resourceType": "Condition", "id": code, "code": concept, "subject": subject, **_state("condition")}


def _state(kind: str) -> Node:
    return {"clinicalStatus": {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{kind}-clinical", "code": "active"}]}}


def _bound(one: Node, urls: Mapping[str, str]) -> Node:
    """The resource with references inside the document; one that leads outside keeps its words alone."""
    return _node({name: value for name, value in one.items() if name not in {"meta", "text"}}, urls)


def _node(value: Any, urls: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [found for item in value if (found := _node(item, urls)) not in ({}, None)]
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("reference"), str):
        return _reference(value, urls)
    return {name: found for name, item in value.items() if (found := _node(item, urls)) not in ({}, [], None)}


def _reference(value: Node, urls: Mapping[str, str]) -> Node:
    reference = str(value["reference"])
    if reference.startswith("#"):
        return value
    rest = {name: item for name, item in value.items() if name != "reference"}
    return {"reference": urls[reference], **rest} if reference in urls else rest


def _key(one: Node) -> tuple[str, str]:
    return str(one["resourceType"]), str(one["id"])


def _url(kind: str, id_: str) -> str:
    return f"urn:uuid:{uuid5(_NAMESPACE, f'{kind}/{id_}')}"


def check_example(rule: rules.Rule, given: Sequence[Node]) -> dict[str, list[str]]:
    """The worked example: which entries stand in which section, those that may be empty and are left out."""
    needed = {str(row["code"]) for row in rule.table if row.get("needed")}
    return {code: [str(one["id"]) for one in group] for code, group in chosen(given).items() if group or code in needed}
