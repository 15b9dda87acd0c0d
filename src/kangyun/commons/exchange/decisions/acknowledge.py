r"""Acknowledgements: MSA with AA, AE or AR, and an ERR segment that names the segment, the field and the reason.

HL7 v2.5.1 chapter 2, sections 2.9.2 (original mode), 2.9.3 (enhanced mode), 2.15.1 ACK, 2.15.5 ERR.
"""

from __future__ import annotations

import re
from datetime import datetime

from kangyun.base import errors
from kangyun.commons.exchange.model import Acknowledgement, Header, Reason

_TABLE_0357 = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "207": "Application internal error",
}
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:-(\d+))?(?:\.(\d+))?")
_ENHANCED = {"AA": "CA", "AE": "CE", "AR": "CR"}
_CODECS = {"GB18030": "gb18030", "GBK": "gb18030", "GB2312": "gb18030", "BIG": "big5hkscs"}


def peek(body: bytes) -> Header:
    """Read the header leniently, whatever the rest is; a missing header gives an empty one."""
    start = body.find(b"MSH", 0, 4096)
    if start < 0:
        return Header()
    line = re.split(rb"[\r\n]", body[start : start + 4096].replace(b"\0", b""), maxsplit=1)[0]
    text = _lenient(line)
    separator = text[3:4]
    if not separator or separator.isalnum():
        return Header()
    fields = ["MSH", separator, *text.split(separator)[1:]]
    component = text[4:5] or "^"
    return _header([_clean(one) for one in fields], component)


def _header(fields: list[str], component: str) -> Header:
    def get(number: int, part: int = 1) -> str:
        parts = fields[number].split(component) if number < len(fields) else []
        return parts[part - 1].strip() if len(parts) >= part else ""

    return Header(
        application=get(3),
        facility=get(4),
        receiving_application=get(5),
        receiving_facility=get(6),
        kind=get(9),
        event=get(9, 2),
        control_id=get(10)[:199],
        processing=get(11) or "P",
        version=get(12) or "2.5.1",
        accept_mode=get(15),
        application_mode=get(16),
        country=get(17),
        charset=get(18),
        language=get(19),
    )


def build(
    header: Header,
    acknowledgement: Acknowledgement,
    moment: datetime,
    *,
    reason: Reason | None = None,
    language: str = "zh",
    enhanced: bool = False,
    number: str = "",
) -> bytes:
    """The acknowledgement in the character set of the message it answers; segments end with CR.

    `number` becomes our own control id; `enhanced` answers with CA, CE, CR as MSH-15 asks for.
    """
    code = _ENHANCED[acknowledgement] if enhanced else acknowledgement
    text = errors.text(errors.Issue("processing", reason.key, reason.params), language) if reason else ""
    lines = [
        _msh(header, moment, number),
        "|".join(["MSA", code, _escape(header.control_id), _escape(text)]).rstrip("|"),
    ]
    if reason:
        lines.append(_err(header, reason, text, language))
    return ("\r".join(lines) + "\r").encode(_codec(header), "replace")


def _msh(header: Header, moment: datetime, number: str) -> str:
    local = moment.astimezone()
    stamp = f"{local:%Y%m%d%H%M%S}{local:%z}"
    event = f"ACK^{_escape(header.event)}^ACK" if header.event else "ACK"
    return "|".join([
        "MSH", "^~\\&",
        _escape(header.receiving_application) or "KANGYUN", _escape(header.receiving_facility) or "KANGYUN",
        _escape(header.application), _escape(header.facility),
        stamp, "", event, number or f"{local:%Y%m%d%H%M%S%f}", _escape(header.processing), _escape(header.version),
        "", "", "", "", _escape(header.country), _escape(header.charset),
    ]).rstrip("|")  # fmt: skip


def _err(header: Header, reason: Reason, text: str, language: str) -> str:
    segment, field, component = _located(reason.place)
    meaning = _TABLE_0357.get(reason.code, "")
    other = errors.text(errors.Issue("processing", reason.key, reason.params), "en" if language == "zh" else "zh")
    first = "" if header.version >= "2.5" else f"{segment}^{reason.occurrence}^{field}^{reason.code}&{meaning}&HL70357"
    location = f"{segment}^{reason.occurrence}^{field}^1^{component}".rstrip("^") if segment else ""
    code = f"{reason.code}^{meaning}^HL70357"
    return "|".join(["ERR", first, location, code, "E", reason.key, "", _escape(other), _escape(text)])


def _located(place: str) -> tuple[str, str, str]:
    match = _PLACE.fullmatch(place)
    return (match[1], match[2] or "", match[3] or "") if match else ("", "", "")


def _escape(text: str) -> str:
    for sign, code in (("\\", "\\E\\"), ("|", "\\F\\"), ("^", "\\S\\"), ("&", "\\T\\"), ("~", "\\R\\")):
        text = text.replace(sign, code)
    return text.replace("\r", " ").replace("\n", " ")


def _codec(header: Header) -> str:
    declared = re.sub(r"[^A-Z0-9]", "", header.charset.upper())
    return next((codec for name, codec in _CODECS.items() if declared.startswith(name)), "utf-8")


def _lenient(line: bytes) -> str:
    for codec in ("utf-8", "gb18030"):
        try:
            return line.decode(codec)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")


def _clean(text: str) -> str:
    return text if text.isprintable() else "".join(sign for sign in text if sign.isprintable())
