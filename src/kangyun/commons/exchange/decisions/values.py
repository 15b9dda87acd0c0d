"""Converters for plain values: dates, codes, concepts, people and places of the directory, extensions."""

from __future__ import annotations

from typing import Any

from kangyun.commons.exchange.decisions import codes, numbers, quantities, times
from kangyun.commons.exchange.decisions.drafts import Sheet
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.decisions.people import human_name, identifier, identifiers, mother, system_of

_BIRTH_TIME = "http://hl7.org/fhir/StructureDefinition/patient-birthTime"


def text(segment: Segment, field: int, _sheet: Sheet, options: dict[str, Any]) -> str | None:
    """The first component, or the one named by `component`."""
    return segment.text(field, options.get("component", 1)) or None


def texts(segment: Segment, field: int, _sheet: Sheet, _options: dict[str, Any]) -> list[str]:
    """All repetitions as texts."""
    return [found for one in segment.repetitions(field) if (found := segment.part(one, 1))]


def date(segment: Segment, field: int, _sheet: Sheet, _options: dict[str, Any]) -> str | None:
    """A FHIR date. Raises Fault."""
    value = segment.text(field)
    return times.to_date(value) if value else None


def datetime(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> str | None:
    """A FHIR dateTime, of the first component or the one named by `component`. Raises Fault."""
    value = segment.text(field, options.get("component", 1))
    return times.to_datetime(value, sheet.sender.zone) if value else None


def instant(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> str | None:
    """A FHIR instant; nothing where the time of day is not given. Raises Fault."""
    value = segment.text(field)
    return times.to_instant(value, sheet.sender.zone) if value else None


def birth_time(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> dict[str, Any] | None:
    """The extension with the time of birth, where one is told; midnight is how systems write that they do not know."""
    value = segment.text(field)
    found = times.to_datetime(value, sheet.sender.zone) if value else ""
    if "T" not in found or "T00:00:00" in found:
        return None
    return {"extension": [{"url": _BIRTH_TIME, "valueDateTime": found}]}


def code(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> Any:
    """The entry of a code table; unknown codes are refused unless the row says `unknown`. Raises Fault."""
    value = segment.text(field, options.get("component", 1))
    if not value:
        return options.get("empty")
    if "unknown" in options:
        return codes.find(options["table"], value, sheet.sender) or options["unknown"]
    return codes.require(options["table"], value, sheet.sender)


def coded(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> Any:
    """A CodeableConcept from a CWE, or from a code table where the row names one that knows the code."""
    table = options.get("table")
    known = codes.find(table, segment.text(field), sheet.sender) if table else None
    concept = codes.concept(segment.parts(segment.raw(field)), sheet.sender, options.get("system", ""))
    if known and concept:
        return {**concept, "coding": [known, *concept.get("coding", [])]}
    return concept


def concepts(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> list[dict[str, Any]]:
    """A list of CodeableConcepts, one for each repetition."""
    found = (
        codes.concept(segment.parts(one), sheet.sender, options.get("system", ""))
        for one in segment.repetitions(field)
    )
    return [one for one in found if one]


def coding(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> dict[str, str] | None:
    """A Coding from a code table; an unknown code keeps the system of the HL7 table, none at all is so marked."""
    value = segment.text(field)
    if not value:
        return {"system": "http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "code": "UNK"}
    known = codes.find(options["table"], value, sheet.sender)
    return known or {"system": options["system"], "code": value}


def flag(segment: Segment, field: int, _sheet: Sheet, _options: dict[str, Any]) -> bool | None:
    """HL7 table 0136: Y is true, N is false; the numbers 1 and 0 are what some systems write."""
    return {"Y": True, "N": False, "1": True, "0": False}.get(segment.text(field).upper())


def number(segment: Segment, field: int, _sheet: Sheet, _options: dict[str, Any]) -> int | None:
    """A whole number; anything else is nothing."""
    value = segment.text(field)
    return int(value) if value.isdecimal() and len(value) < 9 else None


def practitioners(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> list[dict[str, Any]]:
    """References to the people of an XCN field, who enter the directory."""
    found = (_practitioner(segment, one, sheet) for one in segment.repetitions(field))
    return [one for one in found if one]


def participants(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> list[dict[str, Any]]:
    """Encounter.participant of one role (v3-ParticipationType)."""
    system = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
    role = {"coding": [{"system": system, "code": options["role"]}]}
    return [{"type": [role], "individual": one} for one in practitioners(segment, field, sheet, {})]


def _practitioner(segment: Segment, repetition: str, sheet: Sheet) -> dict[str, Any] | None:
    part = [*segment.parts(repetition), *[""] * 9]
    # An XCN is an XPN behind an id, and its authority stands in component 9 instead of 4 behind it.
    delimiter = segment.delimiters.component
    name = human_name(segment, delimiter.join(repetition.split(delimiter)[1:6]), sheet.sender)
    if not name and not part[0]:
        return None
    display = name.get("text") or part[0]
    if not part[0]:
        return {"type": "Practitioner", "display": display}
    authority = [segment.part(repetition, 9, n) for n in (1, 2, 3)]
    system = system_of(authority, "STAFF", sheet.sender)
    content: dict[str, Any] = {"identifier": [{"system": system, "value": part[0]}], "name": [name] if name else None}
    filled = {key: value for key, value in content.items() if value}
    return sheet.entry("Practitioner", filled, display, system, part[0])


def organization(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> dict[str, Any] | None:
    """A reference to the organisation of an XON field, which enters the directory."""
    name = segment.text(field)
    if not name:
        return None
    number = segment.text(field, 10) or segment.text(field, 3)
    return sheet.entry("Organization", {"name": name}, name, sheet.sender.key, number or name)


def interpreters(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> list[dict[str, Any]]:
    """References to the people of an NDL field (OBR-32): a name whose parts are subcomponents."""
    found: list[dict[str, Any]] = []
    for repetition in segment.repetitions(field):
        name = repetition.split(segment.delimiters.component, 1)[0]
        one = _practitioner(segment, name.replace(segment.delimiters.subcomponent, segment.delimiters.component), sheet)
        found += [one] if one else []
    return found


def place(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> dict[str, Any] | None:
    """A reference to the place of a PL field (ward^room^bed^facility^^^building^floor^text), which enters the directory."""
    parts = segment.parts(segment.repetitions(field)[0]) if segment.repetitions(field) else []
    part = [*parts, *[""] * 9][:9]
    spots = [one for one in (part[6], part[7], part[8], part[0], part[1], part[2]) if one]
    if not spots:
        return None
    name = " ".join(spots)
    return sheet.entry("Location", {"status": "active", "name": name}, name, sheet.sender.key, *part)


def cx_list(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> list[dict[str, Any]]:
    """Identifiers whose type is the row's, whatever the field says."""
    found = (identifier(segment, one, sheet.sender, options.get("type", "")) for one in segment.repetitions(field))
    return [one for one in found if one]


def extension(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> list[dict[str, Any]]:
    """One extension: `url`, `value` (valueString, valueCodeableConcept, ...) and the converter `of` its content."""
    content = _INNER[options["of"]](segment, field, sheet, options)
    if isinstance(content, list):
        content = content[0] if content else None
    return [{"url": options["url"], options["value"]: content}] if content else []


def repeated(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> dict[str, Any] | None:
    """TQ1-3 as a Timing, within the times of TQ1-7 and TQ1-8; once is no repetition. Raises Fault."""
    pattern = codes.concept(segment.parts(segment.repetitions(field)[0]), sheet.sender) if segment.repetitions(field) else None
    if pattern is None or segment.text(field).upper() in {"ONCE", "1", "ST", "STAT"}:
        return None
    bounds = {name: value for name, at in (("start", 7), ("end", 8)) if (value := datetime(segment, at, sheet, {}))}
    return {"code": pattern, **({"repeat": {"boundsPeriod": bounds}} if bounds else {})}


def birth_place(segment: Segment, field: int, _sheet: Sheet, _options: dict[str, Any]) -> dict[str, str] | None:
    """PID-23, a place of birth, as an Address that has its text only."""
    whole = "".join(segment.parts(segment.raw(field)))
    return {"text": whole} if whole else None


def diagnosis(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> dict[str, Any] | None:
    """DG1-3 with the coding system of DG1-2 where it names none itself."""
    return codes.concept(segment.parts(segment.raw(field)), sheet.sender, segment.text(2))


def asserter(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> dict[str, Any] | None:
    """The first person of an XCN field."""
    found = practitioners(segment, field, sheet, {})
    return found[0] if found else None


def manifestations(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> list[dict[str, Any]]:
    """AL1-5, a plain text before 2.7 and a CWE after: what has no coding system is text."""
    found: list[dict[str, Any]] = []
    for one in segment.repetitions(field):
        parts = segment.parts(one)
        coded_one = codes.concept(parts, sheet.sender) if len(parts) > 2 and parts[2] else None
        plain = " ".join(part for part in parts[:2] if part)
        found += [coded_one] if coded_one else [{"text": plain}] if plain else []
    return found


def category(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> dict[str, Any] | None:
    """OBR-24 as a category that pages understand, or as it was sent."""
    value = segment.text(field)
    known = codes.find("report_category", value, sheet.sender)
    sent = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074", "code": value}]}
    return (known or sent) if value else None


def organizations(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> list[dict[str, Any]]:
    """The organisation of an XON field, in a list."""
    found = organization(segment, field, sheet, {})
    return [found] if found else []


def specimen_numbers(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> list[dict[str, Any]]:
    """SPM-2, a pair of numbers: the filler's, else the placer's."""
    value = segment.text(field, 2) or segment.text(field, 1)
    return [{"system": f"{sheet.sender.urn}:SPECIMEN", "value": value}] if value else []


def nationality(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> list[dict[str, Any]]:
    """The core extension patient-nationality or patient-citizenship is complex: its code stands one level below."""
    concept = coded(segment, field, sheet, {})
    url = f"http://hl7.org/fhir/StructureDefinition/patient-{_options['kind']}"
    return [{"url": url, "extension": [{"url": "code", "valueCodeableConcept": concept}]}] if concept else []


def words(segment: Segment, field: int, _sheet: Sheet, _options: dict[str, Any]) -> str | None:
    """The text of a CE or CWE, else its code, repetitions joined by semicolons."""
    parts = ([*segment.parts(one), "", ""] for one in segment.repetitions(field))
    return "; ".join(one for part in parts if (one := part[1] or part[0])) or None


def notes(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> list[dict[str, str]]:
    """A list with one Annotation, of the words of a field."""
    found = words(segment, field, sheet, options)
    return [{"text": found}] if found else []


def amount(segment: Segment, field: int, _sheet: Sheet, options: dict[str, Any]) -> dict[str, Any] | None:
    """A Quantity, its unit in the field `unit`; `unless` is how senders write that there is none. Raises Fault."""
    value = segment.text(field)
    if not value or value == str(options.get("unless")):
        return None
    at = options.get("unit")
    return quantities.quantity(value, (segment.text(at, 1) or segment.text(at, 2)) if at else "")


def order_number(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> list[dict[str, Any]]:
    """The Identifier of an EI field, in a list; `type` is PLAC, FILL or another of table 0203."""
    found = numbers.entity(segment, field, options["type"], sheet)
    return [found] if found else []


def actors(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> list[dict[str, Any]]:
    """The people of an XCN field as performers of an act."""
    return [{"actor": one} for one in practitioners(segment, field, sheet, {})]


def company(segment: Segment, field: int, sheet: Sheet, _options: dict[str, Any]) -> dict[str, Any] | None:
    """The organisation of a CE or CWE field, such as a manufacturer, which enters the directory."""
    return company_of(segment.text(field), segment.text(field, 2), sheet)


def company_of(number: str, name: str, sheet: Sheet) -> dict[str, Any] | None:
    """The organisation of a number and a name, such as a manufacturer, which enters the directory; either will do."""
    name = name or number
    return sheet.entry("Organization", {"name": name}, name, sheet.sender.key, "company", number or name) if name else None


_INNER = {function.__name__: function for function in (mother, identifiers, coded, birth_place, datetime)}

CONVERTERS = {
    function.__name__: function
    for function in (
        text, texts, date, datetime, instant, birth_time, code, coded, concepts, coding, flag, number, practitioners,
        participants, interpreters, organization, words, notes, amount, order_number, actors, company, place, repeated, cx_list, extension, nationality, birth_place,
        diagnosis, asserter, manifestations, category, organizations, specimen_numbers,
    )
}  # fmt: skip
