"""The small parts of a document that is written: elements with their namespaces, and FHIR values as CDA data types."""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from kangyun.commons.exchange.decisions.cda import codes
from kangyun.commons.exchange.decisions.cda.xml import HL7, Element

_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_MAP: dict[Any, str] = {None: HL7, "xsi": _XSI}
_ELEMENTS_ROOT = "2.16.156.10011.2.2.1"
_UNREADABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|[\ud800-\udfff]")


def node(tag: str, *children: Element | str | None, **attributes: str | None) -> Element:
    """An element; `type_` is its xsi:type, `class_` its class; what is None is left out."""
    found = etree.Element(f"{{{HL7}}}{tag}", nsmap=_MAP)
    for name, value in attributes.items():
        if value is not None:
            found.set(f"{{{_XSI}}}type" if name == "type_" else name.rstrip("_"), _clean(value))
    for child in children:
        if isinstance(child, str):
            found.text = (found.text or "") + _clean(child)
        elif child is not None:
            found.append(child)
    return found


def _clean(value: str) -> str:
    return _UNREADABLE.sub("", value)


def stamp(text: str | None) -> str | None:
    """A FHIR date, dateTime or instant as a TS: 2026-03-01T08:00:00+08:00 is 20260301080000+0800."""
    if not text:
        return None
    day, _, clock = text.partition("T")
    match = re.fullmatch(r"(\d\d:\d\d(?::\d\d)?)(?:\.\d+)?(Z|[+-]\d\d:\d\d)?", clock)
    if not match:
        return day.replace("-", "")
    zone = "+0000" if match[2] == "Z" else (match[2] or "").replace(":", "")
    return day.replace("-", "") + match[1].replace(":", "") + zone


def element_code(element: dict[str, Any]) -> Element:
    """The code of an act that states a data element."""
    return node("code", code=str(element["code"]), codeSystem=_ELEMENTS_ROOT, codeSystemName="卫生信息数据元目录", displayName=str(element["zh"]))


def coded(tag: str, concept: dict[str, Any] | None, type_: str | None = None, prefer: str = "") -> Element | None:
    """A CodeableConcept as a CD: its coding in the preferred system, else the first one; the others as translations."""
    if not concept:
        return None
    codings = [one for one in concept.get("coding", []) if one.get("code")]
    codings.sort(key=lambda one: one.get("system") != prefer)
    words = concept.get("text")
    if not codings:
        return node(tag, node("originalText", str(words)), type_=type_, nullFlavor="OTH") if words else None
    first, *rest = codings
    attributes = _coding(first, words)
    return node(tag, *(node("translation", **_coding(one, None)) for one in rest), type_=type_, **attributes)


def _coding(coding: dict[str, Any], words: str | None) -> dict[str, str | None]:
    root = codes.root_of(str(coding["system"])) if coding.get("system") else None
    return {"code": str(coding["code"]), "codeSystem": root, "displayName": coding.get("display") or words}


def amount(tag: str, quantity: dict[str, Any] | None, type_: str | None = None) -> Element | None:
    """A Quantity as a PQ."""
    if not quantity or quantity.get("value") is None:
        return None
    return node(tag, type_=type_, value=f"{quantity.get('comparator', '')}{quantity['value']}", unit=quantity.get("unit") or quantity.get("code"))


def span(start: str | None, end: str | None) -> Element | None:
    """The effectiveTime of a beginning and an end, or of one moment."""
    if not start and not end:
        return None
    if not end:
        return node("effectiveTime", value=stamp(start))
    low = node("low", value=stamp(start)) if start else None
    return node("effectiveTime", low, node("high", value=stamp(end)))


def value(resource: dict[str, Any], element: dict[str, Any]) -> Element | None:
    """The value[x] of an Observation as the value of an act; None where it has none that CDA can carry."""
    if "valueQuantity" in resource:
        quantity = resource["valueQuantity"]
        if element.get("type") == "MO":
            return node("value", type_="MO", value=str(quantity.get("value")), currency=str(quantity.get("unit") or "CNY"))
        return amount("value", quantity, "PQ")
    if "valueCodeableConcept" in resource:
        prefer = codes.system_of(str(element["values"])) if element.get("values") else ""
        return coded("value", resource["valueCodeableConcept"], "CD", prefer)
    if "valueBoolean" in resource:
        return node("value", type_="BL", value=str(resource["valueBoolean"]).lower())
    if "valueInteger" in resource:
        return node("value", type_="INT", value=str(resource["valueInteger"]))
    if "valueDateTime" in resource:
        return node("value", type_="TS", value=stamp(resource["valueDateTime"]))
    return node("value", str(resource["valueString"]), type_="ST") if resource.get("valueString") else None


def plain(value_: Any, element: dict[str, Any]) -> Element | None:
    """A plain FHIR value (of the visit, of the referral) as the value of an act, by the element's type."""
    if isinstance(value_, dict):
        return coded("value", value_, "CD", codes.system_of(str(element["values"])) if element.get("values") else "")
    if element.get("type") == "TS":
        return node("value", type_="TS", value=stamp(str(value_)))
    return node("value", str(value_), type_="ST") if value_ not in (None, "") else None


def unknown(element: dict[str, Any]) -> Element:
    """The value of a required element that the record does not have."""
    return node("value", type_=str(element.get("type", "ST")), nullFlavor="NI")
