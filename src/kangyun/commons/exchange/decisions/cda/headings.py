"""The header of a document that is written. CDA R2 section 4.2; WS/T 483-2016, header constraints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from kangyun.base.rules import Rule
from kangyun.commons.exchange.decisions.cda.nodes import coded, node, span, stamp
from kangyun.commons.exchange.decisions.cda.picking import Named, Record
from kangyun.commons.exchange.decisions.cda.xml import Element
from kangyun.commons.population import ID_NUMBER_SYSTEM

_ROOT = "2.16.156.10011.1."
_DOCUMENT_ROOT = f"{_ROOT}1"
_EXTENSION = "urn:kangyun:extension:"
_ACT = "2.16.840.1.113883.5.4"
_SEX = {"male": ("1", "男性"), "female": ("2", "女性"), "unknown": ("0", "未知的性别"), "other": ("9", "未说明的性别")}
_MARITAL = "urn:oid:2.16.156.10011.2.3.3.5"
_NUMBERS = {"HC": "19", "JHN": "2", "MR": "13"}


@dataclass(frozen=True, slots=True)
class Edition:
    """The identity of one edition of a document: its own id, that of all its versions, the version, when it was made (FHIR instant)."""

    id: str
    set_id: str
    version: int
    made: str
    replaces: str = ""


def head(rule: Rule, record: Record, edition: Edition) -> Iterator[Element]:
    """The elements of the header, in the order of the standard."""
    yield node("realmCode", code="CN")
    yield node("typeId", root="2.16.840.1.113883.1.3", extension="POCD_MT000040")
    yield node("templateId", root=str(rule.body["template"]))
    yield node("id", root=_DOCUMENT_ROOT, extension=edition.id)
    yield node("code", code=str(rule.body["document"]), codeSystem="2.16.156.10011.2.4", codeSystemName="卫生信息共享文档规范编码体系")
    yield node("title", rule.title["zh"])
    yield node("effectiveTime", value=stamp(edition.made))
    yield node("confidentialityCode", code="N", codeSystem="2.16.840.1.113883.5.25", codeSystemName="Confidentiality", displayName="正常访问保密级别")
    yield node("languageCode", code="zh-CN")
    yield node("setId", root=_DOCUMENT_ROOT, extension=edition.set_id)
    yield node("versionNumber", value=str(edition.version))
    yield _target(record)
    yield _author(record.author if record.author.name else record.custodian, edition)
    yield _custodian(record.custodian)
    if edition.replaces:
        parent = node("parentDocument", node("id", root=_DOCUMENT_ROOT, extension=edition.replaces))
        yield node("relatedDocument", parent, typeCode="RPLC")
    if record.visit is not None and rule.body.get("visit"):
        yield _visit(record.visit)


def _target(record: Record) -> Element:
    patient = record.patient
    numbers = [node("id", root=_ROOT + _NUMBERS[kind], extension=value) for kind, value in _typed(patient) if kind in _NUMBERS]
    visit = record.visit or {}
    root = f"{_ROOT}12" if visit.get("class", {}).get("code") == "IMP" else f"{_ROOT}11"
    numbers += [node("id", root=root, extension=str(one["value"])) for one in visit.get("identifier", [])[:1]]
    phones = [node("telecom", value=str(one["value"])) for one in patient.get("telecom", []) if one.get("system") == "phone" and one.get("value")]
    addresses = [_address(one) for one in patient.get("address", [])[:1]]
    role = node("patientRole", *numbers, *addresses, *phones, _person(patient), classCode="PAT")
    return node("recordTarget", role, typeCode="RCT", contextControlCode="OP")


def _typed(patient: dict[str, Any]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for one in patient.get("identifier", []):
        for coding in one.get("type", {}).get("coding", []):
            kind = str(coding.get("code"))
            if kind not in seen and one.get("value") and one.get("use") != "old":
                seen.add(kind)
                yield kind, str(one["value"])


def _person(patient: dict[str, Any]) -> Element:
    number = id_number_of(patient)
    sex = _SEX.get(str(patient.get("gender")))
    marital = coded("maritalStatusCode", patient.get("maritalStatus"), prefer=_MARITAL)
    ethnicity = coded("ethnicGroupCode", _extension(patient, "ethnicity"))
    education, work = coded("educationLevelCode", _extension(patient, "education")), coded("occupationCode", _extension(patient, "occupation"))
    return node(
        "patient", node("id", root=f"{_ROOT}3", extension=number) if number else None, node("name", name_of(patient)),
        node("administrativeGenderCode", code=sex[0], codeSystem="2.16.156.10011.2.3.3.4", codeSystemName="生理性别代码表(GB/T 2261.1)", displayName=sex[1]) if sex else None,
        node("birthTime", value=stamp(patient.get("birthDate"))) if patient.get("birthDate") else None, marital, ethnicity,
        node("educationLevel", education) if education is not None else None, node("occupation", work) if work is not None else None,
        classCode="PSN", determinerCode="INSTANCE",
    )  # fmt: skip


def _extension(patient: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((one.get("valueCodeableConcept") for one in patient.get("extension", []) if one.get("url") == _EXTENSION + name), None)


def id_number_of(patient: dict[str, Any]) -> str:
    """The resident ID number of a Patient, or nothing."""
    return next((str(one["value"]) for one in patient.get("identifier", []) if one.get("system") == ID_NUMBER_SYSTEM and one.get("value")), "")


def name_of(patient: dict[str, Any]) -> str:
    """The name as it is written in one piece: the Chinese one where there is one."""
    names = [one for one in patient.get("name", []) if one.get("use") not in {"old", "nickname"}] or [{}]
    first = names[0]
    return str(first.get("text") or "".join([first.get("family", ""), *first.get("given", [])]))


def _address(address: dict[str, Any]) -> Element:
    parts = {"state": address.get("state"), "city": address.get("city"), "county": address.get("district"), "postalCode": address.get("postalCode")}
    lines = [node("streetAddressLine", str(line)) for line in address.get("line", [])]
    if not lines and address.get("text"):
        lines = [node("streetAddressLine", str(address["text"]))]
    return node("addr", *lines, *(node(name, str(value)) for name, value in parts.items() if value), use="H")


def _author(author: Named, edition: Edition) -> Element:
    number = node("id", root=f"{_ROOT}4", extension=author.number) if author.number else node("id", nullFlavor="NI")
    role = node("assignedAuthor", number, node("assignedPerson", node("name", author.name)), classCode="ASSIGNED")
    return node("author", node("time", value=stamp(edition.made)), role, typeCode="AUT", contextControlCode="OP")


def _custodian(custodian: Named) -> Element:
    keeper = node("representedCustodianOrganization", node("id", root=f"{_ROOT}5", extension=custodian.number), node("name", custodian.name), classCode="ORG", determinerCode="INSTANCE")
    return node("custodian", node("assignedCustodian", keeper, classCode="ASSIGNED"), typeCode="CST")


def _visit(visit: dict[str, Any]) -> Element:
    period = visit.get("period", {})
    code = node("code", code=str(visit.get("class", {}).get("code", "AMB")), codeSystem=_ACT, codeSystemName="ActCode")
    return node("componentOf", node("encompassingEncounter", code, span(period.get("start"), period.get("end")), classCode="ENC", moodCode="EVN"))


_HEADER: dict[str, tuple[tuple[str, str], Callable[[dict[str, Any]], bool]]] = {
    "id_number": (("公民身份号码", "Resident ID number"), lambda patient: bool(id_number_of(patient))),
    "name": (("姓名", "Name"), lambda patient: bool(name_of(patient))),
    "sex": (("性别", "Sex"), lambda patient: patient.get("gender") in {"male", "female"}),
    "born": (("出生日期", "Date of birth"), lambda patient: bool(patient.get("birthDate"))),
    "address": (("地址", "Address"), lambda patient: bool(patient.get("address"))),
    "phone": (("电话号码", "Telephone"), lambda patient: any(one.get("value") for one in patient.get("telecom", []))),
}


def missing_of(rule: Rule, record: Record) -> dict[str, tuple[str, str]]:
    """What the rule requires of the header and the Patient does not have, with its names."""
    return {name: _HEADER[name][0] for name in rule.body["header"] if not _HEADER[name][1](record.patient)}
