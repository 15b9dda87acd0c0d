"""`kangyun keys`: list and rotate, seal anew what older keys sealed, and bring in the keys that a region is given."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from kangyun.app.services import Services, open_services
from kangyun.base.keys import FileKeys, UnsuitableKey, open_keys
from kangyun.base.sealing import Progress, Way, registered, reseal, retire
from kangyun.base.settings import Settings
from kangyun.commons.exchange.actions import resealing


def list_keys(settings: Settings) -> int:
    """Print kind, name and number of versions of every key; never a key."""
    for kind, name, versions in open_keys(settings).names():
        print(f"{kind:6} {name:24} {versions} version{'s' if versions > 1 else ''}")
    return 0


def rotate_key(settings: Settings, purpose: str) -> int:
    """Make a new version current; returns 1 with a reason where that is not possible."""
    return _told(open_keys(settings), lambda keys: f"{purpose}: new data use key {keys.rotate(purpose)}; what is old still opens")


# Every room that seals must have said so before anybody asks which purposes there are.
_ROOMS = (resealing,)


def reseal_keys(settings: Settings, purpose: str) -> int:
    """Seal anew, now and with progress, what an older version sealed or nobody; of one purpose or, without a name, of all."""
    return asyncio.run(_reseal(settings, purpose))


async def _reseal(settings: Settings, purpose: str) -> int:
    async with _opened(settings) as services:
        if purpose and purpose not in registered():
            print(_unknown(purpose), file=sys.stderr)
            return 1
        for one in [purpose] if purpose else registered():
            done = await reseal(services.database, services.keys, one, Way(_progress, rest=0.0))
            print(f"{one}: {done.renewed} of {done.seen} sealed anew" if done else f"{one}: nothing to do, or a running platform is about it")
    return 0


def retire_key(settings: Settings, purpose: str) -> int:
    """Remove old versions of a key, once nothing needs them; returns 1 while something still does."""
    return asyncio.run(_retire(settings, purpose))


async def _retire(settings: Settings, purpose: str) -> int:
    if purpose not in registered():
        print(_unknown(purpose), file=sys.stderr)
        return 1
    async with _opened(settings) as services:
        gone = await retire(services.database, services.keys, purpose)
    if gone is None:
        print(f"{purpose}: something was still sealed with an old key, or the newest is seconds old; it was sealed anew, ask again", file=sys.stderr)
        return 1
    print(f"{purpose}: {len(gone)} old versions removed; backups that need them open no more")
    return 0


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[Services]:
    services = await open_services(settings)
    try:
        yield services
    finally:
        await services.close()
        await services.database.stop_server()


def _unknown(purpose: str) -> str:
    return f"{purpose!r} cannot be sealed anew; these can: {', '.join(registered())}"


def _progress(progress: Progress) -> None:
    if sys.stdout.isatty():
        print(f"{progress.purpose}: {progress.seen} seen, {progress.renewed} sealed anew", end="\r", flush=True)


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
