"""Serving what stands in for somebody else's system: telephones, payment channels, an insurer, a province."""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp


@contextmanager
def listening(app: ASGIApp, port: int = 0) -> Generator[str]:
    """Serve an application on loopback until the block ends; gives its address, without a slash at the end. Port 0 is any free one."""
    config = uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="off", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    address: Any = server.servers[0].sockets[0].getsockname()
    try:
        yield f"http://127.0.0.1:{address[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
