"""Whose requests are counted together, and at which address somebody is."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from functools import lru_cache

from starlette.requests import Request
from starlette.types import Scope

from kangyun.base.limits import Group, Limits
from kangyun.base.web.routing import GuardedRoute
from kangyun.commons.access import Actor
from kangyun.commons.access.decisions.accounts import network_of

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_FORWARDED = {b"x-forwarded-for", b"forwarded"}
# Who runs the platform, on the machine itself; nobody else ever has these roles.
_UNCOUNTED = {"operator", "system"}


def limited(limits: Limits) -> Callable[[Request, GuardedRoute, Actor], Awaitable[None]]:
    """A check that counts a request of a route that has a limit; it raises Problem 429."""

    async def count(request: Request, entry: GuardedRoute, actor: Actor) -> None:
        del request
        if entry.limit is not None and actor.role not in _UNCOUNTED:
            await limits.take(entry.limit, *counted(actor))

    return count


def counted(actor: Actor) -> tuple[Group, str]:
    """The group whose limit holds, and the name under which the caller is counted."""
    if actor.role == "anonymous":
        return "anyone", network_of(actor.address)
    return ("person", actor.account) if actor.account else ("machine", actor.name)


def caller_address(scope: Scope, proxies: str) -> str:
    """The caller's address; `unknown` for what an untrusted proxy passes on, which is no caller of this machine.

    Of the addresses that trusted proxies have added to X-Forwarded-For, the last that is no trusted proxy is the
    caller's; whatever stands before it the caller may have invented.
    """
    client = scope.get("client")
    forwarded = [value.decode("latin-1") for name, value in scope["headers"] if name in _FORWARDED]
    if client is None or not forwarded:
        return client[0] if client else "unknown"
    trusted = networks(proxies)
    if not _among(client[0], trusted):
        return "unknown"
    hops = [hop.strip() for hop in ",".join(forwarded).split(",")]
    return next((hop if _is_address(hop) else "unknown" for hop in reversed(hops) if not _among(hop, trusted)), "unknown")


@lru_cache(maxsize=8)
def networks(text: str) -> tuple[Network, ...]:
    """The networks in a setting, with commas. Raises ValueError for anything else."""
    return tuple(ipaddress.ip_network(part.strip(), strict=False) for part in text.split(",") if part.strip())


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _among(text: str, trusted: tuple[Network, ...]) -> bool:
    return _is_address(text) and any(ipaddress.ip_address(text) in network for network in trusted)
