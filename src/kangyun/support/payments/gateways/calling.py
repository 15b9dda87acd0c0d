"""Asking a channel over HTTP: bounded, never redirected, and every kind of silence is one exception."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from kangyun.base import partners
from kangyun.base.outside import Unfetchable
from kangyun.support.payments.model import Unreachable

log = structlog.get_logger()

_PATIENCE = 10.0


async def call(
    channel: str, method: str, url: str, *, content: bytes = b"", headers: Mapping[str, str] | None = None, patience: float = _PATIENCE,
) -> partners.Reply:
    """The answer, whatever its status below 500. Raises Unreachable when nobody knows what the channel did."""
    try:
        answer = await partners.ask(method, url, content=content, headers=headers, seconds=patience)
    except Unfetchable as error:
        log.warning("payments.channel-away", name_of=channel, error=error.reason)
        raise Unreachable(channel) from error
    if answer.status >= 500 or 300 <= answer.status < 400:
        log.warning("payments.channel-failed", name_of=channel, status=answer.status)
        raise Unreachable(channel)
    return answer


def untrusted(channel: str) -> Unreachable:
    """What to raise for an answer that the channel has not signed: it counts as no answer."""
    log.warning("payments.channel-unsigned", name_of=channel)
    return Unreachable(channel)
