"""Logging in at a hospital's own directory (OpenID Connect Core 1.0, authorization code with PKCE, as its client).

The directory says who somebody is. What he may do stands here: an account of staff that is a member of the directory's
institution. The first time the two are linked by a claim that equals the user name; from then on by issuer and subject
alone, so that a name which the directory gives to somebody else opens nothing. What is opened is that institution only.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from kangyun.base import clock
from kangyun.base.database import queries
from kangyun.base.errors import Problem, refuse
from kangyun.base.outside import Unfetchable, allowances, fetch
from kangyun.commons.access.actions import failures, steps
from kangyun.commons.access.actions.parts import Parts, Visitor, known, nobody, note
from kangyun.commons.access.actions.steps import Step
from kangyun.commons.access.decisions.accounts import normal_login
from kangyun.commons.access.queries import accounts
from kangyun.commons.access.queries.accounts import Account
from kangyun.commons.access.queries.accounts import sql as account_sql

sql = queries("kangyun.commons.access", "queries/outside.sql")

_PURPOSE = "outside-client-secret"
_LARGEST = 200_000
_PATIENCE = 10.0
_ALGORITHMS = ["RS256", "PS256", "ES256", "ES384", "RS384", "RS512"]
# A directory's clock may be so wrong, in seconds.
_LEEWAY = 60


@dataclass(frozen=True, slots=True)
class Provider:
    """A directory. claim: of the id_token that must equal the user name when an account is first linked.

    second: whether the directory asks for a second factor itself; else it is asked for here.
    """

    id: str
    institution: str
    title: str
    issuer: str
    client_id: str
    client_secret: bytes | None
    claim: str
    second: bool


async def providers(parts: Parts) -> list[Provider]:
    """All directories, by title."""
    async with parts.database.connection() as connection:
        return [Provider(**row) for row in await connection.fetch(sql.providers)]


async def add_provider(parts: Parts, provider: Provider, secret: str) -> None:
    """Keep a directory with its client secret ('': a public client); one of the same id is replaced."""
    sealed = parts.keys.seal(_PURPOSE, secret.encode(), provider.id.encode()) if secret else None
    async with parts.database.connection() as connection:
        await connection.execute(
            sql.put, provider.id, provider.institution, provider.title, provider.issuer.rstrip("/"), provider.client_id,
            sealed, provider.claim, provider.second)


async def remove_provider(parts: Parts, id_: str) -> bool:
    """Let nobody in by a directory any more; False when there is none of that id."""
    async with parts.database.connection() as connection:
        return await connection.fetchval(sql.remove, id_, clock.now()) is not None


async def begin(parts: Parts, id_: str, back: str, target: str) -> tuple[str, str]:
    """Send somebody to a directory: the secret of the step that waits, and the address to go to.

    `back` is our address for the answer. Raises Problem 404 for no such directory, 503 when it does not answer.
    """
    provider = await _provider(parts, id_)
    about = await _about(parts, provider)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = urlencode({
        "response_type": "code", "scope": "openid profile", "client_id": provider.client_id, "redirect_uri": back,
        "state": state, "nonce": nonce, "code_challenge": challenge, "code_challenge_method": "S256",
    })
    step = Step("outside", next=target, challenge=state, provider=provider.id, nonce=nonce, verifier=verifier)
    address = str(about["authorization_endpoint"])
    return await steps.begin(parts, step), f"{address}{'&' if '?' in address else '?'}{asked}"


async def finish(parts: Parts, secret: str, back: str, answer: dict[str, str], visitor: Visitor) -> str:
    """Take the directory's answer; returns the secret of the login of staff that goes on.

    Raises Problem 410 when nobody waits for it, 401 for an answer that proves nothing, 403 for somebody who is no member
    of the institution here, 429, 503.
    """
    at = await failures.begin_at(parts, visitor.address)
    step = await steps.take(parts, secret, "outside")
    if step is None or not hmac.compare_digest(step.challenge, answer.get("state", "")):
        raise refuse(410, "expired", "access.step-over")
    provider = await _provider(parts, step.provider)
    try:
        claims = await _claims(parts, provider, step, answer, back)
        account = await _linked(parts, provider, claims)
    except Problem as problem:
        await note(parts, nobody(visitor), "login", outcome="failed", more="outside")
        raise problem from None
    await failures.forgive(parts, at)
    await note(parts, known(account.id, visitor), "identify", more="outside")
    factor = "outside2" if provider.second else "outside"
    return await steps.begin(parts, Step("staff", account.id, (factor,), step.next, provider.institution))


async def _provider(parts: Parts, id_: str) -> Provider:
    async with parts.database.connection() as connection:
        row = await connection.fetchrow(sql.provider, id_)
    if row is None:
        raise refuse(404, "not-found", "base.not-found")
    return Provider(**row)


async def _about(parts: Parts, provider: Provider) -> dict[str, Any]:
    """What the directory says of itself. Raises Problem 503."""
    found = await _asked(parts, f"{provider.issuer}/.well-known/openid-configuration")
    if found.get("issuer", "").rstrip("/") != provider.issuer:
        raise _away()
    return found


async def _asked(parts: Parts, url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
    """JSON from the directory. Raises Problem 503 when there is no answer, 401 when it is a refusal."""
    try:
        got = await fetch(
            url, limit=_LARGEST, seconds=_PATIENCE, allow=allowances(parts.settings.outside_allow),
            method="POST" if form else "GET", content=urlencode(form).encode() if form else b"",
            headers={"accept": "application/json", **({"content-type": "application/x-www-form-urlencoded"} if form else {}), **(headers or {})},
        )
        found: Any = orjson.loads(got.body)
    except (Unfetchable, ValueError):
        raise _away() from None
    if got.status >= 500 or not isinstance(found, dict):
        raise _away()
    if got.status >= 400:
        raise _wrong()
    return found


async def _claims(parts: Parts, provider: Provider, step: Step, answer: dict[str, str], back: str) -> dict[str, Any]:
    """What the directory vouches for: the claims of an id_token that is its own, for us, fresh, and an answer to this login."""
    if not answer.get("code"):
        raise _wrong()
    about = await _about(parts, provider)
    form = {
        "grant_type": "authorization_code", "code": answer["code"], "redirect_uri": back, "client_id": provider.client_id,
        "code_verifier": step.verifier,
    }
    tokens = await _asked(parts, str(about["token_endpoint"]), form, _basic(parts, provider))
    keys = await _asked(parts, str(about["jwks_uri"]))
    try:
        claims = jwt.decode(str(tokens.get("id_token", "")), KeySet.import_key_set(keys), algorithms=_ALGORITHMS).claims  # pyright: ignore[reportArgumentType] - what the directory sent is checked by the library
    except (JoseError, ValueError, KeyError, TypeError):
        raise _wrong() from None
    if not _is_meant(claims, provider, step.nonce):
        raise _wrong()
    return claims


def _is_meant(claims: dict[str, Any], provider: Provider, nonce: str) -> bool:
    """Whether an id_token is of this directory, for us, in force, and for this login (OpenID Connect Core 3.1.3.7)."""
    now = clock.seconds()
    audience = claims.get("aud")
    several = list(audience) if isinstance(audience, list) else [audience]
    return (
        str(claims.get("iss", "")).rstrip("/") == provider.issuer
        and provider.client_id in several
        and (len(several) == 1 or claims.get("azp") == provider.client_id)
        and _number(claims.get("exp")) > now - _LEEWAY
        and _number(claims.get("iat")) < now + _LEEWAY
        and hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode())
        and bool(claims.get("sub"))
    )


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _basic(parts: Parts, provider: Provider) -> dict[str, str]:
    if provider.client_secret is None:
        return {}
    secret = parts.keys.open(_PURPOSE, provider.client_secret, provider.id.encode()).decode()
    pair = f"{quote(provider.client_id, safe='')}:{quote(secret, safe='')}"
    return {"authorization": f"Basic {b64encode(pair.encode()).decode()}"}


async def _linked(parts: Parts, provider: Provider, claims: dict[str, Any]) -> Account:
    """The account that a directory's subject has here, linked now if it is the first time. Raises Problem 403."""
    handle = sha256(f"{provider.issuer}\x00{claims['sub']}".encode()).digest()
    async with parts.database.connection() as connection:
        row = await connection.fetchrow(sql.linked, handle)
    account = await accounts.account(parts.database, row["account"]) if row else await _first_time(parts, provider, claims)
    if account is None or account.state != "active" or not await _is_member(parts, provider, account):
        raise refuse(403, "forbidden", "access.no-member")
    if row is None:
        await _link(parts, provider, account, handle)
    return account


async def _first_time(parts: Parts, provider: Provider, claims: dict[str, Any]) -> Account | None:
    """The account whose user name the directory's claim is; none that is linked to another subject there already."""
    login = normal_login(str(claims.get(provider.claim, "")))
    account = await accounts.by_login(parts.database, login) if login else None
    if account is None:
        return None
    async with parts.database.connection() as connection:
        taken = await connection.fetchval(sql.link_of, account.id, provider.id)
    return None if taken else account


async def _is_member(parts: Parts, provider: Provider, account: Account) -> bool:
    return any(one.institution == provider.institution for one in await accounts.memberships(parts.database, account.id))


async def _link(parts: Parts, provider: Provider, account: Account, handle: bytes) -> None:
    async with parts.database.connection() as connection:
        await connection.execute(
            account_sql.put_credential, secrets.token_hex(12), account.id, "outside", handle, b"", 0, provider.id, clock.now())


def _away() -> Problem:
    return refuse(503, "transient", "access.outside-away")


def _wrong() -> Problem:
    return refuse(401, "login", "access.outside-wrong")
