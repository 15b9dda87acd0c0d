"""HL7 v2 as text: segments by field numbers, escapes, times, and the frame of MLLP."""

from __future__ import annotations

from datetime import datetime

from yunzhou.institutions import Institution
from yunzhou.plans import CHINA

SEPARATORS = "^~\\&"
_ESCAPES = str.maketrans(
    {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\r": " ", "\n": "\\.br\\"}
)


def escape(text: str) -> str:
    """Return text in which no character separates (HL7 v2.5 2.7)."""
    return text if text.isalnum() else text.translate(_ESCAPES)


def segment(name: str, fields: dict[int, str]) -> str:
    """Return a segment from its field numbers; empty fields at the end are left out."""
    last = max((number for number, text in fields.items() if text), default=0)
    return "|".join([name, *(fields.get(number, "") for number in range(1, last + 1))])


def components(*parts: str) -> str:
    """Join escaped components; empty ones at the end are left out."""
    return "^".join(escape(part) for part in parts).rstrip("^")


def stamp(at: datetime, house: Institution) -> str:
    """Return a time to the second; a hospital without the habit of zones leaves China time unsaid."""
    text = at.astimezone(CHINA).strftime("%Y%m%d%H%M%S")
    return text + "+0800" if house.habits.zone else text


def header(house: Institution, event: str, control: str, at: datetime, application: str) -> str:
    """Return the MSH segment; `event` is like ADT^A04."""
    kind, code = event.split("^")
    structure = STRUCTURES.get(code, f"{kind}_{code}")
    modern = house.version >= "2.5"
    fields = {
        2: application, 3: house.mnemonic, 4: "KANGYUN", 5: "YUNZHOU", 6: stamp(at, house),
        8: f"{event}^{structure}" if modern else event, 9: control, 10: "P", 11: house.version,
        14: "AL" if modern else "", 15: "NE" if modern else "", 16: "CHN" if modern else "", 17: house.charset,
    }  # fmt: skip
    # MSH-1 is the separator itself, so the numbers here are one less than the standard's.
    return segment("MSH", {1: SEPARATORS, **fields})


STRUCTURES = {
    "A04": "ADT_A01", "A08": "ADT_A01", "A13": "ADT_A01", "A11": "ADT_A09", "A28": "ADT_A05", "A31": "ADT_A05",
    "A40": "ADT_A39", "R01": "ORU_R01",
}  # fmt: skip


def encode(segments: list[str], house: Institution) -> bytes:
    """Return the message as the bytes that go over the wire, each segment ended by CR."""
    return "".join(f"{text}\r" for text in segments).encode(house.encoding)


def frame(message: bytes) -> bytes:
    """Return the message in the frame of MLLP release 1."""
    return b"\x0b" + message + b"\x1c\r"
