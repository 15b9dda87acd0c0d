"""Bytes of a message to text: the declared character set is honoured, an undeclared one is found out."""

from __future__ import annotations

import re

from kangyun.commons.exchange.model import Fault

# HL7 table 0211 and the spellings that systems in China really send; keys are compared without blanks and signs.
_CODECS = {
    "": "",
    "ASCII": "ascii",
    "USASCII": "ascii",
    "ISOIR6": "ascii",
    "88591": "latin-1",
    "ISO88591": "latin-1",
    "UNICODEUTF8": "utf-8",
    "UNICODE": "utf-8",
    "UTF8": "utf-8",
    "GB180302000": "gb18030",
    "GB18030": "gb18030",
    "GBK": "gb18030",
    "GB2312": "gb18030",
    "ISOIR58": "gb18030",
    "BIG5": "big5hkscs",
    "CNS116431992": "big5hkscs",
}
_BOM = b"\xef\xbb\xbf"
_UTF16 = re.compile(rb"\A(\xff\xfe|\xfe\xff|\x00[A-Z]\x00|[A-Z]\x00[A-Z]\x00)")
_SIGNS = re.compile(r"[^A-Z0-9]")
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\x7e\xa1-\xfe]")


def decode(body: bytes) -> tuple[str, str]:
    """Return the text and the codec that reads it.

    Raises Fault on MSH-18 when the bytes contradict the declared set, when the set is unknown, and on UTF-16 and
    NUL bytes, which the framing of HL7 cannot carry.
    """
    if _UTF16.match(body):
        raise Fault("exchange.utf-16", "MSH-18", unreadable=True)
    nul = body.find(b"\0")
    if nul >= 0:
        raise Fault("exchange.nul-byte", _place(body, nul), unreadable=True)
    body = body.removeprefix(_BOM)
    declared = declared_set(body)
    codec = _CODECS.get(_SIGNS.sub("", declared.upper()))
    if codec is None:
        raise Fault("exchange.unknown-charset", "MSH-18", {"value": declared[:40]}, code="103", unreadable=True)
    if "CNS" in declared.upper() and _is_euc_tw(body):
        raise Fault("exchange.unknown-charset", "MSH-18", {"value": "CNS 11643 (EUC-TW)"}, code="103", unreadable=True)
    return (_decode(body, codec), codec) if codec else _guess(body)


def _is_euc_tw(body: bytes) -> bool:
    """Whether a text declared as CNS 11643 truly is: systems say so and send Big5, where half of the second bytes are below 128.

    Read as Big5 it would give other people's names, so that it is refused.
    """
    pairs = _PAIR.findall(body)
    return len(pairs) >= 8 and all(pair[1] >= 0xA1 for pair in pairs)


def declared_set(body: bytes) -> str:
    """MSH-18 of the message, its first repetition; empty when it declares none."""
    header = re.split(rb"[\r\n]", body[:4096].lstrip(b"\r\n"), maxsplit=1)[0].decode("latin-1")
    fields = header.split(header[3:4] or "|")
    repetition = header[5:6] or "~"
    return fields[17].split(repetition)[0].strip() if len(fields) > 17 else ""


def _decode(body: bytes, codec: str) -> str:
    try:
        return body.decode(codec)
    except UnicodeDecodeError as error:
        # Systems that declare ASCII and send Chinese are common; ASCII promises nothing about bytes above 127.
        if codec == "ascii":
            return _guess(body)[0]
        raise Fault(
            "exchange.charset-contradicted", _place(body, error.start), {"charset": codec}, code="102", unreadable=True
        ) from error


def _guess(body: bytes) -> tuple[str, str]:
    for codec in ("utf-8", "gb18030"):
        try:
            return body.decode(codec), codec
        except UnicodeDecodeError as error:
            place = _place(body, error.start)
    raise Fault("exchange.undecodable", place, code="102", unreadable=True)


def _place(body: bytes, offset: int) -> str:
    """The segment^field in which a byte stands, found without decoding."""
    start = max(body.rfind(b"\r", 0, offset), body.rfind(b"\n", 0, offset)) + 1
    segment = body[start:offset]
    name = segment[:3].decode("latin-1")
    if not re.fullmatch("[A-Z][A-Z0-9]{2}", name):
        return "MSH-1"
    fields = segment.count(b"|")
    return f"{name}-{fields + (name == 'MSH')}" if fields else name
