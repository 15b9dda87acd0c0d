"""Data types of CDA to FHIR: times, quantities, names, addresses, telecommunication, and the value of an observation.

HL7 V3 Data Types (XML ITS R1); FHIR R4 2.24. What cannot be read is refused with its place, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timezone
from typing import Any

from kangyun.commons.exchange.decisions import quantities, times
from kangyun.commons.exchange.decisions.cda import codes
from kangyun.commons.exchange.decisions.cda.xml import Element, attribute, every, first, is_null, place, text
from kangyun.commons.exchange.decisions.people import part_chinese_name
from kangyun.commons.exchange.model import Fault

_ISO = re.compile(r"\d{4}-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d)?)?)?")
_HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff·]+")
_REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
_MOBILE = re.compile(r"(\+?86[- ]?)?1\d{10}")
_USES = {"HP": "home", "H": "home", "HV": "home", "WP": "work", "W": "work", "MC": "mobile", "TMP": "temp", "BAD": "old"}
_NAME_USES = {"L": "official", "C": "official", "P": "nickname", "A": "anonymous", "ASGN": "usual"}
_YES = {"true": True, "1": True, "t": True, "是": True, "y": True, "false": False, "0": False, "f": False, "否": False, "n": False}


def time(element: Element | None, zone: timezone) -> str | None:
    """The FHIR dateTime of a TS; None where it says nothing. Raises Fault."""
    return _time(element, lambda value: times.to_datetime(value, zone))


def date(element: Element | None) -> str | None:
    """The FHIR date of a TS; None where it says nothing. Raises Fault."""
    return _time(element, times.to_date)


def _time(element: Element | None, read: Callable[[str], str]) -> str | None:
    value = attribute(element, ".") if element is not None else ""
    if element is None or is_null(element) or not value:
        return None
    if _ISO.fullmatch(value):
        value = re.sub(r"[-:T ]", "", value)
    try:
        return read(value)
    except Fault as fault:
        fault.place = f"{place(element)}/@value"
        raise


def period(element: Element | None, zone: timezone) -> dict[str, str]:
    """The Period of an IVL_TS; a single time is its start. Raises Fault."""
    if element is None or is_null(element):
        return {}
    start = time(first(element, "low"), zone) or time(first(element, "center"), zone) or time(element, zone)
    end = time(first(element, "high"), zone)
    if start and end and times.moment(end) < times.moment(start):
        raise Fault("exchange.ends-before-start", place(element), code="102")
    return {name: value for name, value in (("start", start), ("end", end)) if value}


def moment(element: Element | None, zone: timezone) -> str | None:
    """The one time of a TS or IVL_TS: itself, else its beginning, else its end. Raises Fault."""
    found = period(element, zone)
    return found.get("start") or found.get("end")


def quantity(element: Element | None, kind: str = "value") -> dict[str, Any] | None:
    """The Quantity of a PQ, REAL, INT or MO; None where it says nothing. Raises Fault."""
    value = attribute(element, ".", kind) if element is not None else ""
    if element is None or is_null(element) or not value:
        return None
    try:
        return quantities.quantity(value, attribute(element, ".", "unit") or attribute(element, ".", "currency"))
    except Fault as fault:
        fault.place = f"{place(element)}/@{kind}"
        raise


def amount(element: Element | None) -> dict[str, Any] | None:
    """The Quantity of a PQ or of the middle of an IVL_PQ, as doses are written. Raises Fault."""
    if element is None:
        return None
    return quantity(element) or quantity(first(element, "center")) or quantity(first(element, "low"))


def value_of(element: Element | None, zone: timezone) -> dict[str, Any]:
    """The value[x] of an observation's value, one key; nothing where it says nothing. Raises Fault."""
    if element is None or is_null(element):
        return {}
    kind = attribute(element, ".", "type") or _guess(element)
    found = _READERS.get(kind, _string)(element, zone)
    return {key: value for key, value in found.items() if value not in (None, "", {})}


def _guess(element: Element) -> str:
    if element.get("code"):
        return "CD"
    return "PQ" if element.get("unit") else "ST"


def _string(element: Element, _zone: timezone) -> dict[str, Any]:
    return {"valueString": text(element) or attribute(element, ".") or attribute(element, ".", "displayName")}


def _boolean(element: Element, _zone: timezone) -> dict[str, Any]:
    word = (attribute(element, ".") or text(element)).lower()
    if word and word not in _YES:
        raise Fault("exchange.bad-code", place(element), {"value": word[:20]}, code="103")
    return {"valueBoolean": _YES.get(word)}


def _integer(element: Element, zone: timezone) -> dict[str, Any]:
    found = quantity(element)
    if found and isinstance(found["value"], int) and abs(found["value"]) < 2**31:
        return {"valueInteger": found["value"]}
    return _quantity(element, zone)


def _quantity(element: Element, _zone: timezone) -> dict[str, Any]:
    return {"valueQuantity": quantity(element)}


def _money(element: Element, _zone: timezone) -> dict[str, Any]:
    found = quantity(element)
    return {"valueQuantity": {**found, "unit": found.get("unit", "CNY")} if found else None}


def _coded(element: Element, _zone: timezone) -> dict[str, Any]:
    return {"valueCodeableConcept": codes.concept(element)}


def _moment(element: Element, zone: timezone) -> dict[str, Any]:
    return {"valueDateTime": time(element, zone)}


def _span(element: Element, zone: timezone) -> dict[str, Any]:
    # How long something lasts is written as an interval without a place in time.
    width = first(element, "width")
    return {"valueQuantity": quantity(width)} if width is not None else {"valuePeriod": period(element, zone)}


def _range(element: Element, _zone: timezone) -> dict[str, Any]:
    ends = {side: found for side in ("low", "high") if (found := quantity(first(element, side)))}
    return {"valueRange": ends} if ends else {"valueQuantity": quantity(element)}


def _ratio(element: Element, _zone: timezone) -> dict[str, Any]:
    parts = {name: found for name in ("numerator", "denominator") if (found := quantity(first(element, name)))}
    return {"valueRatio": parts} if len(parts) == 2 else {}


_READERS: dict[str, Callable[[Element, timezone], dict[str, Any]]] = {
    "PQ": _quantity, "REAL": _quantity, "INT": _integer, "MO": _money, "CD": _coded, "CE": _coded, "CV": _coded, "CO": _coded,
    "CS": _coded, "BL": _boolean, "TS": _moment, "IVL_TS": _span, "IVL_PQ": _range, "RTO": _ratio, "RTO_PQ_PQ": _ratio,
    "ST": _string, "ED": _string,
}  # fmt: skip


def human_name(element: Element) -> dict[str, Any]:
    """One HumanName from a PN: parts, or a whole name in one piece; nothing where it says nothing."""
    families = [found for one in every(element, "family") if (found := text(one))]
    given = [found for one in every(element, "given") if (found := text(one))]
    family = " ".join(families)
    if not family and not given:
        whole = codes.own_text(element)
        family, given = part_chinese_name(whole) if _HAN.fullmatch(whole) else (whole, [])
    if is_null(element) or (not family and not given):
        return {}
    return _named(element, family, given)


def _named(element: Element, family: str, given: list[str]) -> dict[str, Any]:
    chinese = bool(_HAN.fullmatch(family + "".join(given)))
    use = next((_NAME_USES[word] for word in attribute(element, ".", "use").split() if word in _NAME_USES), None)
    words = [*given, family] if not chinese else [family, *given]
    parts: dict[str, Any] = {
        "use": use, "text": ("" if chinese else " ").join(word for word in words if word), "family": family, "given": given,
        "prefix": [found for one in every(element, "prefix") if (found := text(one))],
        "suffix": [found for one in every(element, "suffix") if (found := text(one))],
        "extension": [{"url": _REPRESENTATION, "valueCode": "IDE"}] if chinese else None,
    }  # fmt: skip
    return {name: value for name, value in parts.items() if value}


def addresses(element: Element | None, path: str = "addr") -> list[dict[str, Any]]:
    """The Addresses of a role."""
    return [found for one in every(element, path) if not is_null(one) and (found := _address(one))]


def _address(element: Element) -> dict[str, Any]:
    part = {name: text(element, name) for name in ("state", "city", "county", "township", "streetName", "houseNumber", "postalCode", "country")}
    lines = [found for one in every(element, "streetAddressLine") if (found := text(one))]
    inside = f"{part['township']}{part['streetName']}{part['houseNumber']}"
    plain: dict[str, Any] = {
        "line": [*lines, inside] if inside else lines, "city": part["city"], "district": part["county"], "state": part["state"],
        "postalCode": part["postalCode"], "country": part["country"],
    }  # fmt: skip
    found = {name: value for name, value in plain.items() if value} or ({"text": one} if (one := codes.own_text(element)) else {})
    if not found:
        return {}
    use = _USES.get(attribute(element, ".", "use").split(" ")[0])
    return {**({"use": use} if use in {"home", "work", "temp", "old"} else {}), **found, "text": found.get("text") or _written(found)}


def _written(part: dict[str, Any]) -> str:
    lines = " ".join(part.get("line", []))
    if _HAN.search(lines + str(part.get("city", "")) + str(part.get("state", ""))):
        return "".join(str(part.get(name, "")) for name in ("state", "city", "district")) + lines
    names = ("city", "district", "state", "postalCode", "country")
    return ", ".join(one for one in (lines, *(str(part.get(name, "")) for name in names)) if one)


def telecoms(element: Element | None, path: str = "telecom") -> list[dict[str, Any]]:
    """The ContactPoints of a role."""
    return [found for one in every(element, path) if not is_null(one) and (found := _telecom(one))]


def _telecom(element: Element) -> dict[str, Any]:
    scheme, found, number = attribute(element, ".").partition(":")
    if not found:
        scheme, number = "tel", scheme
    number = number.strip("/ ")
    system = {"tel": "phone", "fax": "fax", "mailto": "email", "http": "url", "https": "url"}.get(scheme.lower(), "other")
    if "@" in number:
        system = "email"
    use = _USES.get(attribute(element, ".", "use").split(" ")[0])
    if system == "phone" and _MOBILE.fullmatch(number):
        use = "mobile"
    if not number:
        return {}
    return {"system": system, "value": number, **({"use": use} if use and not (system == "email" and use == "mobile") else {})}
