"""What rooms may ask of keys, and how a signature is checked with a public key alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from kangyun.base.keys import sm2


class Unopenable(Exception):  # noqa: N818 - it is an expected outcome: damaged data, or keys that are not here
    """Sealed data cannot be opened; the text names a key id or a fault, never the data."""


class UnsuitableKey(Exception):  # noqa: N818 - an operator's mistake, told in words
    """What was asked of a key is not possible with it, such as rotating one whose results are numbers of people."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that anybody may have: `algorithm` is SM2 or ES256, `x` and `y` are 32 bytes each."""

    id: str
    algorithm: str
    x: bytes
    y: bytes

    @property
    def jwk(self) -> dict[str, str]:
        """The key as a JSON Web Key (RFC 7517); SM2 under the curve name of the Chinese drafts."""
        curve = "P-256" if self.algorithm == "ES256" else "SM2"
        return {"kty": "EC", "crv": curve, "alg": self.algorithm, "use": "sig", "kid": self.id,
                "x": sm2.base64url(self.x), "y": sm2.base64url(self.y)}


class Block(Protocol):
    """A block cipher with a key inside: SM4-ECB without padding."""

    def encrypt(self, data: bytes) -> bytes:
        """Encrypt whole blocks of 16 bytes."""
        ...

    def decrypt(self, data: bytes) -> bytes:
        """Decrypt whole blocks of 16 bytes."""
        ...


class KeyStore(Protocol):
    """The keys of one installation; every call is quick enough for a request."""

    def seal(self, purpose: str, data: bytes, context: bytes = b"") -> bytes:
        """Encrypt and authenticate; `context` (whose it is) must be the same when it is opened."""
        ...

    def open(self, purpose: str, sealed: bytes, context: bytes = b"") -> bytes:
        """The data again, whichever version of the key sealed it; raises Unopenable."""
        ...

    def mac(self, purpose: str, data: bytes) -> bytes:
        """A keyed hash of 32 bytes: the same data give the same bytes, which tell nothing without the key."""
        ...

    def block(self, name: str) -> Block:
        """The block cipher of a name."""
        ...

    def sign(self, name: str, message: bytes, key_id: str = "") -> bytes:
        """A signature of 64 bytes (r and s) by the current key or the one named."""
        ...

    def public(self, name: str) -> list[PublicKey]:
        """The public keys of a name, the current one first."""
        ...

    def current(self, purpose: str, now: datetime) -> tuple[str, float]:
        """The id of the version that seals new data, and how many seconds old it is."""
        ...

    def retire(self, purpose: str) -> list[str]:
        """Remove all versions of a sealing key but the current one, for good; their ids."""
        ...

    def rotate(self, purpose: str) -> str:
        """Make a new version the current one and return its id; raises UnsuitableKey."""
        ...


def verify(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether a signature of 64 bytes (r and s) is the key holder's."""
    if len(signature) != 64:
        return False
    if key.algorithm == "SM2":
        return sm2.verify((int.from_bytes(key.x), int.from_bytes(key.y)), message, signature)
    numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(key.x), int.from_bytes(key.y), ec.SECP256R1())
    der = encode_dss_signature(int.from_bytes(signature[:32]), int.from_bytes(signature[32:]))
    try:
        numbers.public_key().verify(der, message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
