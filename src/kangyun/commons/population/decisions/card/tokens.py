"""The signed form of a card's code: a JSON Web Signature (RFC 7515, compact) that a terminal checks without a network.

Claims have one letter, since every sign makes the QR code denser: c card number, i issue of the card, t made, x expires
(seconds since 1970), j number of the token, n masked name.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from kangyun.base.keys import base64url


@dataclass(frozen=True, slots=True)
class Claims:
    """What the region signs; times are whole seconds since 1970."""

    number: str
    issue: int
    made: int
    expires: int
    token: str
    name: str


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was read and not yet verified."""

    algorithm: str
    key_id: str
    claims: Claims
    signed: bytes
    signature: bytes


def unsigned_text(claims: Claims, algorithm: str, key_id: str) -> str:
    """The header and the claims: what is signed."""
    header = {"alg": algorithm, "kid": key_id}
    body = {
        "c": base64url(bytes.fromhex(claims.number)), "i": claims.issue, "t": claims.made, "x": claims.expires,
        "j": claims.token, "n": claims.name,
    }
    return f"{_packed(header)}.{_packed(body)}"


def signed_text(unsigned: str, signature: bytes) -> str:
    """The whole token."""
    return f"{unsigned}.{base64url(signature)}"


def parse_token(text: str) -> Token | None:
    """A token's parts; None for what is none of ours. Nothing of it is to be believed before its signature is verified."""
    try:
        header_text, body_text, signature = text.split(".")
        header, body = _opened(header_text), _opened(body_text)
        claims = Claims(
            _bytes(body["c"]).hex().upper(), int(body["i"]), int(body["t"]), int(body["x"]), str(body["j"]), str(body["n"])
        )
        return Token(str(header["alg"]), str(header["kid"]), claims, f"{header_text}.{body_text}".encode(), _bytes(signature))
    except (ValueError, KeyError, TypeError):
        return None


def _packed(part: dict[str, Any]) -> str:
    return base64url(json.dumps(part, ensure_ascii=False, separators=(",", ":")).encode())


def _opened(text: str) -> dict[str, Any]:
    part = json.loads(_bytes(text))
    if not isinstance(part, dict):
        raise TypeError
    return part


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
