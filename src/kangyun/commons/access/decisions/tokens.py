"""What the token endpoint judges: refusals, PKCE, proofs of clients, life times. OAuth 2.1, RFC 6749, 7523, 7636, OpenID Connect."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from urllib.parse import unquote_plus

from kangyun.base.rules import Rule, load

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - the name of a kind of token (RFC 8693)
ALGORITHMS = ("RS384", "ES384", "ES256")
"""How a client may sign: RS384 and ES384 as SMART requires, and ES256."""
SIGNING_KEY = "oauth-es256"
"""The name of the key that signs id_tokens."""

_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


class Refused(Exception):  # noqa: N818 - an expected outcome
    """A refusal in the words of RFC 6749 section 5.2; `description` is for the app's maker and quotes nothing that was sent."""

    def __init__(self, error: str, description: str = "", status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True, slots=True)
class Proof:
    """How a client says who it is: `way` is none, basic, post or assertion; `secret` is the secret or the assertion."""

    client: str
    way: str
    secret: str = ""


@dataclass(frozen=True, slots=True)
class Times:
    """Life times in seconds."""

    code: int
    asking: int
    launch: int
    token: int
    service: int
    exchanged: int
    assertion: int
    leeway: int


def times() -> Times:
    """The life times in force."""
    told = _map()
    return Times(
        told["code_seconds"], told["asking_minutes"] * 60, told["launch_minutes"] * 60, told["token_minutes"] * 60,
        told["service_minutes"] * 60, told["exchanged_minutes"] * 60, told["assertion_minutes"] * 60, told["leeway_seconds"],
    )


def _map() -> Mapping[str, Any]:
    return load("kangyun.commons.access", "oauth.yaml").map


def renewal_seconds(role: str, scopes: str) -> int | None:
    """For how long an app gets refresh tokens; None: it gets none."""
    words, told = scopes.split(), _map()
    if "offline_access" in words:
        return int(told["offline_days"]["resident" if role in {"resident", "guardian"} else "staff"]) * 86_400
    return int(told["online_hours"]) * 3600 if "online_access" in words else None


def hashed(secret: str) -> bytes:
    """What is kept of a secret that nobody can guess."""
    return sha256(secret.encode()).digest()


def is_challenge(text: str) -> bool:
    """Whether a text can be the challenge of a verifier by method S256."""
    return _CHALLENGE.fullmatch(text) is not None


def answers(verifier: str, challenge: str) -> bool:
    """Whether a verifier is the one that a challenge was made of (RFC 7636 section 4.6, S256)."""
    if not _UNRESERVED.fullmatch(verifier):
        return False
    made = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)


def proof_of(form: Mapping[str, str], authorization: str) -> Proof:
    """How a client says who it is, which it must do in one way only (RFC 6749 section 2.3); raises Refused."""
    ways: list[Proof] = []
    if authorization[:6].lower() == "basic ":
        ways.append(_basic(authorization[6:].strip()))
    if form.get("client_assertion") or form.get("client_assertion_type"):
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise Refused("invalid_client", "client_assertion_type must be jwt-bearer", 401)
        ways.append(Proof(form.get("client_id", ""), "assertion", form.get("client_assertion", "")))
    if form.get("client_secret"):
        ways.append(Proof(form.get("client_id", ""), "post", form["client_secret"]))
    if len(ways) > 1:
        raise Refused("invalid_request", "the client must prove itself in one way only")
    if ways and ways[0].way == "basic" and form.get("client_id", ways[0].client) != ways[0].client:
        raise Refused("invalid_request", "client_id is not that of the Authorization header")
    if not ways and not form.get("client_id"):
        raise Refused("invalid_client", "the client is not named", 401)
    return ways[0] if ways else Proof(form["client_id"], "none")


def _basic(text: str) -> Proof:
    """Client id and secret of a header, each form-encoded before they were joined (RFC 6749 section 2.3.1)."""
    try:
        client, colon, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        client, colon, secret = "", "", ""
    if not colon:
        raise Refused("invalid_client", "the Authorization header is not Basic credentials", 401)
    return Proof(unquote_plus(client), "basic", unquote_plus(secret))


def check_assertion(claims: Mapping[str, Any], audiences: tuple[str, ...], now: float) -> tuple[str, float]:
    """The jti and the end of an assertion whose signature holds; raises Refused (RFC 7523 section 3, SMART Backend Services)."""
    limits = times()
    client, jti, ends = claims.get("sub"), claims.get("jti"), claims.get("exp")
    told = claims.get("aud")
    named = told if isinstance(told, list) else [told]
    faults = {
        "iss and sub must be the client id": not client or claims.get("iss") != client,
        "aud must be the address of the token endpoint": not any(one in audiences for one in named),
        "exp must be a number": not _is_number(ends),
        "jti must be there": not isinstance(jti, str) or not 0 < len(jti) <= 500,
    }
    for words, wrong in faults.items():
        if wrong:
            raise Refused("invalid_client", words, 401)
    end = float(ends or 0)
    if end <= now - limits.leeway:
        raise Refused("invalid_client", "the assertion has expired", 401)
    if end > now + limits.assertion + limits.leeway:
        raise Refused("invalid_client", "exp must be at most five minutes ahead", 401)
    begins = [claims[name] for name in ("nbf", "iat") if name in claims]
    if not all(_is_number(one) and float(one) <= now + limits.leeway for one in begins):
        raise Refused("invalid_client", "the assertion is not yet valid", 401)
    return str(jti), end + limits.leeway


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12


def check_example(_rule: Rule, given: Mapping[str, Any]) -> Any:
    """The verdict on a worked example of rules/oauth.yaml."""
    if "verifier" in given:
        return answers(given["verifier"], given["challenge"])
    return renewal_seconds(given["role"], given["scopes"])
