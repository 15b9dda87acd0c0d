"""Asking partners whom settings name: the gateway of text messages, the insurer, payment channels.

Such a question is a few hundred bytes and there are dozens in a journey, so it goes over connections that are kept for a moment, by a
client that parses in C (measured, both ends counted: 0.10 ms of processor time a question against 0.55 of httpx). No redirect is
followed, and size and time are bounded. An address that somebody else wrote is none of these: `outside.fetch` asks there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.request import getproxies
from weakref import WeakKeyDictionary

import aiohttp
from yarl import URL

from kangyun.base.outside import Unfetchable, trust

# Shorter than any partner keeps a connection open, so that none is closed under a question.
_KEPT_SECONDS = 2.0
_LARGEST = 64 * 1024 * 1024

# For each event loop a session that goes by the proxies that the environment names, and one that does not.
_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bool, aiohttp.ClientSession]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class Reply:
    """What a partner answered; names of headers are in lower case, the body is unpacked."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


async def ask(
    method: str, url: str, *, content: bytes = b"", headers: Mapping[str, str] | None = None, seconds: float = 10.0, proxies: bool = False,
) -> Reply:
    """The answer of a partner, whatever its status. proxies: whether it goes by those that the environment names.

    Raises Unfetchable (address, time, size or network) when nobody knows whether the partner has done what was asked.
    """
    place = _place(url)
    try:
        async with asyncio.timeout(seconds), _session(proxies).request(
            method, place, data=content or None, headers=headers, allow_redirects=False,
        ) as answer:
            body = await _body(answer)
            return Reply(answer.status, {name.lower(): value for name, value in answer.headers.items()}, body)
    except TimeoutError:
        raise Unfetchable("time") from None
    except (aiohttp.ClientError, OSError, ValueError):
        raise Unfetchable("network") from None


async def hang_up() -> None:
    """Close the connections that this event loop has kept."""
    for session in _sessions.pop(asyncio.get_running_loop(), {}).values():
        await session.close()


def _place(url: str) -> URL:
    """The address as it is written: what was signed is the address sign for sign."""
    try:
        place = URL(url, encoded=True)
        if place.scheme in {"http", "https"} and place.host and place.port and url.isprintable() and " " not in url:
            return place
    except ValueError:
        pass
    raise Unfetchable("address")


def _session(proxies: bool) -> aiohttp.ClientSession:
    mine = _sessions.setdefault(asyncio.get_running_loop(), {})
    if proxies not in mine:
        mine[proxies] = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust(), keepalive_timeout=_KEPT_SECONDS), cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None), trust_env=proxies and _names_proxies(), skip_auto_headers={"content-type"},
        )
    return mine[proxies]


def _names_proxies() -> bool:
    """Whether the environment names any; a session that trusts it looks for passwords in a file before each question as well."""
    return bool(getproxies())


async def _body(answer: aiohttp.ClientResponse) -> bytes:
    if (answer.content_length or 0) > _LARGEST:
        raise Unfetchable("size")
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > _LARGEST:
            raise Unfetchable("size")
    return bytes(body)
