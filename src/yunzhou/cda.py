"""CDA R2 documents of the township hospitals, in the shape of the shared documents of WS/T 483 and WS/T 500."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial

from yunzhou import cda_parts, truth
from yunzhou.cards import Card
from yunzhou.cda_parts import Kind, book, stamp, text
from yunzhou.institutions import NATIONAL_ID, Institution
from yunzhou.messages import Fact, Message
from yunzhou.places import city
from yunzhou.visits import Allergen, Visit

SEXES = {"male": ("1", "男性"), "female": ("2", "女性")}
MARRIED = {"single": ("10", "未婚"), "married": ("20", "已婚"), "widowed": ("30", "丧偶")}
ROOT = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:mif="urn:hl7-org:v3/mif" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
)
DIRECTORY = "2.16.156.10011.1"


def written(visit: Visit, card: Card, allergies: list[Allergen], known: list[tuple[str, str]]) -> Iterator[Message]:
    """Yield the documents of a visit: a summary, a check-up or an immunisation, and the follow-ups of chronic illnesses."""
    kind = visit.kind if visit.kind in {"checkup", "immunisation"} else "summary"
    facts: list[Fact] = [truth.resident(card, known), truth.visit(visit, "finished"), *truth.diagnoses(visit)]
    yield _document(kind, visit, card, cda_parts.body(visit, allergies), facts,
                    results=partial(truth.of_visit, visit))  # fmt: skip
    for diagnosis in visit.diagnoses:
        followed = book().followed.get(diagnosis.code) if diagnosis.chronic else None
        if followed and kind == "summary":
            yield _document(followed, visit, card, cda_parts.follow_up(visit), [])


def _document(
    kind: str, visit: Visit, card: Card, body: str, facts: list[Fact], *, results: Callable[[], list[Fact]] | None = None
) -> Message:
    number = visit.number + {"summary": "Z", "checkup": "J", "immunisation": "Y", "hypertension": "G", "diabetes": "N"}[kind]
    form = book().kinds[kind]
    document = "".join((
        ROOT, _opening(form, number, visit), _target(card, visit), _makers(visit),
        _visit(visit), f"<component><structuredBody>{body}</structuredBody></component></ClinicalDocument>",
    ))  # fmt: skip
    return Message(number, visit.institution.key, "cda", visit.end, visit.person.household, document.encode(),
                   f"CDA {form.code}", facts=facts, results=results)  # fmt: skip


def _opening(form: Kind, number: str, visit: Visit) -> str:
    house = visit.institution
    return (
        '<realmCode code="CN"/><typeId root="2.16.840.1.113883.1.3" extension="POCD_MT000040"/>'
        f'<templateId root="{form.template}"/><id root="{house.system("document")}" extension="{number}"/>'
        f'<code code="{form.code}" codeSystem="2.16.156.10011.2.4" codeSystemName="卫生信息共享文档规范编码体系"/>'
        f'<title>{form.title}</title><effectiveTime value="{stamp(visit.end + timedelta(minutes=3))}"/>'
        '<confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25" displayName="正常访问保密级别"/>'
        f'<languageCode code="zh-CN"/><setId root="{house.system("document")}" extension="{number}"/><versionNumber value="1"/>'
    )


def _target(card: Card, visit: Visit) -> str:
    house, place, sex, married = visit.institution, card.place, SEXES[card.sex], MARRIED[card.marriage]
    national = f'<id root="{NATIONAL_ID}" extension="{card.id_number}"/>' if card.id_number else ""
    phone = f'<telecom value="{text(card.phone)}"/>' if card.phone else ""
    name = f"{card.name.family_pinyin} {card.name.given_pinyin}".strip() if card.latin else card.name.text
    code, nation = card.person.ethnicity
    return (
        '<recordTarget typeCode="RCT" contextControlCode="OP"><patientRole classCode="PAT">'
        f'<id root="{house.oid}" extension="{card.record}"/><addr use="H"><houseNumber>{text(card.line)}</houseNumber>'
        f"<county>{place.county_name}</county><city>{city().city.name}</city><state>{city().province.name}</state>"
        f"<postalCode>{place.zip}</postalCode></addr>{phone}"
        f'<patient classCode="PSN" determinerCode="INSTANCE">{national}<name>{text(name)}</name>'
        f'<administrativeGenderCode code="{sex[0]}" codeSystem="2.16.156.10011.2.3.3.4" codeSystemName="生理性别代码表(GB/T 2261.1)" displayName="{sex[1]}"/>'
        f'<birthTime value="{card.birth:%Y%m%d}"/>'
        f'<maritalStatusCode code="{married[0]}" codeSystem="2.16.156.10011.2.3.3.5" codeSystemName="婚姻状况代码表(GB/T 2261.2)" displayName="{married[1]}"/>'
        f'<ethnicGroupCode code="{code}" codeSystem="2.16.156.10011.2.3.3.3" codeSystemName="民族类别代码表(GB 3304)" displayName="{nation}"/>'
        f"</patient>{_provider(house)}</patientRole></recordTarget>"
    )


def _provider(house: Institution) -> str:
    return (
        '<providerOrganization classCode="ORG" determinerCode="INSTANCE">'
        f'<id root="{DIRECTORY}.5" extension="{house.mnemonic}"/><name>{house.name}</name></providerOrganization>'
    )


def _makers(visit: Visit) -> str:
    house, doctor = visit.institution, visit.doctor
    return (
        f'<author typeCode="AUT" contextControlCode="OP"><time value="{stamp(visit.end)}"/><assignedAuthor classCode="ASSIGNED">'
        f'<id root="{house.system("staff")}" extension="{doctor.number}"/><assignedPerson><name>{doctor.name.text}</name></assignedPerson>'
        '</assignedAuthor></author><custodian typeCode="CST"><assignedCustodian classCode="ASSIGNED">'
        f'<representedCustodianOrganization classCode="ORG" determinerCode="INSTANCE"><id root="{DIRECTORY}.5" extension="{house.mnemonic}"/>'
        f"<name>{house.name}</name></representedCustodianOrganization></assignedCustodian></custodian>"
    )


def _visit(visit: Visit) -> str:
    house = visit.institution
    return (
        '<componentOf><encompassingEncounter classCode="ENC" moodCode="EVN">'
        f'<id root="{house.system("visit")}" extension="{visit.number}"/><code code="AMB" codeSystem="2.16.840.1.113883.5.4"/>'
        f'<effectiveTime><low value="{stamp(visit.start)}"/><high value="{stamp(visit.end)}"/></effectiveTime>'
        f"<location><healthCareFacility><serviceProviderOrganization><name>{visit.department.name}</name>"
        "</serviceProviderOrganization></healthCareFacility></location></encompassingEncounter></componentOf>"
    )
