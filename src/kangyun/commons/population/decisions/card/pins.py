"""PINs of printed cards: six digits, kept as salted scrypt (RFC 7914) of their keyed hash.

What is scrambled here is the PIN under a key of the installation: a million PINs are tried in an hour at any cost that a
counter can wait for, so a stolen table must be worth nothing without the key. Scrypt is the second lock.
"""

from __future__ import annotations

import hashlib
import hmac

# 4 MB and some ten milliseconds for each try.
_COST, _BLOCK, _LANES = 2**12, 8, 1


def scrambled(pin: bytes, salt: bytes) -> str:
    """What is kept of a PIN's keyed hash; `salt` is 16 random bytes."""
    return f"scrypt${_COST}${_BLOCK}${_LANES}${salt.hex()}${_hash(pin, salt, (_COST, _BLOCK, _LANES)).hex()}"


def is_right(pin: bytes, kept: str) -> bool:
    """Whether a PIN is the one that was kept."""
    _, cost, block, lanes, salt, known = kept.split("$")
    return hmac.compare_digest(_hash(pin, bytes.fromhex(salt), (int(cost), int(block), int(lanes))), bytes.fromhex(known))


def is_weak(pin: str, digits: int) -> bool:
    """Whether a PIN is not of the asked length, one digit repeated, or digits in a row."""
    if len(pin) != digits or not pin.isascii() or not pin.isdigit():
        return True
    return pin in "01234567890123456789" or pin in "98765432109876543210" or len(set(pin)) == 1


def _hash(pin: bytes, salt: bytes, costs: tuple[int, int, int]) -> bytes:
    cost, block, lanes = costs
    return hashlib.scrypt(pin, salt=salt, n=cost, r=block, p=lanes, maxmem=64 * 1024 * 1024, dklen=32)
