"""Phones that are not there: the gateway's protocol over a real connection, for tests and demonstrations.

It checks signatures and their age, takes each message once, can be told to fail, and shows what came: `GET /messages`
for programs, `GET /` for people. It also holds the authenticator apps of made-up staff, whose codes it shows.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from html import escape

import orjson
from pyotp.totp import TOTP
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from kangyun.base import clock
from kangyun.commons.access.gateways.sms import signature

_OLDEST = 300
_KEPT = 200


@dataclass(frozen=True, slots=True)
class Message:
    """A message that came."""

    id: str
    to: str
    template: str
    text: str
    params: dict[str, str | int]


@dataclass(slots=True)
class Simulator:
    """The phones: messages as they came, answers it was told to give instead, and authenticator secrets by user name."""

    key: bytes = b""
    messages: list[Message] = field(default_factory=list[Message])
    failures: list[int] = field(default_factory=list[int])
    authenticators: dict[str, str] = field(default_factory=dict[str, str])

    def code(self, phone: str) -> str:
        """The code that a phone got last."""
        return next(str(one.params["code"]) for one in reversed(self.messages) if one.to == phone and "code" in one.params)

    async def take(self, request: Request) -> Response:
        """Take one message."""
        if self.failures:
            return Response(status_code=self.failures.pop(0))
        body = await request.body()
        if not self._is_signed(request, body):
            return JSONResponse({"error": "signature"}, 401)
        try:
            told = orjson.loads(body)
            message = Message(told["id"], told["to"], told["template"], told["text"], told["params"])
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"error": "message"}, 422)
        if all(one.id != message.id for one in self.messages):
            self.messages = [*self.messages[-_KEPT:], message]
        return JSONResponse({"id": message.id}, 201)

    def _is_signed(self, request: Request, body: bytes) -> bool:
        moment = request.headers.get("x-kangyun-time", "")
        fresh = moment.isdecimal() and abs(clock.seconds() - int(moment)) < _OLDEST
        return fresh and hmac.compare_digest(signature(self.key, moment, body), request.headers.get("x-kangyun-signature", ""))

    async def show(self, _request: Request) -> Response:
        """What came, newest first, for programs."""
        return JSONResponse([{"to": one.to, "text": one.text, "params": one.params} for one in reversed(self.messages)])

    async def look(self, _request: Request) -> Response:
        """The same for people, with the codes that the authenticator apps show now."""
        sent = "".join(f"<tr><td>{escape(one.to)}<td>{escape(one.text)}" for one in reversed(self.messages))
        codes = "".join(
            f"<tr><td>{escape(login)}<td>{TOTP(secret).now()}" for login, secret in self.authenticators.items())
        style = "<style>body{font:16px/1.6 sans-serif;margin:2rem}td{padding:.2rem 1rem .2rem 0}</style>"
        head = '<!doctype html><html lang="zh-Hans"><meta charset="utf-8"><meta http-equiv="refresh" content="3"><title>手机模拟器</title>'
        return HTMLResponse(f"{head}{style}<h1>短信</h1><table>{sent}</table><h1>身份验证器</h1><table>{codes}</table>")

    @property
    def app(self) -> Starlette:
        """The phones as a web application."""
        return Starlette(routes=[
            Route("/messages", self.take, methods=["POST"]), Route("/messages", self.show), Route("/", self.look),
        ])
