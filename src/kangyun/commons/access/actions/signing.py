"""Signing what one has written or reviewed, with keys of one's own, and telling later whether it is still what was signed.

    async def beside(session: Transaction) -> list[Write]:
        return [await sign(session.connection, session.actor, [Content(resource, version)], "author")]

The private parts of keys are sealed in the database and opened for the moment of a signature; nobody can sign for somebody
else, because the signer is who is logged in. Whoever may read something may have its signatures verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from kangyun.base import clock
from kangyun.base.database import Connection, queries
from kangyun.base.errors import refuse
from kangyun.base.keys import PublicKey, vault, verify
from kangyun.base.keys.ring import new_secret
from kangyun.base.keys.sm2 import public_point
from kangyun.base.keys.sm2 import sign as sm2_sign
from kangyun.base.sealing import Page, reseals
from kangyun.commons.access.actions.gate import Handle
from kangyun.commons.access.decisions import signing as decisions
from kangyun.commons.access.decisions.relations import named_patients
from kangyun.commons.access.decisions.signing import Content, Detached, Head
from kangyun.commons.access.model import Actor
from kangyun.commons.records import StoreSession, Write, key_of

sql = queries("kangyun.commons.access", "queries/signing.sql")

PURPOSE = "signing"
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of one signing of a resource.

    provenance: id; practitioner: id of whoever signed; purpose: what for; version: which one was signed.
    genuine: every signature is the signer's and covers exactly the version signed. changed: what stands there now is
    something else, states aside. Only what is genuine and not changed `holds`.
    """

    provenance: str
    practitioner: str
    purpose: str
    signed: datetime
    version: int
    algorithms: tuple[str, ...]
    genuine: bool
    changed: bool

    @property
    def holds(self) -> bool:
        """Whether the signature is good for what stands there now."""
        return self.genuine and not self.changed


@dataclass(frozen=True, slots=True)
class _Pair:
    """A key pair of somebody, opened."""

    id: str
    algorithm: str
    secret: int

    def sign(self, message: bytes) -> bytes:
        """A signature of 64 bytes (r and s)."""
        if self.algorithm == "SM2":
            return sm2_sign(self.secret, message)
        private = ec.derive_private_key(self.secret, ec.SECP256R1())
        r, s = decode_dss_signature(private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)


async def sign(connection: Connection, actor: Actor, contents: Sequence[Content], purpose: str = "author") -> Write:
    """Sign exact versions as `actor`, and return the Write of the Provenance; commit it in the same transaction.

    Raises Problem 403 when the caller is no Practitioner, 422 for a purpose that nobody signs for.
    """
    if not actor.practitioner:
        raise refuse(403, "forbidden", "access.signs-nothing")
    if not decisions.is_purpose(purpose) or not contents or any(one.resource["resourceType"] not in decisions.signable() for one in contents):
        raise refuse(422, "value", "access.sign-purpose")
    id_, moment = uuid4().hex, clock.now()
    targets = tuple(content.target for content in contents)
    told = decisions.payload([content.resource for content in contents])
    made: list[tuple[Head, str]] = []
    for pair in await _pairs(connection, actor.practitioner):
        head = Head(pair.algorithm, pair.id, actor.practitioner, purpose, clock.instant(moment), targets)
        encoded = decisions.header(head)
        made.append((head, decisions.detached(encoded, pair.sign(decisions.signing_input(encoded, told)))))
    await connection.executemany(sql.put_signature, [
        (_resident(content), key_of(content.resource["resourceType"], content.resource["id"]), id_, content.resource["resourceType"],
         content.resource["id"], content.version, purpose, actor.practitioner, moment) for content in contents])
    return Write("update", "Provenance", decisions.provenance(id_, made[0][0], actor.institution, made), id_, if_match=0)


def _resident(content: Content) -> int:
    patient = next(named_patients(content.resource), None)
    return key_of("Patient", patient) if patient else 0


async def _pairs(connection: Connection, practitioner: str) -> list[_Pair]:
    """The current key pairs of somebody; who signs for the first time is given them."""
    rows = await connection.fetch(sql.current_keys, practitioner)
    missing = set(decisions.algorithms()) - {row["algorithm"] for row in rows}
    if missing:
        for algorithm in sorted(missing):
            await _make(connection, practitioner, algorithm)
        # Two first signatures at once make one pair: who comes second waits for the first and takes what that one made.
        rows = await connection.fetch(sql.current_keys, practitioner)
    return [_Pair(row["id"], row["algorithm"], int(vault.opened(PURPOSE, bytes(row["secret"]).decode(), row["id"]), 16)) for row in rows]


async def _make(connection: Connection, practitioner: str, algorithm: str) -> None:
    secret = int.from_bytes(new_secret("sign"))
    if algorithm == "SM2":
        x, y = public_point(secret)
    else:
        numbers = ec.derive_private_key(secret, ec.SECP256R1()).public_key().public_numbers()
        x, y = numbers.x, numbers.y
    id_ = uuid4().hex
    sealed = vault.seal(PURPOSE, f"{secret:064x}", id_).encode()
    await connection.execute(sql.put_key, id_, practitioner, algorithm, x.to_bytes(32), y.to_bytes(32), sealed, clock.now())


async def end_keys(connection: Connection, practitioner: str) -> None:
    """Let somebody's keys sign no more (lost trust, left the profession); what they have signed stays verifiable."""
    await connection.execute(sql.end_keys, practitioner, clock.now())


async def verify_signature(handle: Handle, type_: str, id_: str) -> list[Verdict]:
    """What is to be said of every signing of a resource, oldest first; empty when nobody has signed it.

    Whoever may read the resource is entitled. Raises Problem 404 when the caller does not see it.
    """
    seen = await handle.read(type_, id_)
    if seen is None:
        raise refuse(404, "not-found", "records.not-found", type=type_)
    async with handle.connection() as connection:
        return await verdicts(connection, type_, id_)


async def verdicts(connection: Connection, type_: str, id_: str) -> list[Verdict]:
    """As `verify_signature`, for a room that has judged who asks."""
    found = await connection.fetch(sql.of_target, key_of(type_, id_))
    session = StoreSession(connection)
    now = await session.fetch(type_, id_) if found else None
    return [await _verdict(session, row, None if now is None or now.deleted else now.resource) for row in found]


async def _verdict(session: StoreSession, row: Any, now: dict[str, Any] | None) -> Verdict:
    kept = await session.fetch("Provenance", row["provenance"])
    parts = [] if kept is None or kept.deleted else [decisions.attached(one.get("data")) for one in kept.resource.get("signature", ())]
    read = [part for part in parts if part is not None]
    good = len(read) == len(parts) and {one.head.algorithm for one in read} >= set(decisions.algorithms())
    genuine = good and await _genuine(session, row, read)
    version = await session.fetch_version(row["type"], row["id"], row["version"])
    same = now is not None and version is not None and not version.deleted and decisions.covers(version.resource, now)
    return Verdict(
        row["provenance"], row["practitioner"], row["purpose"], row["signed"], row["version"],
        tuple(one.head.algorithm for one in read), genuine, not same)


async def _genuine(session: StoreSession, row: Any, read: Sequence[Detached]) -> bool:
    """Whether all signatures are the signer's own, over exactly the versions that they name, this one among them."""
    targets = read[0].head.targets
    content = await _content(session, targets)
    if content is None or f"{row['type']}/{row['id']}/_history/{row['version']}" not in targets:
        return False
    rows = await session.connection.fetch(sql.public_keys, [one.head.key for one in read])
    keys = {one["id"]: (one["practitioner"], PublicKey(one["id"], one["algorithm"], bytes(one["x"]), bytes(one["y"]))) for one in rows}
    return all(_fits(row, one, keys.get(one.head.key), (targets, content)) for one in read)


def _fits(row: Any, one: Detached, key: tuple[str, PublicKey] | None, signed: tuple[tuple[str, ...], bytes]) -> bool:
    if key is None or one.head.targets != signed[0] or one.head.algorithm != key[1].algorithm:
        return False
    if not one.head.practitioner == key[0] == row["practitioner"] or one.head.purpose != row["purpose"]:
        return False
    return verify(key[1], decisions.signing_input(one.encoded_header, signed[1]), one.signature)


async def _content(session: StoreSession, targets: Iterable[str]) -> bytes | None:
    """The exact content of the versions named; None when one of them is not there."""
    resources: list[dict[str, Any]] = []
    for target in targets:
        type_, id_, _, version = target.split("/")
        found = await session.fetch_version(type_, id_, int(version))
        if found is None or found.deleted:
            return None
        resources.append(found.resource)
    return decisions.payload(resources)


@reseals(PURPOSE)
async def reseal(connection: Connection, page: Page) -> str | None:
    """Seal the private parts anew with the current key."""
    rows = await connection.fetch(sql.keys_after, page.place, _AT_ONCE)
    page.seen = len(rows)
    for row in rows:
        sealed = bytes(row["secret"])
        if vault.key_id(sealed.decode()) != page.key:
            fresh = vault.seal(PURPOSE, vault.opened(PURPOSE, sealed.decode(), row["id"]), row["id"]).encode()
            await connection.execute(sql.keep_secret, row["id"], sealed, fresh)
            page.renewed += 1
    return rows[-1]["id"] if rows else None
