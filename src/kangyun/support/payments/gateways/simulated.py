"""The three simulated channels together: keys made afresh, files of their settings, and the pages of payers' phones.

    with simulated.running(folder) as simulator:
        settings = replace(settings, payments_channels=str(folder))

A link of a payment leads to `/cashier/<token>`: a person presses the button there, a program posts to the same address.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from html import escape
from pathlib import Path
from urllib.parse import urlencode

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from kangyun.base import money
from kangyun.base.simulators import listening
from kangyun.support.payments.gateways.simulator import Faults, Simulator, Trade, bring, keep
from kangyun.support.payments.gateways.simulator_alipay import AlipaySide
from kangyun.support.payments.gateways.simulator_unionpay import UnionPaySide
from kangyun.support.payments.gateways.simulator_wechat import WeChatSide

_MERCHANT, _APP, _SERIAL = "1900000109", "wxd678efh567hg6787", "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
_NAMES = {"wechat": "微信支付", "alipay": "支付宝", "unionpay": "云闪付"}
_STATES = {"open": "待支付", "paid": "已支付", "closed": "已关闭"}
_SIZE = 2048
_SHOWN = 50
_BOOKS = "books.json"


@contextmanager
def running(folder: Path, simulator: Simulator | None = None, port: int = 0) -> Generator[Simulator]:
    """Serve the channels on loopback until the block ends, and write into `folder` what the setting payments_channels needs.

    Their books lie there too, from one run to the next.
    """
    made = simulator or Simulator()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _sides(folder, made)
    bring(made, folder / _BOOKS)
    try:
        with listening(_app(made), port) as made.url:
            _write_settings(folder, made.url)
            yield made
    finally:
        keep(made, folder / _BOOKS)


def _sides(folder: Path, simulator: Simulator) -> None:
    merchant, platform = ({name: rsa.generate_private_key(65537, _SIZE) for name in _NAMES} for _ in range(2))
    sealing = secrets.token_hex(16).encode()
    _keep(folder / "wechat-api.key", sealing)
    for name in _NAMES:
        _keep(folder / f"{name}-merchant.pem", merchant[name].private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        _keep(folder / f"{name}-platform.pem", platform[name].public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
    public = {name: key.public_key() for name, key in merchant.items()}
    simulator.sides.update({
        "wechat": WeChatSide(simulator, _MERCHANT, _APP, _SERIAL, public["wechat"], platform["wechat"], sealing),
        "alipay": AlipaySide(simulator, _APP, public["alipay"], platform["alipay"]),
        "unionpay": UnionPaySide(simulator, _MERCHANT, public["unionpay"], platform["unionpay"]),
    })


def _keep(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


def _write_settings(folder: Path, url: str) -> None:
    texts = {
        "wechat": f'url = "{url}"\nmerchant = "{_MERCHANT}"\napp = "{_APP}"\nserial = "{_SERIAL}"\nkey = "wechat-merchant.pem"\n'
                  f'api_key = "wechat-api.key"\nplatform = {{ "P{_SERIAL}" = "wechat-platform.pem" }}\n',
        "alipay": f'url = "{url}/gateway.do"\napp = "{_APP}"\nkey = "alipay-merchant.pem"\nplatform = "alipay-platform.pem"\n',
        "unionpay": f'url = "{url}"\nfiles = "{url}/unionpay-files"\nmerchant = "{_MERCHANT}"\ncertificate = "69597475696"\n'
                    'key = "unionpay-merchant.pem"\nplatform = "unionpay-platform.pem"\n',
    }
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text, "utf-8")


def _app(simulator: Simulator) -> Starlette:
    phones = _Phones(simulator)
    routes = [route for side in simulator.sides.values() for route in side.routes()]
    return Starlette(routes=[*phones.routes(), *routes])


class _Phones:
    """The payers' phones."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        return [
            Route("/", self.look), Route("/trades", self.show), Route("/faults", self.fail, methods=["POST"]),
            Route("/refunds/{state}", self.finish, methods=["POST"]),
            Route("/cashier/{token}", self.cashier), Route("/cashier/{token}", self.pay, methods=["POST"]),
        ]

    async def look(self, _request: Request) -> Response:
        """All trades for people, the newest first."""
        rows = "".join(
            f"<tr><td>{_NAMES[one.channel]}<td>{escape(one.about)}<td>{money.shown(one.amount)}<td>{_STATES[one.state]}"
            f'<td><a href="/cashier/{one.token}">打开</a>' for one in [*self._simulator.trades.values()][::-1][:_SHOWN])
        return _page("支付模拟器", f"<table>{rows}</table>", refresh=True)

    async def show(self, _request: Request) -> Response:
        """All trades for programs."""
        return JSONResponse([
            {"channel": one.channel, "id": one.id, "amount": one.amount, "state": one.state, "link": f"/cashier/{one.token}",
             "refunds": [{"id": back.id, "amount": back.amount, "state": back.state} for back in one.refunds.values()]}
            for one in self._simulator.trades.values()])

    async def fail(self, request: Request) -> Response:
        """Settle what goes wrong from now on: the fields of Faults as JSON."""
        self._simulator.faults = Faults(**orjson.loads(await request.body()))
        return JSONResponse({})

    async def finish(self, request: Request) -> Response:
        """Let refunds that are under way end: done or failed."""
        self._simulator.finish_refunds(request.path_params["state"])
        return JSONResponse({})

    async def cashier(self, request: Request) -> Response:
        """What the payer's phone shows."""
        trade = self._simulator.by_token(request.path_params["token"])
        if trade is None:
            return _page("支付模拟器", "<p>没有这个订单</p>", status=404)
        trade.opened = True
        back = request.query_params.get("redirect_url", "") or trade.back
        button = f'<form method="post" action="?{urlencode({"redirect_url": back})}"><button>确认支付 {money.shown(trade.amount)}</button></form>'
        away = f'<p><a href="{escape(back)}">返回商家</a></p>' if back.startswith(("http://", "https://")) else ""
        amount = f'<p class="sum">{money.shown(trade.amount)}</p><p>{escape(trade.about)}<br>{_STATES[trade.state]}</p>'
        return _page(_NAMES[trade.channel], amount + (button if trade.state == "open" else "") + away)

    async def pay(self, request: Request) -> Response:
        """The payer presses the button."""
        trade = self._simulator.by_token(request.path_params["token"])
        if trade is None or not self._pay(trade):
            return JSONResponse({"error": "closed"}, 409)
        return RedirectResponse(f"{request.url.path}?{request.url.query}", 303)

    def _pay(self, trade: Trade) -> bool:
        trade.opened = True
        return trade.state == "paid" or self._simulator.pay(trade)


def _page(title: str, content: str, *, status: int = 200, refresh: bool = False) -> Response:
    style = (
        "<style>body{font:16px/1.6 sans-serif;margin:2rem auto;max-width:30rem;padding:0 1rem}td{padding:.2rem .6rem .2rem 0}"
        ".sum{font-size:2.5rem;margin:1rem 0}button{font-size:1.2rem;width:100%;min-height:48px;background:#07815c;color:#fff;border:0;border-radius:8px}</style>")
    again = '<meta http-equiv="refresh" content="3">' if refresh else ""
    head = f'<!doctype html><html lang="zh-Hans"><meta charset="utf-8"><meta name="viewport" content="width=device-width">{again}<title>{title}</title>'
    return HTMLResponse(f"{head}{style}<h1>{title}</h1>{content}<p><small>模拟支付，没有真实扣款 · simulated, no real money</small></p>", status)
