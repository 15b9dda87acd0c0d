"""The gate in front of WebSockets: the same judgement as for requests, and no page of another site.

A browser sends our cookies with a WebSocket of any page and asks nobody before (RFC 6455, 10.2), so the page's origin is
looked at first.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.requests import HTTPConnection, Request
from starlette.websockets import WebSocket

from kangyun.app.machines import Enter
from kangyun.base.errors import Problem
from kangyun.base.web.plain import check_address
from kangyun.base.web.routing import GuardedSocket
from kangyun.commons.access import Handle

_REFUSED = 1008


def guarded(enter: Enter, entry: GuardedSocket, public_url: str) -> GuardedSocket:
    """The same WebSocket with the gate in front of its endpoint; a refusal is HTTP 403 before the connection is made."""
    endpoint = entry.endpoint

    async def pass_gate(socket: WebSocket) -> None:
        async def again() -> Handle:
            return await enter(_as_request(socket), entry)

        socket.state.again = again
        if own_page(socket, public_url) and await _let_in(socket):
            await endpoint(socket)
        else:
            await socket.close(_REFUSED)

    return GuardedSocket(entry.path, pass_gate, permission=entry.permission)


def own_page(connection: HTTPConnection, public_url: str) -> bool:
    """Whether the connection comes from a page of ours, or from no browser at all."""
    origin = connection.headers.get("origin")
    if origin is None:
        return True
    public = urlsplit(public_url).netloc
    return bool(urlsplit(origin).netloc) and urlsplit(origin).netloc in {public, connection.headers.get("host", "")}


async def _let_in(socket: WebSocket) -> bool:
    try:
        check_address(_as_request(socket))
        socket.state.handle = await socket.state.again()
    except Problem:
        return False
    return True


def _as_request(socket: WebSocket) -> Request:
    """What the gate reads of a request; a state of its own, since a connection is judged many times."""
    return Request({**socket.scope, "type": "http", "method": "GET", "state": {}})
