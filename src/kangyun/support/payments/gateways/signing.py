"""RSA-SHA256 signatures (PKCS 1 version 1.5), as all three channels use them, and the files that hold the keys."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import load_pem_x509_certificate

_OTHERS = 0o077


def sign(key: rsa.RSAPrivateKey, message: bytes) -> str:
    """The signature in base64."""
    return b64encode(key.sign(message, padding.PKCS1v15(), hashes.SHA256())).decode()


def verified(key: rsa.RSAPublicKey, message: bytes, signature: str) -> bool:
    """Whether a signature in base64 is the key holder's."""
    try:
        key.verify(b64decode(signature, validate=True), message, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True


def secret(path: Path) -> bytes:
    """The content of a file that nobody else may read. Raises RuntimeError, which names the file and not what is in it."""
    try:
        if path.stat().st_mode & _OTHERS:
            raise RuntimeError(f"{path} may be read by others; its mode must be 600")
        return path.read_bytes()
    except OSError as error:
        raise RuntimeError(f"{path}: {error.strerror}") from None


def private_key(path: Path) -> rsa.RSAPrivateKey:
    """Our own key from a PEM file that nobody else may read. Raises RuntimeError."""
    try:
        key = serialization.load_pem_private_key(secret(path), None)
    except (ValueError, TypeError):
        raise RuntimeError(f"{path} is no private key in PEM") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise RuntimeError(f"{path} is no RSA key")  # noqa: TRY004 - a wrong file is an operator's mistake, told as all others are
    return key


def public_key(path: Path) -> rsa.RSAPublicKey:
    """A channel's key from a PEM file with a certificate or a public key. Raises RuntimeError."""
    try:
        pem = path.read_bytes()
        certificate = b"BEGIN CERTIFICATE" in pem
        key = load_pem_x509_certificate(pem).public_key() if certificate else serialization.load_pem_public_key(pem)
    except (OSError, ValueError):
        raise RuntimeError(f"{path} is no certificate or public key in PEM") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise RuntimeError(f"{path} is no RSA key")  # noqa: TRY004 - a wrong file is an operator's mistake, told as all others are
    return key
