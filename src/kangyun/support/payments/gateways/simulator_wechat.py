"""WeChat Pay v3 as the simulator speaks it: checks our signature, signs its answers, seals its notices."""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha1
from typing import Any

import httpx
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kangyun.base import clock, money
from kangyun.base.web.display import CHINA
from kangyun.support.payments.gateways import wechat_bill
from kangyun.support.payments.gateways.signing import sign, verified
from kangyun.support.payments.gateways.simulator import Back, Note, Simulator, Trade, new_number
from kangyun.support.payments.gateways.wechat import ALGORITHM, SCHEME, answer_message, request_message
from kangyun.support.payments.model import BillRow

_PART = re.compile(r'(\w+)="([^"]*)"')
_OLDEST = 300
_REFUND_STATES = {"done": "SUCCESS", "processing": "PROCESSING", "failed": "ABNORMAL"}


@dataclass(slots=True)
class WeChatSide:
    """One merchant at WeChat Pay. merchant_key is the merchant's public key, key the platform's own."""

    simulator: Simulator
    merchant: str
    app: str
    serial: str
    merchant_key: RSAPublicKey
    key: RSAPrivateKey
    sealing: bytes
    name: str = "wechat"

    def routes(self) -> Sequence[Route]:
        """See Side."""
        trade = "/v3/pay/transactions/out-trade-no/{id}"
        return [
            Route("/v3/pay/transactions/{kind:str}", self.order, methods=["POST"]),
            Route(trade, self.query), Route(f"{trade}/close", self.close, methods=["POST"]),
            Route("/v3/refund/domestic/refunds", self.refund, methods=["POST"]), Route("/v3/refund/domestic/refunds/{id}", self.query_refund),
            Route("/v3/bill/tradebill", self.bill), Route("/v3/billdownload/file", self.file),
        ]

    async def order(self, request: Request) -> Response:
        """Native and H5 orders."""
        trouble, told = await self._asked(request)
        if trouble is not None:
            return trouble
        if told["mchid"] != self.merchant or told["appid"] != self.app or told["amount"]["total"] < 1 or not told["description"]:
            return self._refuse(400, "PARAM_ERROR")
        trade = self.simulator.order(Trade(
            self.name, told["out_trade_no"], new_number("42000"), told["amount"]["total"], told["description"], told["notify_url"], "",
            secrets.token_urlsafe(12), clock.now(), datetime.fromisoformat(told["time_expire"])))
        if trade is None:
            return self._refuse(400, "INVALID_REQUEST")
        if trade.state != "open":
            return self._refuse(400, "ORDERPAID" if trade.state == "paid" else "ORDER_CLOSED")
        link = f"{self.simulator.url}/cashier/{trade.token}"
        return self._answer({"h5_url": link} if request.path_params["kind"] == "h5" else {"code_url": link})

    async def query(self, request: Request) -> Response:
        """A trade by our number."""
        trouble, _ = await self._asked(request)
        trade = self.simulator.find(self.name, request.path_params["id"])
        if trouble is not None:
            return trouble
        return self._answer(self._trade(trade)) if trade else self._refuse(404, "ORDER_NOT_EXIST")

    async def close(self, request: Request) -> Response:
        """Close a trade that nobody has paid."""
        trouble, _ = await self._asked(request)
        trade = self.simulator.find(self.name, request.path_params["id"])
        if trouble is not None:
            return trouble
        if trade is None or trade.state == "paid":
            return self._refuse(400, "ORDERPAID") if trade else self._refuse(404, "ORDER_NOT_EXIST")
        trade.state = "closed"
        return self._answer(None)

    async def refund(self, request: Request) -> Response:
        """Give back a part or all."""
        trouble, told = await self._asked(request)
        if trouble is not None:
            return trouble
        trade = self.simulator.find(self.name, told["out_trade_no"])
        if trade is None or told["amount"]["total"] != trade.amount:
            return self._refuse(404, "RESOURCE_NOT_EXISTS")
        back = self.simulator.give_back(trade, Back(
            told["out_refund_no"], new_number("50000"), told["amount"]["refund"], "", clock.now(), told.get("notify_url", "")))
        return self._answer(self._back(trade, back)) if back else self._refuse(400, "INVALID_REQUEST")

    async def query_refund(self, request: Request) -> Response:
        """A refund by our number."""
        trouble, _ = await self._asked(request)
        if trouble is not None:
            return trouble
        found = self.simulator.back_of(self.name, request.path_params["id"])
        return self._answer(self._back(*found)) if found else self._refuse(404, "RESOURCE_NOT_EXISTS")

    async def bill(self, request: Request) -> Response:
        """Where the bill of a day is, and its digest."""
        trouble, _ = await self._asked(request)
        if trouble is not None:
            return trouble
        day = request.query_params["bill_date"]
        file = self._file(day)
        address = f"https://api.mch.weixin.qq.com/v3/billdownload/file?token={day}"
        return self._answer({"hash_type": "SHA1", "hash_value": sha1(file, usedforsecurity=False).hexdigest(), "download_url": address})

    async def file(self, request: Request) -> Response:
        """The bill itself, which WeChat does not sign."""
        trouble, _ = await self._asked(request)
        return trouble or Response(self._file(request.query_params["token"]), media_type="text/plain")

    def _file(self, day: str) -> bytes:
        return wechat_bill.write(map(_row, self.simulator.rows(self.name, date.fromisoformat(day))))

    def note(self, trade: Trade, back: Back | None, *, forged: bool) -> Note | None:
        """See Side; a forged one has the right content and somebody else's signature."""
        content = self._back(trade, back, "refund_status") if back else self._trade(trade)
        kind = f"REFUND.{content['refund_status']}" if back else "TRANSACTION.SUCCESS"
        nonce, bound = secrets.token_hex(6), "refund" if back else "transaction"
        sealed = AESGCM(self.sealing).encrypt(nonce.encode(), orjson.dumps(content), bound.encode())
        resource = {"original_type": bound, "algorithm": ALGORITHM, "ciphertext": b64encode(sealed).decode(), "associated_data": bound, "nonce": nonce}
        told = {"id": secrets.token_hex(16), "create_time": _written(clock.now()), "resource_type": "encrypt-resource", "event_type": kind,
                "summary": "退款成功" if back else "支付成功", "resource": resource}
        body = orjson.dumps(told)
        headers = self._signature(body)
        if forged:
            headers["wechatpay-signature"] = b64encode(secrets.token_bytes(256)).decode()
        return Note(back.notify if back else trade.notify, {**headers, "content-type": "application/json"}, body)

    def heard(self, answer: httpx.Response) -> bool:
        """See Side."""
        return answer.status_code in {200, 204}

    async def _asked(self, request: Request) -> tuple[Response | None, dict[str, Any]]:
        """What to answer instead, or what was asked for by somebody whose signature is the merchant's."""
        body = await request.body()
        scheme, _, told = request.headers.get("authorization", "").partition(" ")
        parts = dict(_PART.findall(told))
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        message = request_message(request.method, path, parts.get("timestamp", ""), parts.get("nonce_str", ""), body)
        fresh = parts.get("timestamp", "").isdecimal() and abs(clock.seconds() - int(parts["timestamp"])) <= _OLDEST
        known = (scheme, parts.get("mchid"), parts.get("serial_no")) == (SCHEME, self.merchant, self.serial)
        if not (known and fresh and verified(self.merchant_key, message, parts.get("signature", ""))):
            return self._refuse(401, "SIGN_ERROR"), {}
        return self.simulator.trouble(), orjson.loads(body) if body else {}

    def _answer(self, told: dict[str, Any] | None, status: int = 200) -> Response:
        if self.simulator.lost_answer():
            return Response(status_code=500)
        body = b"" if told is None else orjson.dumps(told)
        return Response(body, 204 if told is None else status, headers=self._signature(body), media_type="application/json")

    def _refuse(self, status: int, code: str) -> Response:
        return self._answer({"code": code, "message": code}, status)

    def _signature(self, body: bytes) -> dict[str, str]:
        moment, nonce = str(int(clock.seconds())), secrets.token_hex(16)
        return {
            "wechatpay-timestamp": moment, "wechatpay-nonce": nonce, "wechatpay-serial": f"P{self.serial}",
            "wechatpay-signature": sign(self.key, answer_message(moment, nonce, body)),
        }

    def _trade(self, trade: Trade) -> dict[str, Any]:
        told: dict[str, Any] = {
            "appid": self.app, "mchid": self.merchant, "out_trade_no": trade.id, "trade_state": _state(trade), "trade_state_desc": "",
            "amount": {"total": trade.amount, "payer_total": trade.amount, "currency": "CNY", "payer_currency": "CNY"},
        }
        if trade.paid:
            told |= {"transaction_id": trade.number, "trade_type": "NATIVE", "bank_type": "OTHERS", "success_time": _written(trade.paid),
                     "payer": {"openid": "o-simulated"}}
        return told

    def _back(self, trade: Trade, back: Back, state: str = "status") -> dict[str, Any]:
        told: dict[str, Any] = {
            "mchid": self.merchant, "out_trade_no": trade.id, "transaction_id": trade.number, "out_refund_no": back.id, "refund_id": back.number,
            state: _REFUND_STATES[back.state], "user_received_account": "支付用户零钱",
            "amount": {"total": trade.amount, "refund": back.amount, "payer_total": trade.amount, "payer_refund": back.amount},
        }
        return told | ({"success_time": _written(back.made)} if back.state == "done" else {})


def _state(trade: Trade) -> str:
    if trade.state == "paid":
        return "REFUND" if trade.refunds else "SUCCESS"
    return "CLOSED" if trade.state == "closed" else "NOTPAY"


def _written(moment: datetime) -> str:
    return moment.astimezone(CHINA).isoformat(timespec="seconds")


def _row(row: BillRow) -> dict[str, str]:
    told = {"货币种类": "CNY", "手续费": money.plain(row.fee_fen), "费率": "0.60%", "交易类型": "NATIVE", "商品名称": "健康服务订单"}
    if row.about == "payment":
        amount = money.plain(row.amount_fen)
        return {**told, "微信订单号": row.number, "商户订单号": row.id, "交易状态": "SUCCESS", "订单金额": amount, "应结订单金额": amount}
    amount, state = money.plain(row.amount_fen), {**_REFUND_STATES, "failed": "CHANGE"}[row.state]
    return {**told, "微信退款单号": row.number, "商户退款单号": row.id, "交易状态": "REFUND", "退款状态": state, "申请退款金额": amount, "退款金额": amount}
