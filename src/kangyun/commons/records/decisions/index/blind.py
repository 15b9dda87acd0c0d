"""How the index knows what tells who somebody is: by keyed hashes, so that the database alone does not betray it.

A number (ID number, telephone, any identifier) is known by one keyed hash. An address must be found by its beginning: each
character becomes four signs that depend on the key and on everything before it, so that equal beginnings stay equal
beginnings and nothing else does.
"""

from __future__ import annotations

import base64
from functools import lru_cache

from kangyun.base.keys import vault
from kangyun.commons.records.model import hash64


class _Old:
    """Whether entries from before there were keyed hashes may still be in the index."""

    searched = False


def search_old(yes: bool) -> None:
    """Say, for this process, whether searches must also find what was indexed without a key."""
    _Old.searched = yes


def number(text: str) -> int:
    """Under which number a telling text is indexed."""
    return vault.blind(text)


def numbers(text: str) -> tuple[int, ...]:
    """Under which numbers a telling text may be found."""
    return (vault.blind(text), hash64(text)) if _Old.searched else (vault.blind(text),)


def veiled(lexeme: str) -> str:
    """A lexeme of an address: its five signs of slot and mark, then the text as only the key can tell it."""
    return lexeme[:5] + _veil(vault.generation(), lexeme[5:])


def both(lexeme: str) -> tuple[str, ...]:
    """Under which lexemes an address may be found."""
    return (veiled(lexeme), lexeme) if _Old.searched else (veiled(lexeme),)


# A town's streets come again and again.
@lru_cache(maxsize=16384)
def _veil(_generation: int, text: str) -> str:
    return base64.b64encode(vault.blind_beginnings(text), b"-_").decode()
