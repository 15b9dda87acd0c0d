"""What is offered, as HealthcareServices: an institution's licence for the internet, its clinics, its advice lines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from kangyun.base import money
from kangyun.base.money import Fen
from kangyun.care.internet_hospital.model import (
    CATEGORY,
    LICENCE,
    SUBJECT,
    Node,
    codes,
    concept,
    extended,
    extension,
    id_of,
    reference,
)


@dataclass(frozen=True, slots=True)
class Hospital:
    """The licence of an internet hospital. Dates are ISO texts; subjects: codes of the subjects that it may practise.

    own_name: the second name that the licence gives. complaints: the telephone number for complaints.
    checked: when the licence was last verified (校验).
    """

    institution: str
    name: str
    licence: str = ""
    starts: str = ""
    ends: str = ""
    checked: str = ""
    subjects: tuple[str, ...] = ()
    complaints: str = ""
    active: bool = True
    id: str = ""


@dataclass(frozen=True, slots=True)
class Clinic:
    """A department's or a special disease's clinic, or an advice line, which is free.

    category: clinic or advice-line. sort: department or disease. price in fen. diagnoses: ICD-10 ranges it treats, such as
    I10-I15. triage, template: names in rules/triage.yaml and rules/record_templates.yaml. kinds: text, video.
    """

    institution: str
    name: str
    category: str = "clinic"
    sort: str = "department"
    subject: str = ""
    about: str = ""
    price: Fen = 0
    diagnoses: tuple[str, ...] = ()
    triage: str = "general"
    template: str = "general"
    kinds: tuple[str, ...] = ("text", "video")
    active: bool = True
    id: str = ""
    version: int = 0

    @property
    def is_line(self) -> bool:
        """Whether it is an advice line: free, and no treatment."""
        return self.category == "advice-line"


def hospital(node: Node) -> Hospital:
    """A licence as its HealthcareService tells it."""
    period = extended(node, "licence-period") or {}
    return Hospital(
        id_of(node.get("providedBy"), "Organization"), str(node.get("name", "")),
        next((str(one["value"]) for one in node.get("identifier", ()) if one.get("system") == LICENCE), ""),
        str(period.get("start", "")), str(period.get("end", "")), str(extended(node, "licence-checked") or ""),
        tuple(codes(node.get("specialty"), SUBJECT)), str(next((one.get("value", "") for one in node.get("telecom", ())), "")),
        bool(node.get("active", True)), str(node.get("id", "")))


def hospital_service(one: Hospital, subjects: dict[str, str]) -> Node:
    """The HealthcareService of a licence; subjects: names by code."""
    period = {key: value for key, value in (("start", one.starts), ("end", one.ends)) if value}
    return {
        "resourceType": "HealthcareService", "id": one.id or f"internet-{one.institution}", "active": one.active,
        "extension": [
            extension("licence-period", valuePeriod=period),
            *([extension("licence-checked", valueDate=one.checked)] if one.checked else []),
        ],
        "identifier": [{"system": LICENCE, "value": one.licence}],
        "providedBy": reference("Organization", one.institution), "category": [concept(CATEGORY, "hospital")],
        "specialty": [concept(SUBJECT, code, display=subjects.get(code, code)) for code in one.subjects], "name": one.name,
        "telecom": [{"system": "phone", "value": one.complaints}] if one.complaints else [],
    }


def clinic(node: Node) -> Clinic:
    """A clinic or an advice line as its HealthcareService tells it."""
    price = extended(node, "price") or {}
    return Clinic(
        id_of(node.get("providedBy"), "Organization"), str(node.get("name", "")),
        next(iter(codes(node.get("category"), CATEGORY)), "clinic"), str(extended(node, "sort") or "department"),
        next(iter(codes(node.get("specialty"), SUBJECT)), ""), str(node.get("comment", "")),
        money.rounded(Decimal(str(price.get("value", 0))) * 100), _listed(extended(node, "diagnoses")),
        str(extended(node, "triage") or "general"), str(extended(node, "template") or "general"),
        _listed(extended(node, "kinds")) or ("text",), bool(node.get("active", True)), str(node.get("id", "")),
        int(node.get("meta", {}).get("versionId", 0)))


def clinic_service(one: Clinic, subjects: dict[str, str]) -> Node:
    """The HealthcareService of a clinic or an advice line; subjects: names by code."""
    one = replace(one, price=0, kinds=("text",)) if one.is_line else one
    told: Node = {
        "resourceType": "HealthcareService", "id": one.id, "active": one.active,
        "extension": [
            extension("sort", valueCode=one.sort), extension("price", valueMoney=money.to_fhir(one.price)),
            extension("triage", valueCode=one.triage), extension("template", valueCode=one.template),
            extension("kinds", valueString=" ".join(one.kinds)),
            *([extension("diagnoses", valueString=" ".join(one.diagnoses))] if one.diagnoses else []),
        ],
        "providedBy": reference("Organization", one.institution), "category": [concept(CATEGORY, one.category)], "name": one.name,
    }
    if one.subject:
        told["specialty"] = [concept(SUBJECT, one.subject, display=subjects.get(one.subject, one.subject))]
    return told | ({"comment": one.about} if one.about else {})


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple((text or "").split())
