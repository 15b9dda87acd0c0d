"""The value formats of R4's primitive types: https://hl7.org/fhir/R4/datatypes.html#primitive.

Dates are real calendar dates: the pattern itself knows the months' lengths and the leap years, so that the schema and
the exact walk agree. Control characters are refused everywhere; PostgreSQL could not store NUL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

_YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DAY = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    f"|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_CLOCK = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\\.[0-9]+)?"
_ZONE = "(?:Z|[+-](?:(?:0[0-9]|1[0-3]):[0-5][0-9]|14:00))"
_MONTH = f"{_YEAR}(?:-(?:0[1-9]|1[0-2]))?"
_TEXT = r"[^\x00-\x08\x0b\x0c\x0e-\x1f]+"
_URI = r"[^\s\x00-\x20\x7f]+"
_ID = r"[A-Za-z0-9\-.]{1,64}"
_BASE64 = "(?:[0-9A-Za-z+/]{4})*(?:[0-9A-Za-z+/]{2}==|[0-9A-Za-z+/]{3}=)?"
_HEX = "[0-9a-f]"

MAX_STRING = 1024 * 1024
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_SPACES = re.compile(r"[ \t\r\n]+")

PATTERNS = {
    "base64Binary": _BASE64,
    "canonical": _URI,
    "code": r"[^\s\x00-\x20]+(?: [^\s\x00-\x20]+)*",
    "date": f"(?:{_DAY}|{_MONTH})",
    "dateTime": f"(?:{_DAY}(?:T{_CLOCK}{_ZONE})?|{_MONTH})",
    "id": _ID,
    "instant": f"{_DAY}T{_CLOCK}{_ZONE}",
    "markdown": _TEXT,
    "oid": r"urn:oid:[0-2](?:\.(?:0|[1-9][0-9]*))+",
    "string": _TEXT,
    "time": _CLOCK,
    "uri": _URI,
    "url": _URI,
    "uuid": f"urn:uuid:{_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}}",
    "xhtml": _TEXT,
}
"""Type -> pattern of the whole text, in the dialect that Python and Rust share."""

RANGES = {"integer": (-(2**31), 2**31 - 1), "unsignedInt": (0, 2**31 - 1), "positiveInt": (1, 2**31 - 1)}
"""Integer type -> smallest and largest value."""

_MATCH = {name: re.compile(pattern).fullmatch for name, pattern in PATTERNS.items()}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a primitive value: a FHIR issue type and a message key."""

    code: str
    key: str


_WRONG_TYPE = Fault("structure", "fhir.primitive-type")
_FORMAT = Fault("value", "fhir.primitive-format")
_RANGE = Fault("value", "fhir.primitive-range")
_EMPTY = Fault("value", "fhir.empty-string")
_CONTROL = Fault("value", "fhir.control-character")
_LONG = Fault("too-long", "fhir.string-length")


def fault(type_name: str, value: Any) -> Fault | None:
    """The fault of a JSON value as a primitive of R4, if any."""
    if type_name == "boolean":
        return None if isinstance(value, bool) else _WRONG_TYPE
    if type_name in RANGES:
        return _integer_fault(type_name, value)
    if type_name == "decimal":
        return None if type(value) in {int, float, Decimal} else _WRONG_TYPE
    return _text_fault(type_name, value) if isinstance(value, str) else _WRONG_TYPE


def _integer_fault(type_name: str, value: Any) -> Fault | None:
    if isinstance(value, Decimal) and value == value.to_integral_value() and "." not in str(value):
        return _RANGE
    if type(value) is not int:
        return _WRONG_TYPE
    low, high = RANGES[type_name]
    return None if low <= value <= high else _RANGE


def _text_fault(type_name: str, value: str) -> Fault | None:
    if not value:
        return _EMPTY
    if CONTROL.search(value):
        return _CONTROL
    if type_name == "xhtml":
        return None
    if type_name in {"string", "markdown"}:
        return None if len(value) <= MAX_STRING else _LONG
    # Line breaks inside base64 are allowed.
    text = _SPACES.sub("", value) if type_name == "base64Binary" else value
    return None if _MATCH[type_name](text) else _FORMAT
