"""Writes: a resident shares the summary by a link, takes it back, and whoever holds it opens it."""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.base.keys import KeyStore, base64url
from kangyun.commons.access import Handle, key_of
from kangyun.commons.population.decisions import sharing
from kangyun.commons.population.decisions.card import is_right, scrambled
from kangyun.commons.population.decisions.summary import document
from kangyun.commons.population.queries.sharing import residents_of, sql
from kangyun.commons.population.queries.summary import whole

_PURPOSE = "share-passcode"


@dataclass(frozen=True, slots=True)
class Wish:
    """How somebody wants to share: for how many days, in which language, named how, guarded by which passcode."""

    days: int
    language: str
    label: str = ""
    passcode: str = ""


@dataclass(frozen=True, slots=True)
class Shared:
    """A new link: `text` is what the QR holds and is shown this once."""

    id: str
    text: str
    expires: datetime


class WrongPasscode(Exception):  # noqa: N818 - it is an expected outcome
    """The passcode is wrong or missing; `remaining` tries are left."""

    def __init__(self, remaining: int) -> None:
        super().__init__()
        self.remaining = remaining


async def share(handle: Handle, keys: KeyStore, patient_id: str, wish: Wish, address: str) -> Shared:
    """Make the summary of a person as it is now and a link to it. `address` is this server's, without a slash at the end.

    Raises Problem 404 for no Patient, 422 for days, a passcode or a label that the rules do not allow.
    """
    terms = sharing.terms()
    if wish.days not in terms.days or wish.language not in {"zh", "en"} or len(wish.label) > terms.label_most:
        raise refuse(422, "value", "population.share-terms")
    if wish.passcode and len(wish.passcode) < terms.passcode_least:
        raise refuse(422, "value", "population.share-passcode", least=str(terms.passcode_least))
    found = await whole(handle, patient_id)
    if found is None:
        raise refuse(404, "not-found", "records.not-found", type="Patient")
    now = clock.now()
    expires = (now + timedelta(days=wish.days)).replace(microsecond=0)
    key, id_ = os.urandom(32), secrets.token_urlsafe(32)
    content = sharing.encrypted(fhir_json.dumps(document(*found, wish.language, clock.instant(now))), key)
    told = keys.mac(_PURPOSE, wish.passcode.encode())
    kept = await asyncio.to_thread(scrambled, told, os.urandom(16)) if wish.passcode else None
    async with handle.connection() as connection:
        await connection.execute(
            sql.keep, id_, key_of("Patient", patient_id), patient_id, wish.label, now, expires, kept, content)
    payload = sharing.payload(
        f"{address}/shl/{id_}", base64url(key), int(expires.timestamp()), wish.label, passcode=bool(wish.passcode))
    return Shared(id_, sharing.link(payload), expires)


async def end(handle: Handle, patient_id: str, id_: str) -> None:
    """Take a link back at once. Raises Problem 404 when the person has no such open link."""
    residents = await residents_of(handle, patient_id)
    async with handle.connection() as connection:
        if await connection.fetchval(sql.end_link, id_, residents, clock.now()) is None:
            raise refuse(404, "not-found", "population.no-link")


async def opened(handle: Handle, keys: KeyStore, id_: str, recipient: str, passcode: str | None) -> str:
    """The encrypted document behind a link, noted for its owner with what the opener calls himself.

    Raises WrongPasscode, and Problem 404 for a link that is unknown, over, taken back or closed by wrong passcodes: to
    the opener these look the same.
    """
    async with handle.connection() as connection:
        row = await connection.fetchrow(sql.find, id_, clock.now())
    if row is None:
        raise refuse(404, "not-found", "population.no-link")
    told = keys.mac(_PURPOSE, (passcode or "").encode())
    right = row["passcode"] is None or await _try(handle, id_, row["passcode"], told)
    async with handle.connection() as connection:
        await connection.execute(sql.note, row["resident"], id_, clock.now(), recipient[:120], right)
    if not right:
        raise WrongPasscode(max(0, sharing.terms().tries - row["tries"] - 1))
    return str(row["content"])


async def _try(handle: Handle, id_: str, kept: str, told: bytes) -> bool:
    async with handle.connection() as connection:
        if await connection.fetchval(sql.count_try, id_, sharing.terms().tries) is None:
            raise refuse(404, "not-found", "population.no-link")
    if not await asyncio.to_thread(is_right, told, kept):
        return False
    async with handle.connection() as connection:
        await connection.execute(sql.right_try, id_)
    return True
