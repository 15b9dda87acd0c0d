"""Fetching what an address names that somebody else wrote: a client's keys, a hospital's directory, a receiver.

Whoever may write an address could make this machine ask its own network for them (server-side request forgery). So an
address is https, has no name and password in it, and every machine that its name stands for is a public one; the
connection then goes to the very address that was looked at, whatever the name stands for a moment later; a redirect is
not followed; and size and time are bounded. What the operator's own network offers is named in `outside_allow`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec

import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
_LONGEST = 2000

if find_spec("sniffio") is None:
    # With each question httpcore tries to import it anew, and the whole path is searched for what is not there.
    sys.modules["sniffio"] = None  # pyright: ignore[reportArgumentType] - the import system's own mark for what is not there


class Unfetchable(Exception):  # noqa: N818 - what the outside world does, not a fault of the program
    """Nothing was fetched; `reason` is address, scheme, inside, redirect, size, time or network, and never the answer's words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer: its status, its media type without parameters, and the whole body."""

    status: int
    media_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Target:
    """An address that may be asked: the URL as written and the machine that it is pinned to."""

    url: httpx.URL
    machine: str


@dataclass(frozen=True, slots=True)
class _Request:
    """What is to be said there."""

    method: str
    content: bytes
    headers: dict[str, str]


def allowances(text: str) -> tuple[str, ...]:
    """The entries of the setting `outside_allow`: origins such as http://127.0.0.1:9000 and networks such as 10.2.0.0/16.

    Raises ValueError for anything else.
    """
    entries = tuple(entry.strip() for entry in text.split(",") if entry.strip())
    for entry in entries:
        if "://" not in entry:
            ipaddress.ip_network(entry)
    return entries


async def fetch(
    url: str, *, limit: int, seconds: float, allow: Sequence[str] = (), method: str = "GET", content: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Fetched:
    """Fetch an address that may be hostile; at most `limit` bytes within `seconds`.

    `allow` holds origins that are exempt and networks whose machines may be asked though they are not public (see
    `allowances`). Any status but a redirect is an answer. Raises Unfetchable.
    """
    try:
        async with asyncio.timeout(seconds):
            target = await _target(url, allow)
            request = _Request(method, content, dict(headers or {}))
            return await _asked(target, limit, request, seconds)
    except TimeoutError:
        raise Unfetchable("time") from None
    except (httpx.HTTPError, OSError, ssl.SSLError):
        raise Unfetchable("network") from None


async def check(url: str, allow: Sequence[str] = ()) -> None:
    """Raise Unfetchable for an address that `fetch` would refuse to ask; to be called where somebody enters one."""
    try:
        await _target(url, allow)
    except OSError:
        raise Unfetchable("network") from None


async def _target(url: str, allow: Sequence[str]) -> _Target:
    parsed = _parsed(url)
    exempt = _origin(parsed) in {_origin(_parsed(entry)) for entry in allow if "://" in entry}
    if parsed.scheme != "https" and not exempt:
        raise Unfetchable("scheme")
    machines = await _resolve(parsed.host, parsed.port or (443 if parsed.scheme == "https" else 80))
    networks = [ipaddress.ip_network(entry) for entry in allow if "://" not in entry]
    if not exempt and not all(_outside(machine, networks) for machine in machines):
        raise Unfetchable("inside")
    return _Target(parsed, str(machines[0]))


def _parsed(url: str) -> httpx.URL:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        raise Unfetchable("address") from None
    if len(url) > _LONGEST or not parsed.host or parsed.userinfo or parsed.scheme not in {"http", "https"}:
        raise Unfetchable("address")
    return parsed


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


async def _resolve(host: str, port: int) -> list[Address]:
    """Every machine that a name stands for; at least one. Raises OSError for a name that nobody knows."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]


def _outside(machine: Address, networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]) -> bool:
    meant = _meant(machine)
    if any(meant in network for network in networks):
        return True
    return meant.is_global and not (meant.is_multicast or meant.is_reserved or getattr(meant, "is_site_local", False))


def _meant(machine: Address) -> Address:
    """The IPv4 machine that an IPv6 address of a transition network leads to."""
    if isinstance(machine, ipaddress.IPv4Address):
        return machine
    if machine in _TRANSLATED:
        return ipaddress.IPv4Address(int(machine) & 0xFFFFFFFF)
    teredo = machine.teredo
    return machine.ipv4_mapped or machine.sixtofour or (teredo[1] if teredo else machine)


@cache
def trust() -> ssl.SSLContext:
    """TLS with the machine's own list of authorities; the file in SSL_CERT_FILE replaces that list."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def _asked(target: _Target, limit: int, wanted: _Request, seconds: float) -> Fetched:
    # The connection goes to the machine that was looked at; certificate and Host are those of the name.
    pinned = target.url.copy_with(host=target.machine)
    # A compressed answer could grow beyond every limit while it is unpacked.
    headers = wanted.headers | {"host": target.url.netloc.decode("ascii"), "accept-encoding": "identity"}
    transport = httpx.AsyncHTTPTransport(verify=trust(), retries=0)
    async with httpx.AsyncClient(transport=transport, trust_env=False, follow_redirects=False, timeout=seconds) as client:
        request = client.build_request(wanted.method, pinned, content=wanted.content, headers=headers, extensions={"sni_hostname": target.url.host})
        answer = await client.send(request, stream=True)
        try:
            return await _read(answer, limit)
        finally:
            await answer.aclose()


async def _read(answer: httpx.Response, limit: int) -> Fetched:
    if answer.is_redirect:
        raise Unfetchable("redirect")
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise Unfetchable("size")
    body = bytearray()
    async for part in answer.aiter_raw(65_536):
        body += part
        if len(body) > limit:
            raise Unfetchable("size")
    return Fetched(answer.status_code, answer.headers.get("content-type", "").partition(";")[0].strip().lower(), bytes(body))
