"""HL7 v2 as text: segments by field numbers, escapes, times, and the frame of MLLP."""

from __future__ import annotations

from datetime import datetime
from functools import cache, lru_cache

from yunzhou.institutions import Institution, institution
from yunzhou.plans import CHINA

SEPARATORS = "^~\\&"
_ESCAPES = str.maketrans(
    {"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\", "\r": " ", "\n": "\\.br\\"}
)


def escape(text: str) -> str:
    """Return text in which no character separates (HL7 v2.5 2.7)."""
    return text if text.isalnum() else text.translate(_ESCAPES)


def segment(name: str, fields: dict[int, str]) -> str:
    """Return a segment from its field numbers, which must ascend; empty fields at the end are left out."""
    written, last = name, 0
    for number, text in fields.items():
        if text:
            written += BARS[number - last] + text
            last = number
    return written


BARS = ["|" * number for number in range(64)]


def components(*parts: str) -> str:
    """Join escaped components; empty ones at the end are left out."""
    return "^".join([part if part.isalnum() else part.translate(_ESCAPES) for part in parts]).rstrip("^")


def stamp(at: datetime, house: Institution) -> str:
    """Return a time to the second; a hospital without the habit of zones leaves China time unsaid."""
    text = plain_time(at)
    return text + "+0800" if house.habits.zone else text


@lru_cache(maxsize=8192)
def plain_time(at: datetime) -> str:
    """Return a time in China as YYYYMMDDHHMMSS."""
    text = (at if at.tzinfo is CHINA else at.astimezone(CHINA)).isoformat()
    return f"{text[:4]}{text[5:7]}{text[8:10]}{text[11:13]}{text[14:16]}{text[17:19]}"


def header(house: Institution, event: str, control: str, at: datetime, application: str) -> str:
    """Return the MSH segment; `event` is like ADT^A04."""
    kind, rest = _header(house.key, event)
    return f"MSH|{SEPARATORS}|{application}|{house.mnemonic}|KANGYUN|YUNZHOU|{stamp(at, house)}||{kind}|{control}|P|{rest}"


@cache
def _header(key: int, event: str) -> tuple[str, str]:
    """Return MSH-9 and what stands from MSH-12 on: version, acknowledgements, country, characters."""
    house = institution(key)
    kind, code = event.split("^")
    modern = house.version >= "2.5"
    name = f"{event}^{STRUCTURES.get(code, f'{kind}_{code}')}" if modern else event
    rest = [house.version, "", "", *(["AL", "NE", "CHN"] if modern else ["", "", ""]), house.charset]
    return name, "|".join(rest).rstrip("|")


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
