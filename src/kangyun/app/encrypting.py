"""TLS of pages and API: spoken when the settings name a certificate, renewed while running."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from kangyun.base import tls
from kangyun.base.settings import Settings


@asynccontextmanager
async def encrypted(settings: Settings) -> AsyncGenerator[ssl.SSLContext | None]:
    """The context of this process's door, watched until the block ends; None: the door is not encrypted.

    Raises ValueError that names the file which cannot be used.
    """
    if not settings.tls_certificate:
        yield None
        return
    papers = tls.Papers(settings.tls_certificate, settings.tls_key)
    context = papers.context()
    context.set_alpn_protocols(["http/1.1"])
    renewing = asyncio.create_task(tls.renew(context, papers))
    try:
        yield context
    finally:
        renewing.cancel()
