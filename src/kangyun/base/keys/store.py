"""Keys in files of the data folder, made when they are first asked for."""

from __future__ import annotations

import hmac
import re
import secrets
import time
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from kangyun.base.keys import ring, sealing, sm2
from kangyun.base.keys.blocks import sm4
from kangyun.base.keys.model import Block, PublicKey, Unopenable, UnsuitableKey
from kangyun.base.keys.token import Token, open_token
from kangyun.base.settings import Settings

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
KINDS = ("seal", "mac", "block", "sign")
_STALE_SECONDS = 1.0
_LENGTHS = (16, 32)


class Guards(Protocol):
    """What protects the keys in their files: nothing but the file's mode, or a key inside a PKCS#11 token."""

    def guard(self, secret: bytes) -> bytes:
        """What is written for a key."""
        ...

    def unguard(self, guarded: bytes) -> bytes:
        """The key again; raises Unopenable."""
        ...


class _FileMode:
    def guard(self, secret: bytes) -> bytes:
        return secret

    def unguard(self, guarded: bytes) -> bytes:
        # A keyed hash takes bytes of any length: with the guarded ones, nobody would be found by his number any more.
        if len(guarded) not in _LENGTHS:
            raise Unopenable("the keys are guarded by a PKCS#11 device: name it in the setting keys_pkcs11_library")
        return guarded


class FileKeys:
    """A KeyStore over a folder; several processes may share it.

    `sealing_algorithm` is AES-256-GCM or SM4-GCM, for new data; what exists is opened whichever sealed it.
    """

    def __init__(self, folder: Path, sealing_algorithm: str = "AES-256-GCM", guards: Guards | None = None) -> None:
        if sealing_algorithm not in sealing.MARKS:
            raise ValueError(f"setting keys_sealing: {sealing_algorithm} is not one of {', '.join(sealing.MARKS)}")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder = folder
        self._algorithm = sealing_algorithm
        self.guards = guards or _FileMode()
        self._rings: dict[Path, tuple[int, ring.Ring]] = {}
        self._looked: dict[tuple[str, str], tuple[float, ring.Ring]] = {}
        self._opening: dict[str, ring.Ring] = {}

    def seal(self, purpose: str, data: bytes, context: bytes = b"") -> bytes:
        """See KeyStore."""
        current = self._remembered("seal", purpose)[-1]
        own = bytes.fromhex(current.id), current.secret
        return sealing.seal(self._algorithm, own, data, purpose, context)

    def open(self, purpose: str, sealed: bytes, context: bytes = b"") -> bytes:
        """See KeyStore."""
        wanted = sealing.key_id_of(sealed).hex()
        found = _version(self._opening.get(purpose, ()), wanted)
        if found is None:
            # Versions are only ever added, so what is remembered stays true; looking at the file took longer than to open.
            self._opening[purpose] = self._known("seal", purpose)
            found = _version(self._opening[purpose], wanted)
        if found is None:
            raise Unopenable(f"key {wanted} of {purpose} is not in {self.folder}")
        return sealing.opened(found.secret, sealed, purpose, context)

    def mac(self, purpose: str, data: bytes) -> bytes:
        """See KeyStore."""
        return hmac.digest(self._remembered("mac", purpose)[-1].secret, data, "sha256")

    def block(self, name: str) -> Block:
        """See KeyStore."""
        return sm4(self._ring("block", name)[-1].secret)

    def sign(self, name: str, message: bytes, key_id: str = "") -> bytes:
        """See KeyStore; a name ends in -sm2 or -es256, which is its algorithm."""
        versions = self._ring("sign", name)
        chosen = next((one for one in versions if one.id == key_id), versions[-1])
        return self._signature(_algorithm(name), chosen.secret, message)

    def public(self, name: str) -> list[PublicKey]:
        """See KeyStore."""
        algorithm = _algorithm(name)
        versions = reversed(self._ring("sign", name))
        return [PublicKey(one.id, algorithm, *self._point(algorithm, one.secret)) for one in versions]

    def rotate(self, purpose: str) -> str:
        """See KeyStore; `purpose` is the name of a sealing or a signing key."""
        kind = "sign" if purpose.endswith(("-sm2", "-es256")) else "seal"
        if not self._path(kind, purpose).exists():
            # A keyed hash of the same purpose has a key of its own, which stays.
            if self._path("mac", purpose).exists() or self._path("block", purpose).exists():
                raise UnsuitableKey(f"{purpose} makes numbers that are looked up; a new key would lose what has them")
            raise UnsuitableKey(f"there is no key {purpose} yet")
        return self._append(kind, purpose, self._new_secret(kind, purpose))[-1].id

    def current(self, purpose: str, now: datetime) -> tuple[str, float]:
        """The id of the version that seals new data, and how many seconds old it is; it is made when there is none."""
        version = self._ring("seal", purpose)[-1]
        return version.id, (now - datetime.fromisoformat(version.made)).total_seconds()

    def retire(self, purpose: str) -> list[str]:
        """Remove all versions of a sealing key but the current one, for good; what they sealed opens no more. Their ids."""
        path = self._path("seal", purpose)
        with ring.alone(self.folder):
            versions = self._known("seal", purpose)
            if not versions:
                raise UnsuitableKey(f"there is no key {purpose} yet")
            self._looked.pop(("seal", purpose), None)
            ring.keep_last(path, versions, self.guards.guard)
        return [one.id for one in versions[:-1]]

    def bring(self, name: str, secret: bytes) -> str:
        """Take a block cipher's key of 16 bytes from outside, before it was first used; returns the version's id."""
        if len(secret) != 16:
            raise UnsuitableKey(f"a block cipher's key has 16 bytes, not {len(secret)}")
        if self._path("block", name).exists():
            raise UnsuitableKey(f"{name} is there already; another key would change every number made with it")
        return self._append("block", name, secret)[-1].id

    def names(self) -> list[tuple[str, str, int]]:
        """Kind, name and number of versions of every key."""
        found = sorted(path.stem.partition(".") for path in self.folder.glob("*.*.json"))
        return [(kind, name, len(self._known(kind, name))) for kind, _, name in found]

    def _new_secret(self, kind: str, _name: str) -> bytes:
        return ring.new_secret(kind)

    def _signature(self, algorithm: str, secret: bytes, message: bytes) -> bytes:
        return _signature(algorithm, secret, message)

    def _point(self, algorithm: str, secret: bytes) -> tuple[bytes, bytes]:
        return _point(algorithm, secret)

    def _remembered(self, kind: str, name: str) -> ring.Ring:
        """As `_ring`, but the file is looked at once a second: that took longer than to seal a resource."""
        now = time.monotonic()
        seen = self._looked.get((kind, name))
        if seen is None or now - seen[0] > _STALE_SECONDS:
            seen = self._looked[kind, name] = (now, self._ring(kind, name))
        return seen[1]

    def _ring(self, kind: str, name: str) -> ring.Ring:
        return self._known(kind, name) or self._first(kind, name)

    def _known(self, kind: str, name: str) -> ring.Ring:
        """All versions, read again when another process rotated; none when there is no file."""
        path = self._path(kind, name)
        try:
            changed = path.stat().st_mtime_ns
        except FileNotFoundError:
            return ()
        seen = self._rings.get(path)
        if seen is None or seen[0] != changed:
            seen = self._rings[path] = (changed, ring.read(path, self.guards.unguard))
        return seen[1]

    def _first(self, kind: str, name: str) -> ring.Ring:
        with ring.alone(self.folder):
            # Another process may have made it while this one waited.
            return self._known(kind, name) or self._write(kind, name, (), self._new_secret(kind, name))

    def _append(self, kind: str, name: str, secret: bytes) -> ring.Ring:
        with ring.alone(self.folder):
            return self._write(kind, name, self._known(kind, name), secret)

    def _write(self, kind: str, name: str, versions: ring.Ring, secret: bytes) -> ring.Ring:
        self._looked.pop((kind, name), None)
        return ring.append(self._path(kind, name), versions, secret, self.guards.guard)

    def _path(self, kind: str, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a key: small letters, digits and single hyphens")
        return self.folder / f"{kind}.{name}.json"


class TokenKeys(FileKeys):
    """FileKeys whose files are guarded by a PKCS#11 token, which also holds the ES256 keys and signs with them."""

    def __init__(self, folder: Path, sealing_algorithm: str, token: Token) -> None:
        super().__init__(folder, sealing_algorithm, token)
        self._token = token

    def _new_secret(self, kind: str, name: str) -> bytes:
        """A key; of an ES256 key that is made inside of the token, the handle by which it is called."""
        if kind != "sign" or _algorithm(name) != "ES256":
            return super()._new_secret(kind, name)
        handle = secrets.token_bytes(16)
        self._token.new_pair(name, handle)
        return handle

    def _signature(self, algorithm: str, secret: bytes, message: bytes) -> bytes:
        inside = algorithm == "ES256"
        return self._token.sign(secret, message) if inside else super()._signature(algorithm, secret, message)

    def _point(self, algorithm: str, secret: bytes) -> tuple[bytes, bytes]:
        return self._token.public(secret) if algorithm == "ES256" else super()._point(algorithm, secret)


def open_keys(settings: Settings) -> FileKeys:
    """The keys of this installation: `keys` in the data folder, unless the setting names another place.

    Raises RuntimeError when a PKCS#11 token is set that cannot be opened, or is not the one that guards the keys.
    """
    keys = _opened(settings)
    try:
        keys.names()
    except Unopenable as error:
        raise RuntimeError(f"{keys.folder}: {error}") from None
    return keys


def _opened(settings: Settings) -> FileKeys:
    folder = Path(settings.keys_folder) if settings.keys_folder else settings.data / "keys"
    if not settings.keys_pkcs11_library:
        return FileKeys(folder, settings.keys_sealing)
    token = open_token(settings.keys_pkcs11_library, settings.keys_pkcs11_token, settings.keys_pkcs11_pin_file)
    return TokenKeys(folder, settings.keys_sealing, token)


def _version(versions: ring.Ring, wanted: str) -> ring.Version | None:
    return next((one for one in reversed(versions) if one.id == wanted), None)


def _algorithm(name: str) -> str:
    word = name.rpartition("-")[2]
    if word not in {"sm2", "es256"}:
        raise ValueError(f"{name!r} does not end in -sm2 or -es256")
    return word.upper()


def _signature(algorithm: str, secret: bytes, message: bytes) -> bytes:
    if algorithm == "SM2":
        return sm2.sign(int.from_bytes(secret), message)
    der = ec.derive_private_key(int.from_bytes(secret), ec.SECP256R1()).sign(message, ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(der)
    return r.to_bytes(32) + s.to_bytes(32)


def _point(algorithm: str, secret: bytes) -> tuple[bytes, bytes]:
    if algorithm == "SM2":
        x, y = sm2.public_point_of(int.from_bytes(secret))
    else:
        numbers = ec.derive_private_key(int.from_bytes(secret), ec.SECP256R1()).public_key().public_numbers()
        x, y = numbers.x, numbers.y
    return x.to_bytes(32), y.to_bytes(32)
