"""Asking a channel over HTTP: bounded, never redirected, and every kind of silence is one exception."""

from __future__ import annotations

from collections.abc import Mapping

import httpx
import structlog

from kangyun.base.outside import lasting
from kangyun.support.payments.model import Unreachable

log = structlog.get_logger()

_PATIENCE = 10.0
_LARGEST = 64 * 1024 * 1024


async def call(
    channel: str, method: str, url: str, *, content: bytes = b"", headers: Mapping[str, str] | None = None, patience: float = _PATIENCE,
) -> httpx.Response:
    """The answer, whatever its status below 500. Raises Unreachable when nobody knows what the channel did."""
    try:
        answer = await lasting().request(method, url, content=content or None, headers=dict(headers or {}), timeout=patience)
    except httpx.HTTPError as error:
        log.warning("payments.channel-away", name_of=channel, error=type(error).__name__)
        raise Unreachable(channel) from error
    if answer.status_code >= 500 or answer.is_redirect or len(answer.content) > _LARGEST:
        log.warning("payments.channel-failed", name_of=channel, status=answer.status_code)
        raise Unreachable(channel)
    return answer


def untrusted(channel: str) -> Unreachable:
    """What to raise for an answer that the channel has not signed: it counts as no answer."""
    log.warning("payments.channel-unsigned", name_of=channel)
    return Unreachable(channel)
