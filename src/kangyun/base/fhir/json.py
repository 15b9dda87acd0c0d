"""FHIR JSON in and out: decimals keep their precision, keys occur once, nesting is bounded, text is UTF-8.

A fast reader takes the last of two equal keys and, left to itself, turns 1.50 into 1.5. Writing the result again and
comparing it with the input proves in about a microsecond that nothing of the kind happened; only otherwise the exact and
slower reader of the standard library is asked. msgspec reads as fast as orjson and needs a tenth of its memory, orjson writes faster.
https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from math import isinf
from typing import Any, NoReturn

import msgspec
import orjson

from kangyun.base.errors import Problem, refuse, register

register("kangyun.base.fhir")

MAX_DEPTH = 64
MAX_NUMBER = 100
BOM = b"\xef\xbb\xbf"

_BYTE = re.compile(r"\(byte (\d+)\)")
_TOO_DEEP = re.compile(rb"\n" + b" " * (2 * MAX_DEPTH + 1))


def loads(data: bytes) -> dict[str, Any]:
    """A resource (or other JSON object) from UTF-8 bytes; raises Problem 400 that names the fault.

    Numbers become int, float where the float writes the same text, else Decimal.
    """
    text = data.removeprefix(BOM)
    found = _fast(text)
    return found if _written_again(text, found) else _by_the_book(text)


def _fast(text: bytes) -> dict[str, Any]:
    try:
        found = _read_exactly(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _fault(text, error) from None
    if not isinstance(found, dict):
        raise refuse(400, "structure", "fhir.json-object")
    return found


def _written_again(text: bytes, found: dict[str, Any]) -> bool:
    try:
        _check_depth(text, found)
        written = dumps(found)
        # Blanks between the parts mean nothing; each part is kept as it stands.
        return written == text or written == msgspec.json.format(text, indent=-1)
    except TypeError:
        # An integer beyond 64 bits.
        return False


def _check_depth(text: bytes, found: dict[str, Any]) -> None:
    """Indented by orjson, a value's depth is its number of leading blanks; no walk in Python is as cheap."""
    if text.count(b"{") + text.count(b"[") <= MAX_DEPTH:
        return
    try:
        too_deep = _TOO_DEEP.search(orjson.dumps(found, default=_number, option=orjson.OPT_INDENT_2))
    except TypeError as error:
        if "64-bit" in str(error):
            raise
        # Beyond its own limit of 254 levels orjson gives up.
        too_deep = True
    if too_deep:
        raise refuse(400, "too-costly", "fhir.json-depth", limit=str(MAX_DEPTH))


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON; Decimal is written with every digit."""
    return orjson.dumps(value, default=_number)


def canonical(value: Any) -> bytes:
    """The one way to write a value: names in order, no blanks, every digit. What is signed is this."""
    return orjson.dumps(value, default=_number, option=orjson.OPT_SORT_KEYS)


def _number(value: object) -> orjson.Fragment:
    if not isinstance(value, Decimal) or not value.is_finite():
        raise TypeError(f"{type(value).__name__} is no JSON value")
    exponent = value.as_tuple().exponent
    positional = isinstance(exponent, int) and -MAX_NUMBER < exponent <= 0
    return orjson.Fragment(format(value, "f") if positional else str(value))


def _by_the_book(text: bytes) -> dict[str, Any]:
    """Read with the standard library, each number and key by our own rules."""
    try:
        found = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_no_number,
        )
    except RecursionError:
        raise refuse(400, "too-costly", "fhir.json-depth", limit=str(MAX_DEPTH)) from None
    _check_depth(text, found)
    return found


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise refuse(400, "structure", "fhir.json-duplicate", name=twice[:64])
    return found


def _decimal(text: str) -> float | Decimal:
    if len(text) > MAX_NUMBER:
        raise refuse(400, "value", "fhir.json-number")
    number = float(text)
    if isinf(number):
        raise refuse(400, "value", "fhir.json-number")
    return number if orjson.dumps(number) == text.encode() else Decimal(text)


_read_exactly = msgspec.json.Decoder(float_hook=_decimal).decode


def _integer(text: str) -> int | Decimal:
    if len(text) < 16 and text != "-0":
        return int(text)
    if len(text) > MAX_NUMBER:
        raise refuse(400, "value", "fhir.json-number")
    # What does not fit 64 bits could not be written again.
    return int(text) if len(text) < 19 and text != "-0" else Decimal(text)


def _no_number(_text: str) -> NoReturn:
    raise refuse(400, "value", "fhir.json-number")


def _fault(data: bytes, error: Exception) -> Problem:
    """The refusal for text that is not JSON, with its position but none of its content."""
    if isinstance(error, RecursionError):
        return refuse(400, "too-costly", "fhir.json-depth", limit=str(MAX_DEPTH))
    encoding = _foreign_encoding(data)
    if encoding:
        return refuse(400, "structure", "fhir.json-encoding", encoding=encoding)
    if not data.strip():
        return refuse(400, "structure", "fhir.json-empty")
    if isinstance(error, msgspec.ValidationError):
        return refuse(400, "value", "fhir.json-number")
    return _misspelt(data, str(error))


def _misspelt(data: bytes, message: str) -> Problem:
    found = _BYTE.search(message)
    before = data[: int(found[1]) if found else len(data)]
    line, start = before.count(b"\n") + 1, before.rfind(b"\n") + 1
    return refuse(400, "structure", "fhir.json-syntax", line=str(line), column=str(len(before) - start + 1))


def _foreign_encoding(data: bytes) -> str | None:
    """The likely encoding of bytes that are not UTF-8; None when they are."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"} or b"\x00" in data[:4]:
        return "UTF-16"
    try:
        data.decode()
    except UnicodeDecodeError:
        return "GB18030" if _is_gb18030(data) else "?"
    return None


def _is_gb18030(data: bytes) -> bool:
    try:
        data.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return True
