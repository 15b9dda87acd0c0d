"""The sections of a CDA document: what is told in words, and each entry beside it in codes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from html import escape

from msgspec import Struct

from yunzhou import assumptions, hl7, laboratory
from yunzhou.institutions import Institution
from yunzhou.laboratory import Result
from yunzhou.plans import CHINA, Diagnosis
from yunzhou.vaccines import Due
from yunzhou.visits import VITALS, Allergen, Prescription, Visit, pharmacy

ELEMENTS = "2.16.156.10011.2.2.1"
ICD = "2.16.156.10011.2.3.3.11"
LOINC = "2.16.840.1.113883.6.1"
PRESSURES = ("sbp", "dbp")


class Kind(Struct, frozen=True):
    """A kind of document."""

    code: str
    template: str
    title: str


class Documents(Struct, frozen=True):
    """The whole of documents.yaml."""

    kinds: dict[str, Kind]
    followed: dict[str, str]
    elements: dict[str, tuple[str, str, str]]
    sections: dict[str, tuple[str, str, str]]


@cache
def book() -> Documents:
    """Return what documents.yaml says."""
    return assumptions.read("documents.yaml", Documents)


def stamp(at: datetime) -> str:
    """Return a time to the second in China time, without a zone as most documents have it."""
    return hl7.plain_time(at)


def text(value: str) -> str:
    """Return text with the signs escaped that XML reserves."""
    return escape(value) if not value.isalnum() else value


def body(visit: Visit, allergies: list[Allergen]) -> str:
    """Return the sections of the record of a visit."""
    vitals = [result for report in visit.reports if report.panel in VITALS for result in report.results]
    others = [result for report in visit.reports if report.panel not in VITALS for result in report.results]
    first = visit.diagnoses[0].name if visit.diagnoses else "预防接种"
    return "".join((
        _section("complaint", f"{first}就诊", [_words("DE04.01.119.00", "主诉", f"{first}就诊")]),
        _section("allergies", _listed(allergen.name for allergen in allergies), [_allergy(one, visit.institution) for one in allergies]),
        _section("diagnoses", _listed(d.name for d in visit.diagnoses), [_diagnosis(d) for d in visit.diagnoses]),
        _section("vitals", _told(vitals), _measured(vitals, visit.institution)),
        _section("laboratory", _told(others), _measured(others, visit.institution)),
        _section("medicines", _medicine_names(visit), [_medicine(one, visit) for one in visit.prescriptions]),
        _section("immunisations", _listed(dose.name for dose in visit.doses), [_dose(one, visit) for one in visit.doses]),
    ))  # fmt: skip


def follow_up(visit: Visit) -> str:
    """Return the sections of a follow-up of a chronic illness."""
    results = [result for report in visit.reports for result in report.results]
    seen = [result for result in results if result.item in {"sbp", "dbp", "glu", "a1c", "weight", "bmi", "pulse"}]
    again = visit.start.astimezone(CHINA).date() + timedelta(days=90)
    planned = f'<value xsi:type="TS" value="{again:%Y%m%d}"/>'
    return "".join((
        _section("vitals", _told(seen), _measured(seen, visit.institution)),
        _section("medicines", _medicine_names(visit), [_medicine(one, visit) for one in visit.prescriptions]),
        _section("plan", f"下次随访日期 {again}", [_observation("DE06.00.109.00", "下次随访日期", planned)]),
    ))  # fmt: skip


def _section(name: str, words: str, entries: list[str]) -> str:
    """Return a section; one without entries is left out, as most systems do."""
    if not entries:
        return ""
    code, display, title = book().sections[name]
    filled = "".join([f'<entry typeCode="COMP">{entry}</entry>' for entry in entries])
    return (
        f'<component><section><code code="{code}" codeSystem="{LOINC}" codeSystemName="LOINC" displayName="{display}"/>'
        f"<title>{title}</title><text>{text(words)}</text>{filled}</section></component>"
    )


def _listed(names: Iterable[str]) -> str:
    return "；".join(names)


def _told(results: list[Result]) -> str:
    items = laboratory.catalogue().items
    return "；".join([f"{items[result.item].name} {result.value}{result.unit}" for result in results])


def _medicine_names(visit: Visit) -> str:
    return _listed(pharmacy().medicines[one.medicine].name for one in visit.prescriptions)


def _observation(code: str, name: str, value: str, at: datetime | None = None) -> str:
    when = f'<effectiveTime value="{stamp(at)}"/>' if at else ""
    return (
        f'<observation classCode="OBS" moodCode="EVN"><code code="{code}" codeSystem="{ELEMENTS}" '
        f'codeSystemName="卫生信息数据元目录" displayName="{name}"/>{when}{value}</observation>'
    )


def _words(code: str, name: str, value: str) -> str:
    return _observation(code, name, f'<value xsi:type="ST">{text(value)}</value>')


def _diagnosis(diagnosis: Diagnosis) -> str:
    value = f'<value xsi:type="CD" code="{diagnosis.code}" codeSystem="{ICD}" codeSystemName="ICD-10" displayName="{text(diagnosis.name)}"/>'
    return _observation("DE05.01.024.00", "疾病诊断编码", value)


def _allergy(allergen: Allergen, house: Institution) -> str:
    value = f'<value xsi:type="CD" code="{allergen.code}" codeSystem="{house.system("item")}" displayName="{allergen.name}"/>'
    return _observation("DE05.01.022.00", "药物过敏源", value)


def _measured(results: list[Result], house: Institution) -> list[str]:
    """Return the entries of results; the two blood pressures stand together in an organizer."""
    pressures = [result for result in results if result.item in PRESSURES]
    entries = [_result(result, house) for result in results if result.item not in PRESSURES]
    if pressures:
        parts = "".join([f'<component typeCode="COMP">{_result(one, house)}</component>' for one in pressures])
        entries.append(f'<organizer classCode="BATTERY" moodCode="EVN"><code code="DE04.10.173.00" codeSystem="{ELEMENTS}" '
                       f'displayName="血压"/><statusCode code="completed"/>{parts}</organizer>')  # fmt: skip
    return entries


def _result(result: Result, house: Institution) -> str:
    element = book().elements.get(result.item)
    if element:
        code, name, unit = element
        return _observation(code, name, f'<value xsi:type="PQ" value="{result.value}" unit="{unit}"/>', result.at)
    item = laboratory.catalogue().items[result.item]
    public = f'<translation code="{item.loinc}" codeSystem="{LOINC}"/>' if item.loinc and house.key % 2 else ""
    value = (
        f'<value xsi:type="PQ" value="{result.value}" unit="{result.unit}"/>' if result.numeric
        else f'<value xsi:type="ST">{result.value}</value>'
    )  # fmt: skip
    flag = f'<interpretationCode code="{result.flag}" codeSystem="2.16.840.1.113883.5.83"/>' if result.flag else ""
    return (
        f'<observation classCode="OBS" moodCode="EVN"><code code="{text(item.local)}" codeSystem="{house.system("item")}" '
        f'displayName="{text(item.name)}">{public}</code><statusCode code="completed"/>'
        f'<effectiveTime value="{stamp(result.at)}"/>{value}{flag}{_range(result)}</observation>'
    )


def _range(result: Result) -> str:
    if not (result.low or result.high):
        return ""
    low = f'<low value="{result.low}" unit="{result.unit}"/>' if result.low else ""
    high = f'<high value="{result.high}" unit="{result.unit}"/>' if result.high else ""
    return f'<referenceRange><observationRange><value xsi:type="IVL_PQ">{low}{high}</value></observationRange></referenceRange>'


def _medicine(one: Prescription, visit: Visit) -> str:
    medicine = pharmacy().medicines[one.medicine]
    quantity, unit = medicine.dose
    code = f'<code code="{medicine.atc}" codeSystem="2.16.840.1.113883.6.73" displayName="{text(medicine.name)}"/>' if medicine.atc else ""
    return (
        f'<substanceAdministration classCode="SBADM" moodCode="INT"><id root="{visit.institution.system("prescription")}" extension="{one.number}"/>'
        f"<text>{text(medicine.route)}，每次{quantity:g}{unit}，每日{medicine.times}次</text>"
        f'<effectiveTime value="{stamp(one.written)}"/><routeCode code="1" codeSystem="2.16.156.10011.2.3.1.158" displayName="{medicine.route}"/>'
        f'<doseQuantity value="{quantity:g}" unit="{unit}"/><consumable><manufacturedProduct><manufacturedMaterial>{code}'
        f"<name>{text(medicine.name)}</name></manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"
    )


def _dose(dose: Due, visit: Visit) -> str:
    return (
        '<substanceAdministration classCode="SBADM" moodCode="EVN"><statusCode code="completed"/>'
        f'<effectiveTime value="{stamp(visit.start)}"/><consumable><manufacturedProduct><manufacturedMaterial>'
        f'<code code="{dose.code}" codeSystem="2.16.840.1.113883.12.292" displayName="{text(dose.name)}"/>'
        f"<lotNumberText>{visit.start.astimezone(CHINA):%Y%m}-{dose.code}</lotNumberText></manufacturedMaterial></manufacturedProduct>"
        f'</consumable><entryRelationship typeCode="SUBJ"><sequenceNumber value="{dose.number}"/></entryRelationship></substanceAdministration>'
    )
