"""Text messages: one protocol over HTTP, so that a region's gateway is a small adapter, or speaks it itself.

    POST {url}/messages      {"id", "to", "template", "params", "text"}
    X-Kangyun-Time           seconds since 1970; the gateway refuses what is older than five minutes
    X-Kangyun-Signature      HMAC-SHA256 over "<time>.<body>" with the shared key, hexadecimal
    200, 201                 taken; the same id again is taken once
    400, 401, 422            refused: it will not be taken later either
    everything else          not taken

`template` is the key of a text in locale/pages.yaml and stands for the template that Chinese operators have approved,
`params` are its variables; `text` is the whole message for gateways that need no approval.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import orjson
import structlog

from kangyun.base import clock, partners, web
from kangyun.base.errors import refuse
from kangyun.base.outside import Unfetchable
from kangyun.base.settings import Settings

log = structlog.get_logger()


class Sms:
    """The way to people's phones; without an address nothing can be sent."""

    def __init__(self, url: str = "", key: bytes = b"", patience: float = 10.0) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._patience = patience

    @property
    def ready(self) -> bool:
        """Whether a gateway is set."""
        return bool(self._url)

    async def send(self, phone: str, text_key: str, language: str = "zh", **params: str | int) -> None:
        """Send the text of a key to a phone of 11 digits. Raises Problem 503 when no gateway takes it."""
        if not self.ready:
            raise refuse(503, "transient", "access.no-sms")
        body = orjson.dumps({
            "id": secrets.token_hex(12), "to": phone, "template": text_key, "params": params,
            "text": web.translate(language, text_key, **params),
        })
        try:
            reply = await partners.ask(
                "POST", f"{self._url}/messages", content=body, headers=self._headers(body), seconds=self._patience, proxies=True)
        except Unfetchable as error:
            log.warning("access.sms-away", error=error.reason)
            raise refuse(503, "transient", "access.no-sms") from error
        if reply.status not in {200, 201}:
            log.warning("access.sms-refused", status=reply.status)
            raise refuse(503, "transient", "access.no-sms")

    def _headers(self, body: bytes) -> Mapping[str, str]:
        moment = str(int(clock.seconds()))
        return {
            "content-type": "application/json", "x-kangyun-time": moment,
            "x-kangyun-signature": signature(self._key, moment, body),
        }


def signature(key: bytes, moment: str, body: bytes) -> str:
    """What proves that a message comes from us."""
    return hmac.new(key, moment.encode() + b"." + body, sha256).hexdigest()


def open_sms(settings: Settings) -> Sms:
    """The gateway of the settings; its key stands in a file, never in a setting. Raises RuntimeError without one."""
    if not settings.sms_url:
        return Sms()
    try:
        key = Path(settings.sms_key_file).read_bytes().strip()
    except OSError as error:
        raise RuntimeError(f"the setting sms_url needs a key in sms_key_file: {error.strerror}") from None
    return Sms(settings.sms_url, key)
