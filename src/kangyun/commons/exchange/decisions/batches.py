"""Batches: several messages in one file or one request, with or without the envelope of FHS, BHS, BTS and FTS.

HL7 v2.5.1 chapter 2, sections 2.10.3 and 2.15.2 to 2.15.7.
"""

from __future__ import annotations

import re
from datetime import datetime

from kangyun.commons.exchange.model import Fault

_MESSAGE = re.compile(rb"(?:\A|[\r\n])[\x0b\xef\xbb\xbf]*(?=MSH[^A-Za-z0-9])")
_ENVELOPES = re.compile(rb"[\r\n](?:FHS|BHS|BTS|FTS)[^\r\n]*")
_OPENS = re.compile(rb"\A[\x0b\xef\xbb\xbf\s]*(?:FHS|BHS)([^A-Za-z0-9\s])")
_HEADS = re.compile(rb"(?:\A|[\r\n])[\x0b\xef\xbb\xbf]*BHS[^A-Za-z0-9\s]")
_ENDS = re.compile(rb"[\r\n]BTS([^A-Za-z0-9\s\r\n])?(\d{0,9})")


def messages(body: bytes) -> list[bytes]:
    """The HL7 v2 messages of a file: one, or a batch with or without its envelope."""
    starts = [match.end() for match in _MESSAGE.finditer(body)]
    if not starts:
        return [body]
    ends = [*starts[1:], len(body)]
    return [_ENVELOPES.sub(b"", body[start:end]).rstrip(b"\x0b\x1c\r\n") + b"\r" for start, end in zip(starts, ends, strict=True)]


def is_batch(body: bytes) -> bool:
    """Whether the bytes begin with a batch's envelope, or hold more than one message."""
    return _OPENS.match(body) is not None or len(messages(body)) > 1


def shortfall(body: bytes) -> Fault | None:
    """Why a batch is not whole: its end is missing, or it tells another number of messages than it holds."""
    heads, ends = len(_HEADS.findall(body)), list(_ENDS.finditer(body))
    if len(ends) < heads:
        return Fault("exchange.batch-unfinished", "BTS", code="100")
    told = [int(end[2]) for end in ends if end[2]]
    found = len(_MESSAGE.findall(body))
    if len(told) == len(ends) and told and sum(told) != found:
        return Fault("exchange.batch-count", "BTS-1", {"told": str(sum(told)), "found": str(found)}, code="102")
    return None


def answer(acknowledgements: list[bytes], moment: datetime, comment: str = "") -> bytes:
    """The batch of the acknowledgements, in the order of the messages; `comment` goes into BTS-2."""
    stamp = f"{moment.astimezone():%Y%m%d%H%M%S%z}"
    head = f"BHS|^~\\&|KANGYUN|KANGYUN|||{stamp}\r".encode()
    end = "|".join(["BTS", str(len(acknowledgements)), comment]).rstrip("|")
    return b"".join([head, *acknowledgements, end.encode(), b"\r"])
