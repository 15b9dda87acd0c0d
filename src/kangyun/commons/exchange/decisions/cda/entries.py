"""The entries of a document that is written, one writer for each kind; the readers of the same kinds are in acts.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kangyun.commons.exchange.decisions.cda import codes
from kangyun.commons.exchange.decisions.cda.nodes import (
    amount,
    coded,
    element_code,
    node,
    plain,
    span,
    stamp,
    unknown,
    value,
)
from kangyun.commons.exchange.decisions.cda.picking import Row
from kangyun.commons.exchange.decisions.cda.xml import Element

Find = Callable[[str], dict[str, Any] | None]
"""Finds a resource of the record by its reference."""


def entry(row: Row, told: Any, find: Find) -> Element | None:
    """The act of one thing that a row tells; None where CDA has no place for it."""
    if row.element.get("to"):
        return statement(row, plain(told, dict(row.element)))
    if row.make == "report":
        return _report(told, find)
    return _WRITERS[row.make](row, told) if row.make else _observation(row, told)


def statement(row: Row, content: Element | None, time: Element | None = None) -> Element | None:
    """An observation that states a data element."""
    if content is None:
        return None
    return node("observation", element_code(dict(row.element)), time, content, classCode="OBS", moodCode="EVN")


def absent(row: Row) -> Element:
    """The place of a required data element that the record does not have."""
    return node("observation", element_code(dict(row.element)), unknown(dict(row.element)), classCode="OBS", moodCode="EVN")


def _observation(row: Row, told: dict[str, Any]) -> Element | None:
    return statement(row, value(told, dict(row.element)), _when(told))


def _when(told: dict[str, Any]) -> Element | None:
    period = told.get("effectivePeriod") or {}
    return span(told.get("effectiveDateTime") or period.get("start"), period.get("end"))


def _diagnosis(row: Row, told: dict[str, Any]) -> Element | None:
    element = dict(row.element)
    code = told.get("code", {})
    time = span(told.get("onsetDateTime"), told.get("abatementDateTime"))
    if not code.get("coding"):
        element = codes.entry("DE05.01.025.00")
        content = node("value", str(code.get("text", "")), type_="ST")
    else:
        content = coded("value", code, "CD", codes.system_of(str(element["values"])) if element.get("values") else "")
    return node("observation", element_code(element), time, content, classCode="OBS", moodCode="EVN")


def _allergy(row: Row, told: dict[str, Any]) -> Element | None:
    code = told.get("code", {})
    content = coded("value", code, "CD") if code.get("coding") else node("value", str(code.get("text", "")), type_="ST")
    return statement(row, content, span(told.get("onsetDateTime"), None))


def _medication(_row: Row, told: dict[str, Any]) -> Element | None:
    what = told.get("medicationCodeableConcept")
    if not what:
        return None
    ordered = told["resourceType"] == "MedicationRequest"
    dosage = (told.get("dosageInstruction") or told.get("dosage") or [{}])[0]
    period = told.get("effectivePeriod") or {}
    given = (dosage.get("doseAndRate") or [{}])[0]
    frequency = dosage.get("timing", {}).get("code")
    status = {"active": "active", "completed": "completed", "stopped": "aborted", "on-hold": "suspended"}.get(str(told.get("status")))
    return node(
        "substanceAdministration", node("text", str(dosage["text"])) if dosage.get("text") else None, node("statusCode", code=status) if status else None,
        span(period.get("start") or (told.get("authoredOn") if ordered else None), period.get("end")), coded("routeCode", dosage.get("route")),
        amount("doseQuantity", given.get("doseQuantity")), _drug(what), _frequency(frequency),
        classCode="SBADM", moodCode="RQO" if ordered else "EVN",
    )  # fmt: skip


def _drug(what: dict[str, Any]) -> Element:
    code = coded("code", {"coding": what["coding"]}) if what.get("coding") else None
    words = what.get("text") or (what["coding"][0].get("display") if what.get("coding") else "")
    drug = node("manufacturedLabeledDrug", code if code is not None else node("code"), node("name", str(words)) if words else None)
    return node("consumable", node("manufacturedProduct", drug))


def _frequency(concept: dict[str, Any] | None) -> Element | None:
    if not concept:
        return None
    content = coded("value", concept, "CD") if concept.get("coding") else node("value", str(concept.get("text", "")), type_="ST")
    inner = node("observation", element_code({"code": "DE06.00.133.00", "zh": "药物使用频率"}), content, classCode="OBS", moodCode="EVN")
    return node("entryRelationship", inner, typeCode="COMP")


def _immunization(_row: Row, told: dict[str, Any]) -> Element | None:
    what = told["vaccineCode"]
    number = (told.get("protocolApplied") or [{}])[0].get("doseNumberPositiveInt")
    lot, maker = told.get("lotNumber"), told.get("manufacturer", {}).get("display")
    code = coded("code", {"coding": what["coding"]}) if what.get("coding") else None
    material = node("manufacturedMaterial", code, node("name", str(what["text"])) if what.get("text") else None, node("lotNumberText", str(lot)) if lot else None, classCode="MMAT")
    product = node("manufacturedProduct", material, node("manufacturerOrganization", node("name", str(maker))) if maker else None)
    return node(
        "substanceAdministration", node("statusCode", code="completed"),
        node("effectiveTime", value=stamp(told.get("occurrenceDateTime"))) if told.get("occurrenceDateTime") else None,
        node("repeatNumber", value=str(number)) if number else None, coded("routeCode", told.get("route")), coded("approachSiteCode", told.get("site")),
        amount("doseQuantity", told.get("doseQuantity")), node("consumable", product), classCode="SBADM", moodCode="EVN",
        negationInd="true" if told.get("status") == "not-done" else None,
    )  # fmt: skip


def _procedure(_row: Row, told: dict[str, Any]) -> Element | None:
    period = told.get("performedPeriod") or {}
    code = told.get("code", {})
    sites = [one for part in told.get("bodySite", []) if (one := coded("targetSiteCode", part)) is not None]
    return node(
        "procedure", coded("code", code), span(told.get("performedDateTime") or period.get("start"), period.get("end")), *sites,
        classCode="PROC", moodCode="EVN",
    )  # fmt: skip


def _family(_row: Row, told: dict[str, Any]) -> Element | None:
    element = codes.entry("DE02.10.095.50")
    sex = told.get("sex", {}).get("coding", [{}])[0].get("code")
    person = node("subject", node("administrativeGenderCode", code={"male": "1", "female": "2"}[sex], codeSystem="2.16.156.10011.2.3.3.4")) if sex in {"male", "female"} else None
    # The number of GB/T 4761 is what other systems read, where the record has it beside the code of HL7.
    relative = coded("code", told.get("relationship"), prefer="urn:oid:2.16.156.10011.2.3.3.8")
    subject = node("subject", node("relatedSubject", relative, person, classCode="PRS"), typeCode="SBJ")
    stated = [
        node("component", node("observation", element_code(element), coded("value", one.get("code"), "CD"), classCode="OBS", moodCode="EVN"), typeCode="COMP")
        for one in told.get("condition", [])
    ]
    return node("organizer", node("statusCode", code="completed"), subject, *stated, classCode="CLUSTER", moodCode="EVN")


def _encounter(_row: Row, told: dict[str, Any]) -> Element | None:
    period = told.get("period", {})
    where, why = told.get("serviceProvider", {}).get("display"), (told.get("reasonCode") or [{}])[0].get("text")
    keeper = node("performer", node("assignedEntity", node("id"), node("representedOrganization", node("name", str(where))))) if where else None
    inner = node("observation", element_code(codes.entry("DE05.10.053.00")), node("value", str(why), type_="ST"), classCode="OBS", moodCode="EVN") if why else None
    return node(
        "encounter", node("code", displayName="住院史"), span(period.get("start"), period.get("end")), keeper,
        node("entryRelationship", inner, typeCode="RSON") if inner is not None else None, classCode="ENC", moodCode="EVN",
    )  # fmt: skip


def _report(told: dict[str, Any], find: Find) -> Element | None:
    parts: list[Element] = []
    for reference in told.get("result", []):
        result = find(str(reference.get("reference", "")))
        content = value(result, {}) if result else None
        if result and content is not None:
            ranges = [_range(one) for one in result.get("referenceRange", [])]
            inner = node("observation", coded("code", result["code"]), _when(result), content, *ranges, classCode="OBS", moodCode="EVN")
            parts.append(node("component", inner, typeCode="COMP"))
    if not parts:
        return None
    time = span(told.get("effectiveDateTime"), None)
    return node("organizer", coded("code", told.get("code")), node("statusCode", code="completed"), time, *parts, classCode="BATTERY", moodCode="EVN")


def _range(told: dict[str, Any]) -> Element:
    words = node("text", str(told["text"])) if told.get("text") else None
    ends = [one for side in ("low", "high") if (one := amount(side, told.get(side))) is not None]
    return node("referenceRange", node("observationRange", words, node("value", *ends, type_="IVL_PQ") if ends else None))


_WRITERS: dict[str, Callable[[Row, dict[str, Any]], Element | None]] = {
    "diagnosis": _diagnosis, "allergy": _allergy, "medication": _medication, "immunization": _immunization, "procedure": _procedure,
    "family": _family, "encounter": _encounter,
}  # fmt: skip
