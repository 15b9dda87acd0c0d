"""`kangyun keys`: list, rotate, and bring in the keys that a region is given."""

from __future__ import annotations

import sys
from collections.abc import Callable

from kangyun.base.keys import FileKeys, UnsuitableKey, open_keys
from kangyun.base.settings import Settings


def list_keys(settings: Settings) -> int:
    """Print kind, name and number of versions of every key; never a key."""
    for kind, name, versions in open_keys(settings).names():
        print(f"{kind:6} {name:24} {versions} version{'s' if versions > 1 else ''}")
    return 0


def rotate_key(settings: Settings, purpose: str) -> int:
    """Make a new version current; returns 1 with a reason where that is not possible."""
    return _told(open_keys(settings), lambda keys: f"{purpose}: new data use key {keys.rotate(purpose)}; what is old still opens")


def bring_key(settings: Settings, name: str) -> int:
    """Take the key of a block cipher as hexadecimal digits from standard input, where no history of commands keeps it."""
    text = sys.stdin.readline().strip()
    return _told(open_keys(settings), lambda keys: f"{name}: key {keys.bring(name, _bytes(text))} is in use")


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise UnsuitableKey("the key must be given as 32 hexadecimal digits") from None


def _told(keys: FileKeys, work: Callable[[FileKeys], str]) -> int:
    try:
        print(work(keys))
    except (UnsuitableKey, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
