"""A message as text that a person can edit, and the edited text as bytes again, in the character set it came in."""

from __future__ import annotations

import re

from kangyun.commons.exchange.decisions.encoding import decode
from kangyun.commons.exchange.model import Fault

MOST_BYTES = 512 * 1024
_DECLARED = re.compile(rb"""\A(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=["']([A-Za-z0-9._-]+)["']""")


def text_of(body: bytes, form: str) -> str | None:
    """The text with ordinary line ends; None for what is no text, or too long to edit."""
    codec = _codec(body, form)
    if codec is None or len(body) > MOST_BYTES or b"\0" in body:
        return None
    return re.sub(r"\r\n?", "\n", body.decode(codec))


def written(original: bytes, form: str, text: str) -> bytes | None:
    """An edited text in the character set and with the line ends of the original; None when they cannot hold it."""
    codec = _codec(original, form)
    if codec is None:
        return None
    text = re.sub(r"\r\n?", "\n", text)
    if form == "hl7v2":
        text = text.replace("\n", "\r")
        if original.endswith(b"\r") and not text.endswith("\r"):
            text += "\r"
    elif b"\r\n" in original:
        text = text.replace("\n", "\r\n")
    try:
        return text.encode(codec)
    except UnicodeEncodeError:
        return None


def _codec(body: bytes, form: str) -> str | None:
    if form == "hl7v2":
        try:
            return decode(body)[1]
        except Fault:
            # What declares one set and is another can still be read by guessing, and then be mended.
            return _guess(body)
    declared = _DECLARED.match(body)
    if declared:
        try:
            body.decode(declared[1].decode())
        except (UnicodeDecodeError, LookupError):
            return _guess(body)
        return declared[1].decode()
    return _guess(body)


def _guess(body: bytes) -> str | None:
    for codec in ("utf-8", "gb18030"):
        try:
            body.decode(codec)
        except UnicodeDecodeError:
            continue
        return codec
    return None
