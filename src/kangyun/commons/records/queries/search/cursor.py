"""Sealed cursors: where the last page ended, readable only by this installation and only for the same search."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Sequence

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kangyun.commons.records.queries.search.refusals import bad_value

_NONCE = 12


class Place(msgspec.Struct, frozen=True, array_like=True):
    """The sort keys and the rid of the last row; `behind` when rows without the key have begun."""

    rid: int
    keys: tuple[float | int | str, ...] = ()
    behind: bool = False


def seal(secret: bytes, params: Sequence[tuple[str, str]], place: Place) -> str:
    """The cursor of a place in the search that `params` describe."""
    nonce = os.urandom(_NONCE)
    sealed = AESGCM(secret).encrypt(nonce, msgspec.json.encode(_finite(place)), _search(params))
    return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")


def unseal(secret: bytes, params: Sequence[tuple[str, str]], cursor: str) -> Place:
    """The place of a cursor; raises Problem 400 when it was changed or belongs to another search."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.json.decode(AESGCM(secret).decrypt(raw[:_NONCE], raw[_NONCE:], _search(params)), type=Place)
    except (binascii.Error, ValueError, InvalidTag, msgspec.DecodeError) as error:
        raise bad_value("_cursor") from error


def _search(params: Sequence[tuple[str, str]]) -> bytes:
    return msgspec.json.encode(list(params))


def _finite(place: Place) -> Place:
    # JSON has no infinity; this is beyond every date and read back as a float.
    keys = tuple(max(min(key, 1e308), -1e308) if isinstance(key, float) else key for key in place.keys)
    return Place(place.rid, keys, place.behind)
