"""The file of one key: all its versions, the current one last."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kangyun.base import clock
from kangyun.base.keys.sm2 import N

_OWNER_ONLY = 0o600


@dataclass(frozen=True, slots=True)
class Version:
    """One version: `id` is eight hexadecimal digits, `secret` the key itself (32 bytes, or 16 for a block cipher)."""

    id: str
    made: str
    secret: bytes


Ring = tuple[Version, ...]
Guard = Callable[[bytes], bytes]




def new_secret(kind: str) -> bytes:
    """A fresh key of a kind: seal, mac, block, or sign (a number that both curves take)."""
    if kind == "sign":
        return (1 + secrets.randbelow(N - 2)).to_bytes(32)
    return secrets.token_bytes(16 if kind == "block" else 32)


def read(path: Path, unguard: Guard) -> Ring:
    """All versions; raises FileNotFoundError, and PermissionError when others could read the file."""
    if path.stat().st_mode & 0o077:
        raise PermissionError(f"{path} may be read by others; its mode must be 600")
    told: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["versions"]
    return tuple(Version(one["id"], one["made"], unguard(bytes.fromhex(one["secret"]))) for one in told)


def append(path: Path, ring: Ring, secret: bytes, guard: Guard) -> Ring:
    """Write the file anew with one version more; durable before it is used."""
    return _keep(path, (*ring, Version(secrets.token_hex(4), clock.instant(clock.now()), secret)), guard)


def keep_last(path: Path, ring: Ring, guard: Guard) -> Ring:
    """Write the file anew with the current version alone."""
    return _keep(path, ring[-1:], guard)


def _keep(path: Path, ring: Ring, guard: Guard) -> Ring:
    told = [{"id": one.id, "made": one.made, "secret": guard(one.secret).hex()} for one in ring]
    _write(path, json.dumps({"key": path.stem, "versions": told}, indent=1) + "\n")
    return ring


def _write(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _OWNER_ONLY)
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def alone(folder: Path) -> Generator[None]:
    """Only one process at a time makes or rotates keys."""
    handle = os.open(folder / ".lock", os.O_WRONLY | os.O_CREAT, _OWNER_ONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
