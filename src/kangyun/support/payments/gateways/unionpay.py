"""UnionPay's full-channel interface, version 5.1.0: forms of key=value both ways, SHA-256 with RSA over the sorted text.

The signature is RSA-SHA256 over the hexadecimal SHA-256 of "k=v&k=v" of all parameters but signature, sorted. Amounts are
fen. A payment begins by asking for a QR code (txnType 01, txnSubType 07); a back notice tells of it and is answered with
the word ok; the query (txnType 00) tells for certain. Nothing closes a QR code but its own time (payTimeout).
https://open.unionpay.com/tjweb/acproduct/APIList
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from kangyun.base import clock
from kangyun.support.payments.gateways import unionpay_bill
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

_GOOD = "00"
_LATER = {"03", "04", "05"}
_UNKNOWN = "34"
_TWICE = "12"
_MOMENT = "%Y%m%d%H%M%S"
_BACK, _QUERY, _FILE = "/gateway/api/backTransReq.do", "/gateway/api/queryTrans.do", "/"
_REFUND_TYPE = "04"


@dataclass(frozen=True, slots=True)
class UnionPay:
    """The channel. url: of the gateway; files: of the bills; certificate: serial number of the merchant's own."""

    url: str
    files: str
    merchant: str
    certificate: str
    key: RSAPrivateKey = field(repr=False)
    platform: RSAPublicKey = field(repr=False)
    name: str = "unionpay"

    async def begin(self, payment: Payment, visit: Visit) -> str:
        """A QR code, whose text a phone opens as an address."""
        told = await self._ask(_BACK, {
            "txnType": "01", "txnSubType": "07", "bizType": "000000", "channelType": "08", "orderId": payment.id,
            "txnTime": _written(payment.made), "txnAmt": str(payment.amount_fen), "currencyCode": "156", "backUrl": visit.notify,
            "frontUrl": visit.back, "payTimeout": _written(payment.expires), "orderDesc": visit.about,
        })
        return str(told["qrCode"])

    async def query(self, payment: Payment) -> Seen:
        """See Channel. What was never paid and is past its time counts as closed."""
        told = await self._query(payment.id, payment.made)
        state = told.get("origRespCode", _UNKNOWN)
        if state == _GOOD:
            return seen(told)
        late = clock.now() > payment.expires
        return Seen("closed" if late and state not in _LATER else "unknown" if state == _UNKNOWN else "unpaid")

    async def close(self, payment: Payment) -> Seen:
        """See Channel. There is no way to close; whatever is paid before its time is over goes back as excess."""
        found = await self.query(payment)
        return found if found.state == "paid" else Seen("closed")

    async def refund(self, refund: Refund, payment: Payment, notify: str) -> SeenRefund:
        """See Channel: a transaction of its own, which names the one that it takes back."""
        try:
            await self._ask(_BACK, {
                "txnType": _REFUND_TYPE, "txnSubType": "00", "bizType": "000000", "channelType": "08", "orderId": refund.id,
                "txnTime": _written(refund.made), "txnAmt": str(refund.amount_fen), "origQryId": payment.number, "backUrl": notify,
            })
        except Refused as refused:
            if refused.code not in {*_LATER, _TWICE}:
                raise
        return await self.query_refund(refund, payment)

    async def query_refund(self, refund: Refund, payment: Payment) -> SeenRefund:
        """See Channel."""
        del payment
        told = await self._query(refund.id, refund.made)
        state = told.get("origRespCode", _UNKNOWN)
        if state == _GOOD:
            return seen_refund(told)
        return SeenRefund("unknown" if state == _UNKNOWN else "processing" if state in _LATER else "failed")

    def notice(self, headers: Mapping[str, str], body: bytes) -> ChannelNotice:
        """See Channel."""
        del headers
        try:
            told = dict(parse_qsl(body.decode("utf-8"), strict_parsing=True, keep_blank_values=True))
        except ValueError:
            raise Forged("content") from None
        if not self._signed(told):
            raise Forged("signature")
        try:
            if told["merId"] != self.merchant:
                raise Forged("recipient")
            if told["respCode"] != _GOOD:
                return ChannelNotice("payment", told["orderId"], Seen("unpaid"))
            if told["txnType"] == _REFUND_TYPE:
                return ChannelNotice("refund", told["orderId"], seen_refund(told))
            return ChannelNotice("payment", told["orderId"], seen(told))
        except (ValueError, KeyError):
            raise Forged("content") from None

    def answer(self, *, good: bool) -> Answer:
        """See Channel: anything but 200 has the notice sent again."""
        return Answer(200 if good else 500, b"ok" if good else b"fail", "text/plain")

    async def bill(self, day: date) -> Bill:
        """The clearing file of a day, packed inside of the answer."""
        told = await self._ask(_FILE, {
            "txnType": "76", "txnSubType": "01", "bizType": "000000", "fileType": "00", "settleDate": day.strftime("%m%d"),
            "txnTime": _written(clock.now()),
        }, self.files)
        return Bill(day, unionpay_bill.parse(str(told["fileContent"])), str(told["fileContent"]).encode())

    async def _query(self, number: str, made: datetime) -> dict[str, str]:
        wish = {"txnType": "00", "txnSubType": "00", "bizType": "000000", "orderId": number, "txnTime": _written(made)}
        try:
            return await self._ask(_QUERY, wish)
        except Refused as refused:
            if refused.code != _UNKNOWN:
                raise
            return {"origRespCode": _UNKNOWN}

    async def _ask(self, path: str, wish: Mapping[str, Any], base: str = "") -> dict[str, str]:
        told = {
            "version": "5.1.0", "encoding": "UTF-8", "signMethod": "01", "accessType": "0", "merId": self.merchant, "certId": self.certificate,
            **wish,
        }
        body = urlencode({**told, "signature": signature(self.key, told)}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded;charset=UTF-8"}
        answer = await call(self.name, "POST", f"{base or self.url}{path}", content=body, headers=headers, patience=60 if base else 10)
        found = told_of(answer.body)
        if not self._signed(found):
            raise untrusted(self.name)
        if found.get("respCode") != _GOOD:
            raise Refused(found.get("respCode", "none"))
        return found

    def _signed(self, told: Mapping[str, str]) -> bool:
        return verified(self.platform, digest(told), told.get("signature", ""))


def digest(told: Mapping[str, str]) -> bytes:
    """What a signature is over: the hexadecimal digest of the sorted text."""
    text = "&".join(f"{name}={told[name]}" for name in sorted(told) if name != "signature")
    return sha256(text.encode()).hexdigest().encode()


def signature(key: RSAPrivateKey, told: Mapping[str, str]) -> str:
    """The signature of a form."""
    return sign(key, digest(told))


def told_of(body: bytes) -> dict[str, str]:
    """An answer, which is key=value without any escaping; a value may hold =."""
    return dict(pair.split("=", 1) for pair in body.decode("utf-8", "replace").split("&") if "=" in pair)


def seen(told: Mapping[str, str]) -> Seen:
    """A paid transaction in our words."""
    return Seen("paid", int(told["txnAmt"]), told["queryId"], _moment(told))


def seen_refund(told: Mapping[str, str]) -> SeenRefund:
    """A refund in our words."""
    return SeenRefund("done", int(told["txnAmt"]), told["queryId"], _moment(told))


def _moment(told: Mapping[str, str]) -> datetime:
    """When it happened: traceTime has no year; it is that of the order, or the next one."""
    traced, ordered = told["traceTime"], datetime.strptime(told["txnTime"], _MOMENT).replace(tzinfo=CHINA)
    found = datetime.strptime(f"{ordered.year}{traced}", _MOMENT).replace(tzinfo=CHINA)
    # Ordered on the last day of a year and paid on the first of the next.
    return found.replace(year=found.year + 1) if (ordered - found).days > 180 else found


def _written(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime(_MOMENT)
