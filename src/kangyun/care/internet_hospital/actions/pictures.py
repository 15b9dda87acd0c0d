"""Taking in pictures: looked at in a thread, since one takes a tenth of a second."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence

from kangyun.base.errors import refuse
from kangyun.care.internet_hospital.decisions.papers import limit
from kangyun.care.internet_hospital.decisions.pictures import TYPE, NoPicture, rewritten
from kangyun.care.internet_hospital.model.consultations import id_by, media
from kangyun.commons.access import Write


async def taken(contents: Sequence[bytes]) -> list[str]:
    """The pictures written anew, as base64. Raises Problem 422 for too many, and for one that is no picture."""
    if len(contents) > limit("pictures"):
        raise refuse(422, "too-long", "internet_hospital.too-many-pictures", most=str(limit("pictures")))
    return [base64.b64encode(await asyncio.to_thread(_again, one)).decode() for one in contents]


def _again(content: bytes) -> bytes:
    try:
        return rewritten(content, side=limit("side"), most_bytes=limit("bytes"), most_pixels=limit("pixels"))
    except NoPicture as error:
        raise refuse(422, "value", "internet_hospital.no-picture", megabytes=str(limit("bytes") // 1_000_000)) from error


def writes(pictures: Sequence[str], patient: str, encounter: str, key: str, now: str) -> list[Write]:
    """One Media for each picture; the same key leads to the same ids."""
    return [
        Write("update", "Media", media(id_, patient, encounter, (TYPE, one), now), id_)
        for number, one in enumerate(pictures) for id_ in [id_by(encounter, key, "picture", str(number))]
    ]
