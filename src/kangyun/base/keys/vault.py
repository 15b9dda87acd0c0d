"""What one process seals texts and finds identifiers with: the installation's keys, settled once as the time zone is.

A sealed text is base64. A blind number is a keyed hash: whoever steals a database cannot try all ID numbers against it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from hashlib import blake2b
from struct import unpack

from kangyun.base.keys.model import KeyStore, Unopenable

_BLIND = "blind-index"


class _Held:
    keys: KeyStore | None = None
    blind = b""
    # Keyed and empty, to be copied: to take in the key is a quarter of the work.
    number = blake2b()
    beginnings = blake2b()
    generation = 0


def use(keys: KeyStore) -> None:
    """Settle the keys of this process; every process of one database must use the same folder of keys."""
    secret = keys.mac(_BLIND, b"records")
    _Held.generation += secret != _Held.blind
    _Held.keys, _Held.blind = keys, secret
    _Held.number = blake2b(digest_size=8, key=secret)
    _Held.beginnings = blake2b(digest_size=3, key=secret, person=b"beginnings")


def seal(purpose: str, text: str, context: str) -> str:
    """The sealed text; `context` (whose it is) must be the same when it is opened."""
    return base64.b64encode(_keys().seal(purpose, text.encode(), context.encode())).decode()


def opened(purpose: str, sealed: str, context: str) -> str:
    """The text again, whichever version of the key sealed it; raises Unopenable."""
    try:
        raw = binascii.a2b_base64(sealed, strict_mode=True)
    except ValueError:
        raise Unopenable("it is not sealed data") from None
    return _keys().open(purpose, raw, context.encode()).decode()


def key_id(sealed: str) -> str:
    """The id of the key's version that sealed a text: eight hexadecimal digits."""
    return base64.b64decode(sealed[:8])[1:5].hex()


def blind(text: str) -> int:
    """The keyed hash of a text, a signed 64-bit number."""
    if not _Held.blind:
        _keys()
    state = _Held.number.copy()
    state.update(text.encode("utf-8", "replace"))
    return int.from_bytes(state.digest(), "big", signed=True)


def blind_all(texts: Iterable[str]) -> tuple[int, ...]:
    """As `blind`, of many at once."""
    if not _Held.blind:
        _keys()
    copy = _Held.number.copy
    digests: list[bytes] = []
    for text in texts:
        state = copy()
        state.update(text.encode("utf-8", "replace"))
        digests.append(state.digest())
    return unpack(f">{len(digests)}q", b"".join(digests))


def blind_beginnings(text: str) -> bytes:
    """Three bytes for each character, the keyed hash of the text up to it: equal beginnings stay equal, nothing else does."""
    if not _Held.blind:
        _keys()
    state = _Held.beginnings.copy()
    found: list[bytes] = []
    for sign in text:
        state.update(sign.encode("utf-8", "replace"))
        found.append(state.digest())
    return b"".join(found)


def generation() -> int:
    """A number that changes with the secret of blind numbers, for whoever remembers what was made of them."""
    return _Held.generation


def _keys() -> KeyStore:
    if _Held.keys is None:
        raise RuntimeError("this process was not told which keys to use: call vault.use first")
    return _Held.keys
