"""Results: OBX to Observation, OBR to DiagnosticReport, embedded documents, and what a correction does.

HL7 v2.5.1 chapter 7, sections 7.4.1 OBR, 7.4.2 OBX, 7.4.3 SPM; tables 0085, 0123, 0125.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

from kangyun.commons.exchange.decisions import codes, quantities, times
from kangyun.commons.exchange.decisions.drafts import Sheet
from kangyun.commons.exchange.decisions.message import Segment
from kangyun.commons.exchange.model import Fault

_TEXTS = {"ST", "TX", "FT", "SI", "IS", "ID", "PN", "XPN", "XCN", "XAD", "XTN", "CX", "EI", "PL", "DR", "HD", "XON"}
_BLANK = re.compile(r"\s")
_TENS = {"10", "x10", "X10", "×10", "*10"}
_POWER = re.compile(r"-?\d{1,2}(/\w+)?")
# How far a result has come; a message that is late must not take it back.
_RANK = {"registered": 0, "preliminary": 1, "partial": 1, "final": 2, "amended": 3, "corrected": 3}


def observed(segment: Segment, sheet: Sheet) -> dict[str, Any]:
    """The value[x] of an OBX, as {valueQuantity: ...}; empty where none was sent. Raises Fault on OBX-2 or OBX-5."""
    kind = segment.text(2).upper()
    if not segment.raw(5).strip():
        return {}
    convert = _VALUES.get(kind)
    if convert is None and kind not in _TEXTS and kind:
        raise Fault("exchange.bad-value-type", "OBX-2", {"type": kind[:8]}, code="103")
    try:
        return convert(segment, sheet) if convert else _text(segment, sheet)
    except Fault as fault:
        fault.place = fault.place or "OBX-5"
        raise


def _numeric(segment: Segment, _sheet: Sheet) -> dict[str, Any]:
    repetitions = segment.repetitions(5)
    if len(repetitions) > 1:
        # Several numbers under one code are no one quantity; they are kept as they were sent.
        return {"valueString": " ~ ".join(segment.part(one, 1) for one in repetitions)}
    return {"valueQuantity": quantities.quantity(segment.text(5), unit(segment))}


def _first(segment: Segment) -> str:
    """The first value that an OBX tells; empty where there are only empty ones."""
    return next(iter(segment.repetitions(5)), "")


def _structured(segment: Segment, _sheet: Sheet) -> dict[str, Any]:
    part = [*segment.parts(_first(segment)), "", "", "", ""]
    return quantities.structured(part[0], part[1], part[2], part[3], unit(segment))


def _concept(segment: Segment, sheet: Sheet) -> dict[str, Any]:
    found = [codes.concept(segment.parts(one), sheet.sender) for one in segment.repetitions(5)]
    concepts = [one for one in found if one]
    if not concepts:
        return {}
    first = concepts[0]
    if len(concepts) > 1:
        coding = [one for concept in concepts for one in concept.get("coding", [])]
        first = {**({"coding": coding} if coding else {}), "text": "; ".join(str(one["text"]) for one in concepts)}
    return {"valueCodeableConcept": first}


def _text(segment: Segment, _sheet: Sheet) -> dict[str, Any]:
    parts = (" ".join(one for one in segment.parts(rep) if one) for rep in segment.repetitions(5))
    whole = "\n".join(part for part in parts if part).strip()
    return {"valueString": whole} if whole else {}


def _date(segment: Segment, _sheet: Sheet) -> dict[str, Any]:
    return {"valueDateTime": times.to_date(segment.text(5))}


def _datetime(segment: Segment, sheet: Sheet) -> dict[str, Any]:
    return {"valueDateTime": times.to_datetime(segment.text(5), sheet.sender.zone)}


def _time(segment: Segment, _sheet: Sheet) -> dict[str, Any]:
    return {"valueTime": times.to_time(segment.text(5))}


_VALUES: dict[str, Callable[[Segment, Sheet], dict[str, Any]]] = {
    "NM": _numeric, "SN": _structured, "CE": _concept, "CWE": _concept, "CNE": _concept, "CF": _concept, "DT": _date,
    "TM": _time, "TS": _datetime, "DTM": _datetime,
}  # fmt: skip


def unit(segment: Segment) -> str:
    """The unit of an OBX: the code of OBX-6, or its text where no code is given.

    Cells are counted in 10^9/L, whose sign many analysers do not escape; 10 alone would be another unit.
    """
    code, text = segment.text(6), segment.text(6, 2)
    if code in _TENS and _POWER.fullmatch(text):
        return f"{code}^{text}"
    return code or text


def attachment(segment: Segment) -> dict[str, Any]:
    """The Attachment in an OBX: ED source^type^subtype^encoding^data, or RP pointer^application^type^subtype. Raises Fault."""
    if segment.text(2).upper() == "RP":
        return _pointer(segment)
    part = _first(segment).split(segment.delimiters.component, 4) if segment.raw(5) else []
    part = [*part, "", "", "", "", ""][:5]
    kind, subtype, encoding = (segment.unescape(one).strip().lower() for one in part[1:4])
    if encoding in {"base64", ""}:
        data = _BLANK.sub("", segment.unescape(part[4]) if segment.delimiters.escape in part[4] else part[4])
        _check_base64(data)
    else:
        raw = segment.unescape(part[4])
        content = bytes.fromhex(raw) if encoding == "hex" and _is_hex(raw) else raw.encode()
        data = base64.b64encode(content).decode()
    if not data:
        raise Fault("exchange.missing-field", "OBX-5.5", code="101")
    found = {"contentType": _content_type(kind, subtype, data), "data": data}
    title = segment.text(3, 2)
    return {**found, **({"title": title} if title else {})}


def _pointer(segment: Segment) -> dict[str, Any]:
    part = [*segment.parts(_first(segment)), "", "", "", ""]
    address = part[0].replace(" ", "%20")
    if not address:
        raise Fault("exchange.missing-field", "OBX-5.1", code="101")
    title = segment.text(3, 2)
    kind = _content_type(part[2].lower(), part[3].lower(), "") if part[2] or part[3] else ""
    found = {"contentType": kind, "url": address, "title": title}
    return {key: value for key, value in found.items() if value}


def _check_base64(data: str) -> None:
    try:
        binascii.a2b_base64(data, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise Fault("exchange.bad-document", "OBX-5.5", code="102") from error


def _is_hex(text: str) -> bool:
    return len(text) % 2 == 0 and re.fullmatch("[0-9A-Fa-f]*", text) is not None


def _content_type(kind: str, subtype: str, data: str) -> str:
    if data.startswith("JVBERi"):
        return "application/pdf"
    # Before 2.5 the second component held the whole type, or just the name of the format.
    known = {"pdf": "application/pdf", "jpeg": "image/jpeg", "png": "image/png", "rtf": "text/rtf", "txt": "text/plain"}
    if "/" in kind:
        return kind
    if kind in {"application", "image", "text", "audio", "video"} and subtype:
        return known.get(subtype, f"{kind}/{subtype}") if kind == "text" else f"{kind}/{subtype}"
    return known.get(subtype) or known.get(kind) or "application/octet-stream"


def result_status(segment: Segment, field: int, sheet: Sheet, options: dict[str, Any]) -> str:
    """The status of a result or a report; one that is not stated is unknown. Raises Fault."""
    value = segment.text(field).upper()
    return str(codes.require(options["table"], value, sheet.sender)) if value else "unknown"


def interpretations(segment: Segment, field: int, sheet: Sheet, _: dict[str, Any]) -> list[dict[str, Any]]:
    """OBX-8 to Observation.interpretation; flags we do not know keep their text."""
    found: list[dict[str, Any]] = []
    for one in segment.repetitions(field):
        parts = segment.parts(one)
        known = codes.find("interpretation", parts[0], sheet.sender)
        if known:
            found.append({"coding": [known]})
        elif any(parts):
            found.append({"text": " ".join(part for part in parts[:2] if part)})
    return found


def reference_range(segment: Segment, field: int, _sheet: Sheet, _: dict[str, Any]) -> list[dict[str, Any]]:
    """OBX-7 to Observation.referenceRange."""
    found = [segment.part(one, 1) for one in segment.repetitions(field)]
    return [quantities.reference_range(one, unit(segment)) for one in found if one]


def is_newer(current: dict[str, Any], incoming: dict[str, Any]) -> bool:
    """Whether a result that arrives may replace the one that is there: not when it is older, nor a step back."""
    ranks = [_RANK.get(str(one.get("status")), 4) for one in (incoming, current)]
    issued = [one.get("issued") for one in (incoming, current)]
    if issued[0] and issued[1]:
        times_issued = [times.moment(str(one)) for one in issued]
        if times_issued[0] != times_issued[1]:
            return times_issued[0] > times_issued[1]
    return ranks[0] >= ranks[1]
