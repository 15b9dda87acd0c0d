"""How a program proves that it is the client it says: by a secret, or by signing an assertion with its key (RFC 7523)."""

from __future__ import annotations

import hmac
import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import import_key

from kangyun.base import clock, jobs
from kangyun.base.outside import Unfetchable, allowances, fetch
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.decisions.clients import keys_of
from kangyun.commons.access.decisions.tokens import ALGORITHMS, Proof, Refused, check_assertion, hashed
from kangyun.commons.access.queries import clients as reading
from kangyun.commons.access.queries.clients import Client, sql

_KEYS_BYTES = 64 * 1024
_KEYS_SECONDS = 5.0
# Keys that were fetched are good for so long, and are fetched again at most so often when an unknown one is named.
_KEYS_KEPT = 300.0
_KEYS_PAUSE = 10.0
_LONGEST = 16_000
_MOST_KEYS = 20
_KEPT_AT_MOST = 1000

_fetched: dict[str, tuple[float, list[dict[str, Any]]]] = {}


async def proven(parts: Parts, proof: Proof, audiences: tuple[str, ...]) -> Client:
    """The active client that a proof is of; raises Refused (invalid_client) without saying what was wrong with a secret."""
    id_ = proof.client or (_claimed(proof.secret) if proof.way == "assertion" else "")
    client = await reading.client(parts.database, id_) if 0 < len(id_) <= 100 else None
    if client is None or not client.active:
        raise Refused("invalid_client", "the client is unknown, or its proof is wrong", 401)
    if proof.way == "assertion":
        await _check_assertion(parts, client, proof.secret, audiences)
    elif proof.way == "none":
        if client.kind != "public":
            raise Refused("invalid_client", "the client must prove itself", 401)
    elif client.secret is None or not hmac.compare_digest(client.secret, hashed(proof.secret)):
        raise Refused("invalid_client", "the client is unknown, or its proof is wrong", 401)
    await _note_use(parts, client)
    return client


def _claimed(assertion: str) -> str:
    """Whom an assertion that was not checked yet speaks of: the client whose keys will check it."""
    parts = assertion.split(".")
    if len(parts) != 3 or len(assertion) > _LONGEST:
        return ""
    claims = _decoded(parts[1])
    return str(claims.get("sub", ""))


def _decoded(part: str) -> Mapping[str, Any]:
    try:
        told = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


async def _check_assertion(parts: Parts, client: Client, assertion: str, audiences: tuple[str, ...]) -> None:
    if not client.has_keys or len(assertion) > _LONGEST:
        raise Refused("invalid_client", "the client has no keys", 401)
    head = _decoded(assertion.partition(".")[0])
    key_id = str(head.get("kid", ""))
    claims = _verified(assertion, await _keys(parts, client, key_id))
    if claims is None:
        raise Refused("invalid_client", "the signature is not that of a key of the client", 401)
    now = clock.now()
    jti, ends = check_assertion(claims, audiences, now.timestamp())
    if claims.get("sub") != client.id:
        raise Refused("invalid_client", "iss and sub must be the client id", 401)
    async with parts.database.connection() as connection:
        digest = sha256(jti.encode()).digest()
        first = await connection.fetchval(sql.once, client.id, digest, datetime.fromtimestamp(ends, UTC))
    if first is None:
        raise Refused("invalid_client", "the assertion was used before", 401)


def _verified(assertion: str, keys: list[dict[str, Any]]) -> Mapping[str, Any] | None:
    """The claims, when one of the keys signed them by an algorithm of ours."""
    for key in keys[:_MOST_KEYS]:
        with suppress(JoseError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return jwt.decode(assertion, import_key(key), algorithms=list(ALGORITHMS)).claims
    return None


async def _keys(parts: Parts, client: Client, key_id: str) -> list[dict[str, Any]]:
    """The keys of a client that an assertion may have been signed with."""
    if client.jwks is not None:
        keys = keys_of(json.loads(client.jwks))
    else:
        keys = await _keys_from(parts, client.jwks_uri or "", key_id)
    named = [key for key in keys if key.get("kid") == key_id] if key_id else keys
    if not named:
        raise Refused("invalid_client", "kid names no key of the client", 401)
    return named


async def _keys_from(parts: Parts, address: str, key_id: str) -> list[dict[str, Any]]:
    now = time.monotonic()
    at, keys = _fetched.get(address, (-_KEYS_KEPT, list[dict[str, Any]]()))
    known = any(key.get("kid") == key_id for key in keys)
    if now - at < (_KEYS_KEPT if known else _KEYS_PAUSE):
        return keys
    try:
        found = await fetch(address, limit=_KEYS_BYTES, seconds=_KEYS_SECONDS, allow=allowances(parts.settings.outside_allow))
        keys = keys_of(json.loads(found.body)) if found.status == 200 else []
    except (Unfetchable, ValueError, AttributeError, RecursionError):
        raise Refused("invalid_client", "the keys at jwks_uri cannot be read", 401) from None
    if len(_fetched) >= _KEPT_AT_MOST:
        _fetched.clear()
    _fetched[address] = (now, keys)
    return keys


async def _note_use(parts: Parts, client: Client) -> None:
    """When a client was last seen, to the minute."""
    now = clock.now()
    if client.used is None or now - client.used > timedelta(minutes=1):
        async with parts.database.connection() as connection:
            await connection.execute(sql.used, client.id, now, now - timedelta(minutes=1))


@jobs.every("access.trim_assertions", seconds=900)
async def trim(services: Any, _payload: dict[str, Any]) -> None:
    """Forget assertions that have expired and so could not be used again."""
    async with services.database.connection() as connection:
        await connection.execute(sql.trim_assertions, clock.now())
