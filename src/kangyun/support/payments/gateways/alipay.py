"""Alipay's open platform: forms of signed, sorted parameters (RSA2), JSON answers signed as they stand, notices as forms.

Request: POST gateway.do with app_id, method, timestamp, sign_type=RSA2, biz_content (JSON) and sign, over "k=v&k=v" of all
non-empty parameters but sign, sorted. Answer: {"<method>_response": {...}, "sign": ".."}, the signature over the text of the
inner object. A notice is a form whose signature leaves out sign and sign_type; it is answered with the word success.
https://opendocs.alipay.com/common/02kf5q
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from kangyun.base import clock, money
from kangyun.support.payments.gateways import alipay_bill
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

_GOOD = "10000"
_LATER = {"20000", "ACQ.SYSTEM_ERROR", "aop.ACQ.SYSTEM_ERROR", "isp.unknow-error"}
_UNKNOWN = "ACQ.TRADE_NOT_EXIST"
_PAID = {"TRADE_SUCCESS", "TRADE_FINISHED"}


@dataclass(frozen=True, slots=True)
class Alipay:
    """The channel. url: the gateway's, ending in gateway.do; platform: Alipay's own public key."""

    url: str
    app: str
    key: RSAPrivateKey = field(repr=False)
    platform: RSAPublicKey = field(repr=False)
    name: str = "alipay"

    async def begin(self, payment: Payment, visit: Visit) -> str:
        """A QR code (precreate) for a desktop; for a phone a signed address of Alipay's own page (wap.pay)."""
        wish = {
            "out_trade_no": payment.id, "total_amount": money.plain(payment.amount_fen), "subject": visit.about,
            "time_expire": _written(payment.expires),
        }
        if payment.scene == "phone":
            asked = self._signed("alipay.trade.wap.pay", {**wish, "product_code": "QUICK_WAP_WAY"}, notify_url=visit.notify, return_url=visit.back)
            return f"{self.url}?{urlencode(asked)}"
        return str((await self._ask("alipay.trade.precreate", wish, visit.notify))["qr_code"])

    async def query(self, payment: Payment) -> Seen:
        """See Channel. Alipay knows a trade only when the payer has opened it."""
        try:
            return seen(await self._ask("alipay.trade.query", {"out_trade_no": payment.id}))
        except Refused as refused:
            if refused.code == _UNKNOWN:
                return Seen("unknown")
            raise

    async def close(self, payment: Payment) -> Seen:
        """See Channel: what is paid cannot be closed, and what was never opened need not be."""
        try:
            await self._ask("alipay.trade.close", {"out_trade_no": payment.id})
        except Refused as refused:
            if refused.code == "ACQ.TRADE_STATUS_ERROR":
                return await self.query(payment)
            if refused.code != _UNKNOWN:
                raise
        return Seen("closed")

    async def refund(self, refund: Refund, payment: Payment, notify: str) -> SeenRefund:
        """See Channel. Whether money has moved is told for certain by the query only."""
        del notify
        wish = {"out_trade_no": payment.id, "refund_amount": money.plain(refund.amount_fen), "out_request_no": refund.id}
        told = await self._ask("alipay.trade.refund", wish)
        if told.get("fund_change") == "Y":
            return SeenRefund("done", refund.amount_fen, str(told.get("trade_no", "")), _moment(told.get("gmt_refund_pay")))
        return await self.query_refund(refund, payment)

    async def query_refund(self, refund: Refund, payment: Payment) -> SeenRefund:
        """See Channel."""
        told = await self._ask("alipay.trade.fastpay.refund.query", {"out_trade_no": payment.id, "out_request_no": refund.id})
        if told.get("refund_status") != "REFUND_SUCCESS":
            return SeenRefund("unknown")
        return SeenRefund("done", money.parse(str(told["refund_amount"])), str(told.get("trade_no", "")), _moment(told.get("gmt_refund_pay")))

    def notice(self, headers: Mapping[str, str], body: bytes) -> ChannelNotice:
        """See Channel. A notice carries its own time, which is checked as far as Alipay repeats notices (24 hours)."""
        del headers
        try:
            told = dict(parse_qsl(body.decode("utf-8"), strict_parsing=True))
        except ValueError:
            raise Forged("content") from None
        if not verified(self.platform, sorted_text(told, {"sign", "sign_type"}), told.get("sign", "")):
            raise Forged("signature")
        try:
            if told["app_id"] != self.app:
                raise Forged("recipient")
            return ChannelNotice("payment", told["out_trade_no"], seen(told, paid="gmt_payment"))
        except (ValueError, KeyError):
            raise Forged("content") from None

    def answer(self, *, good: bool) -> Answer:
        """See Channel."""
        return Answer(200, b"success" if good else b"failure", "text/plain")

    async def bill(self, day: date) -> Bill:
        """The trade bill: its address first, then the zip."""
        told = await self._ask("alipay.data.dataservice.bill.downloadurl.query", {"bill_type": "trade", "bill_date": day.isoformat()})
        answer = await call(self.name, "GET", str(told["bill_download_url"]), patience=60)
        if answer.status != 200:
            raise Refused("BILL_NOT_THERE")
        return Bill(day, alipay_bill.parse(answer.body), answer.body)

    def _signed(self, method: str, wish: Mapping[str, Any], **more: str) -> dict[str, str]:
        told = {
            "app_id": self.app, "method": method, "format": "JSON", "charset": "utf-8", "sign_type": "RSA2", "version": "1.0",
            "timestamp": _written(clock.now()), "biz_content": orjson.dumps(wish).decode(), **more,
        }
        return {**told, "sign": sign(self.key, sorted_text(told, {"sign"}))}

    async def _ask(self, method: str, wish: Mapping[str, Any], notify: str = "") -> dict[str, Any]:
        body = urlencode(self._signed(method, wish, **({"notify_url": notify} if notify else {}))).encode()
        headers = {"content-type": "application/x-www-form-urlencoded;charset=utf-8"}
        answer = await call(self.name, "POST", self.url, content=body, headers=headers)
        node = f"{method.replace('.', '_')}_response"
        try:
            told: dict[str, Any] = orjson.loads(answer.body)
            signed = verified(self.platform, inner_text(answer.body, node), str(told.get("sign", "")))
            found: dict[str, Any] = told[node]
        except (ValueError, KeyError, TypeError):
            raise untrusted(self.name) from None
        # Alipay does not sign when it could not tell who asks.
        code = str(found.get("sub_code") or found.get("code"))
        if not signed or code in _LATER:
            raise untrusted(self.name)
        if found.get("code") != _GOOD:
            raise Refused(code)
        return found


def sorted_text(told: Mapping[str, str], without: set[str]) -> bytes:
    """What a signature over parameters is over."""
    return "&".join(f"{name}={told[name]}" for name in sorted(told) if name not in without and told[name] != "").encode()


def inner_text(body: bytes, node: str) -> bytes:
    """The text of an answer's inner object as it stands. Raises ValueError."""
    start = body.index(f'"{node}":'.encode()) + len(node) + 3
    return body[start : body.rindex(b',"sign"')]


def seen(told: Mapping[str, Any], paid: str = "send_pay_date") -> Seen:
    """A trade in our words; `paid` is what the time of payment is called there."""
    state = str(told["trade_status"])
    if state in _PAID:
        return Seen("paid", money.parse(str(told["total_amount"])), str(told["trade_no"]), _moment(told.get(paid)))
    return Seen("closed" if state == "TRADE_CLOSED" else "unpaid")


def _written(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def _moment(text: Any) -> datetime | None:
    return datetime.strptime(str(text)[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA) if text else None
