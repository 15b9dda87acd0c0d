r"""WeChat Pay, API version 3: JSON both ways, requests and answers signed, notices signed and encrypted.

Request: `Authorization: WECHATPAY2-SHA256-RSA2048 mchid="..",nonce_str="..",signature="..",timestamp="..",serial_no=".."`
over "METHOD\npath?query\ntimestamp\nnonce\nbody\n". Answers and notices carry Wechatpay-Timestamp, -Nonce, -Serial and
-Signature over "timestamp\nnonce\nbody\n". A notice's resource is sealed with AES-256-GCM under the API v3 key.
https://pay.weixin.qq.com/doc/v3/merchant/4012062524
"""

from __future__ import annotations

import secrets
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha1
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kangyun.base import clock
from kangyun.base.partners import Reply
from kangyun.support.payments.gateways import wechat_bill
from kangyun.support.payments.gateways.calling import call, untrusted
from kangyun.support.payments.gateways.signing import sign, verified
from kangyun.support.payments.model import (
    CHINA,
    Answer,
    Bill,
    ChannelNotice,
    Forged,
    Payment,
    Refund,
    Refused,
    Seen,
    SeenRefund,
    Visit,
)

SCHEME = "WECHATPAY2-SHA256-RSA2048"
ALGORITHM = "AEAD_AES_256_GCM"
_OLDEST = 300
_PAID = {"SUCCESS", "REFUND"}
_CLOSED = {"CLOSED", "REVOKED"}
_REFUNDS = {"SUCCESS": "done", "PROCESSING": "processing", "CLOSED": "failed", "ABNORMAL": "failed"}


@dataclass(frozen=True, slots=True)
class WeChat:
    """The channel. platform: the channel's keys by serial number; sealing: the API v3 key of 32 bytes."""

    url: str
    merchant: str
    app: str
    serial: str
    key: RSAPrivateKey = field(repr=False)
    platform: Mapping[str, RSAPublicKey] = field(repr=False)
    sealing: bytes = field(repr=False)
    name: str = "wechat"

    async def begin(self, payment: Payment, visit: Visit) -> str:
        """Native (a QR code) for a desktop, H5 for a phone."""
        wish: dict[str, Any] = {
            "appid": self.app, "mchid": self.merchant, "description": visit.about, "out_trade_no": payment.id, "notify_url": visit.notify,
            "time_expire": payment.expires.astimezone(CHINA).isoformat(timespec="seconds"),
            "amount": {"total": payment.amount_fen, "currency": "CNY"},
        }
        if payment.scene == "phone":
            wish["scene_info"] = {"payer_client_ip": visit.address or "127.0.0.1", "h5_info": {"type": "Wap"}}
            link = str((await self._ask("POST", "/v3/pay/transactions/h5", wish))["h5_url"])
            return f"{link}{'&' if '?' in link else '?'}{urlencode({'redirect_url': visit.back})}"
        return str((await self._ask("POST", "/v3/pay/transactions/native", wish))["code_url"])

    async def query(self, payment: Payment) -> Seen:
        """See Channel."""
        try:
            return seen(await self._ask("GET", f"/v3/pay/transactions/out-trade-no/{payment.id}?mchid={self.merchant}"))
        except Refused as refused:
            if refused.code == "ORDER_NOT_EXIST":
                return Seen("unknown")
            raise

    async def close(self, payment: Payment) -> Seen:
        """See Channel."""
        try:
            await self._ask("POST", f"/v3/pay/transactions/out-trade-no/{payment.id}/close", {"mchid": self.merchant})
        except Refused as refused:
            if refused.code in {"ORDERPAID", "ORDER_PAID"}:
                return await self.query(payment)
            if refused.code not in {"ORDER_CLOSED", "ORDER_NOT_EXIST"}:
                raise
        return Seen("closed")

    async def refund(self, refund: Refund, payment: Payment, notify: str) -> SeenRefund:
        """See Channel."""
        wish = {
            "out_trade_no": payment.id, "out_refund_no": refund.id, "notify_url": notify,
            "amount": {"refund": refund.amount_fen, "total": payment.amount_fen, "currency": "CNY"},
        }
        return seen_refund(await self._ask("POST", "/v3/refund/domestic/refunds", wish))

    async def query_refund(self, refund: Refund, payment: Payment) -> SeenRefund:
        """See Channel."""
        del payment
        try:
            return seen_refund(await self._ask("GET", f"/v3/refund/domestic/refunds/{refund.id}"))
        except Refused as refused:
            if refused.code == "RESOURCE_NOT_EXISTS":
                return SeenRefund("unknown")
            raise

    def notice(self, headers: Mapping[str, str], body: bytes) -> ChannelNotice:
        """See Channel: signature, then age, then the seal."""
        self._check(headers, body)
        try:
            told: dict[str, Any] = orjson.loads(body)
            content = orjson.loads(unsealed(self.sealing, told["resource"]))
            if str(told["event_type"]).startswith("REFUND."):
                return ChannelNotice("refund", str(content["out_refund_no"]), seen_refund(content))
            return ChannelNotice("payment", str(content["out_trade_no"]), seen(content))
        except (ValueError, KeyError, TypeError, InvalidTag):
            raise Forged("content") from None

    def answer(self, *, good: bool) -> Answer:
        """See Channel."""
        told = {"code": "SUCCESS"} if good else {"code": "FAIL", "message": "失败"}
        return Answer(200 if good else 500, orjson.dumps(told), "application/json")

    async def bill(self, day: date) -> Bill:
        """The trade bill: its address first, then the file, whose digest must be the one told before."""
        told = await self._ask("GET", f"/v3/bill/tradebill?bill_date={day.isoformat()}&bill_type=ALL")
        address = urlsplit(str(told["download_url"]))
        path = f"{address.path}?{address.query}" if address.query else address.path
        answer = await call(self.name, "GET", f"{self.url}{path}", headers=self._headers("GET", path, b""), patience=60)
        if answer.status != 200 or sha1(answer.body, usedforsecurity=False).hexdigest() != told["hash_value"]:
            raise untrusted(self.name)
        return Bill(day, wechat_bill.parse(answer.body), answer.body)

    async def _ask(self, method: str, path: str, wish: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = orjson.dumps(wish) if wish is not None else b""
        answer = await call(self.name, method, f"{self.url}{path}", content=body, headers=self._headers(method, path, body))
        return self._told(answer)

    def _told(self, answer: Reply) -> dict[str, Any]:
        try:
            self._check(answer.headers, answer.body)
            told: dict[str, Any] = orjson.loads(answer.body) if answer.body else {}
        except (Forged, ValueError):
            raise untrusted(self.name) from None
        if answer.status >= 400:
            raise Refused(str(told.get("code", answer.status)))
        return told

    def _headers(self, method: str, path: str, body: bytes) -> dict[str, str]:
        moment, nonce = str(int(clock.seconds())), secrets.token_hex(16)
        signature = sign(self.key, request_message(method, path, moment, nonce, body))
        told = {"mchid": self.merchant, "nonce_str": nonce, "signature": signature, "timestamp": moment, "serial_no": self.serial}
        authorization = ",".join(f'{name}="{value}"' for name, value in told.items())
        return {"authorization": f"{SCHEME} {authorization}", "accept": "application/json", "content-type": "application/json"}

    def _check(self, headers: Mapping[str, str], body: bytes) -> None:
        moment, nonce = headers.get("wechatpay-timestamp", ""), headers.get("wechatpay-nonce", "")
        key = self.platform.get(headers.get("wechatpay-serial", ""))
        if key is None or not verified(key, answer_message(moment, nonce, body), headers.get("wechatpay-signature", "")):
            raise Forged("signature")
        if not moment.isdecimal() or abs(clock.seconds() - int(moment)) > _OLDEST:
            raise Forged("age")


def request_message(method: str, path: str, moment: str, nonce: str, body: bytes) -> bytes:
    """What a request's signature is over."""
    return f"{method}\n{path}\n{moment}\n{nonce}\n".encode() + body + b"\n"


def answer_message(moment: str, nonce: str, body: bytes) -> bytes:
    """What the signature of an answer or a notice is over."""
    return f"{moment}\n{nonce}\n".encode() + body + b"\n"


def unsealed(key: bytes, resource: Mapping[str, Any]) -> bytes:
    """The content of a notice's resource. Raises InvalidTag, ValueError or KeyError."""
    if resource["algorithm"] != ALGORITHM:
        raise ValueError("another algorithm")
    bound = str(resource.get("associated_data") or "").encode()
    return AESGCM(key).decrypt(str(resource["nonce"]).encode(), b64decode(resource["ciphertext"]), bound)


def seen(told: Mapping[str, Any]) -> Seen:
    """A transaction in our words."""
    state = str(told["trade_state"])
    if state in _PAID:
        return Seen("paid", int(told["amount"]["total"]), str(told["transaction_id"]), datetime.fromisoformat(told["success_time"]))
    return Seen("closed" if state in _CLOSED else "unpaid")


def seen_refund(told: Mapping[str, Any]) -> SeenRefund:
    """A refund in our words; notices call its state by another name than answers."""
    state = _REFUNDS.get(str(told.get("status") or told.get("refund_status")), "unknown")
    moment = told.get("success_time")
    done = datetime.fromisoformat(moment) if moment else None
    return SeenRefund(state, int(told["amount"]["refund"]), str(told["refund_id"]), done)  # pyright: ignore[reportArgumentType] - a value of the table above
