"""UnionPay's full-channel interface as the simulator speaks it: signed forms, answers without escaping, back notices."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

import httpx
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kangyun.base.web.display import CHINA
from kangyun.support.payments.gateways import unionpay_bill
from kangyun.support.payments.gateways.signing import verified
from kangyun.support.payments.gateways.simulator import Back, Note, Simulator, Trade, new_number
from kangyun.support.payments.gateways.unionpay import digest, signature
from kangyun.support.payments.model import BillRow

_FORMAT = "%Y%m%d%H%M%S"
_CODES = {"open": "05", "closed": "34", "paid": "00", "processing": "05", "done": "00", "failed": "36"}

Told = dict[str, str]


@dataclass(slots=True)
class UnionPaySide:
    """One merchant at UnionPay. merchant_key is the merchant's public key, key UnionPay's own."""

    simulator: Simulator
    merchant: str
    merchant_key: RSAPublicKey
    key: RSAPrivateKey
    name: str = "unionpay"

    def routes(self) -> Sequence[Route]:
        """See Side."""
        return [
            Route("/gateway/api/backTransReq.do", self.back, methods=["POST"]), Route("/gateway/api/queryTrans.do", self.query, methods=["POST"]),
            Route("/unionpay-files/", self.file, methods=["POST"]),
        ]

    async def back(self, request: Request) -> Response:
        """Ask for a QR code, or give back."""
        trouble, told = await self._asked(request)
        if trouble is not None:
            return trouble
        return self._refund(told) if told["txnType"] == "04" else self._order(told)

    def _order(self, told: Told) -> Response:
        trade = self.simulator.order(Trade(
            self.name, told["orderId"], new_number("8"), int(told["txnAmt"]), told.get("orderDesc", ""), told["backUrl"], told.get("frontUrl", ""),
            secrets.token_urlsafe(12), _moment(told["txnTime"]), _moment(told["payTimeout"])))
        if trade is None or trade.state != "open":
            return self._answer(told, {"respCode": "12", "respMsg": "duplicate"})
        return self._answer(told, {"respCode": "00", "respMsg": "success", "qrCode": f"{self.simulator.url}/cashier/{trade.token}"})

    def _refund(self, told: Told) -> Response:
        trade = self.simulator.by_number(self.name, told["origQryId"])
        if trade is None:
            return self._answer(told, {"respCode": "34", "respMsg": "no such transaction"})
        known = told["orderId"] in trade.refunds
        back = self.simulator.give_back(
            trade, Back(told["orderId"], new_number("9"), int(told["txnAmt"]), "", _moment(told["txnTime"]), told["backUrl"]))
        return self._answer(told, {"respCode": "12" if known else "00" if back else "36", "respMsg": ""})

    async def query(self, request: Request) -> Response:
        """A transaction by our number and the time that we gave it."""
        trouble, told = await self._asked(request)
        if trouble is not None:
            return trouble
        trade = self.simulator.find(self.name, told["orderId"])
        if trade is not None and _written(trade.made) == told["txnTime"]:
            return self._answer(told, {"respCode": "00", "origRespCode": _CODES[trade.state], **(self._told(trade) if trade.paid else {})})
        found = self.simulator.back_of(self.name, told["orderId"])
        if found is not None:
            return self._answer(told, {"respCode": "00", "origRespCode": _CODES[found[1].state], **self._told_back(found[1])})
        return self._answer(told, {"respCode": "34", "respMsg": "no such transaction"})

    async def file(self, request: Request) -> Response:
        """The clearing file of a day of this year, or of the last one."""
        trouble, told = await self._asked(request)
        if trouble is not None:
            return trouble
        today = _moment(told["txnTime"]).date()
        day = datetime.strptime(f"{today.year}{told['settleDate']}", "%Y%m%d").replace(tzinfo=CHINA).date()
        day = day if day <= today else day.replace(year=day.year - 1)
        return self._answer(told, {"respCode": "00", "fileName": "ZM.zip", "fileContent": unionpay_bill.write(map(_row, self.simulator.rows(self.name, day)))})

    def note(self, trade: Trade, back: Back | None, *, forged: bool) -> Note | None:
        """See Side."""
        if back is not None and back.state != "done":
            return None
        told = {
            "version": "5.1.0", "encoding": "UTF-8", "signMethod": "01", "merId": self.merchant, "respCode": "00", "respMsg": "success",
            "txnType": "04" if back else "01", "currencyCode": "156", **(self._told_back(back) if back else self._told(trade)),
        }
        right = signature(self.key, told)
        body = urlencode({**told, "signature": b64encode(secrets.token_bytes(256)).decode() if forged else right})
        return Note(back.notify if back else trade.notify, {"content-type": "application/x-www-form-urlencoded;charset=UTF-8"}, body.encode())

    def heard(self, answer: httpx.Response) -> bool:
        """See Side."""
        return answer.status_code == 200

    def _told(self, trade: Trade) -> Told:
        assert trade.paid is not None
        return {
            "orderId": trade.id, "txnTime": _written(trade.made), "txnAmt": str(trade.amount), "queryId": trade.number,
            "traceTime": trade.paid.astimezone(CHINA).strftime("%m%d%H%M%S"),
        }

    def _told_back(self, back: Back) -> Told:
        moment = back.made.astimezone(CHINA)
        return {
            "orderId": back.id, "txnTime": _written(back.made), "txnAmt": str(back.amount), "queryId": back.number, "traceTime": moment.strftime("%m%d%H%M%S"),
        }

    async def _asked(self, request: Request) -> tuple[Response | None, Told]:
        told = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        trouble = self.simulator.trouble()
        if trouble is not None:
            return trouble, told
        if told.get("merId") != self.merchant or not verified(self.merchant_key, digest(told), told.get("signature", "")):
            return self._answer(told, {"respCode": "11", "respMsg": "signature"}), told
        return None, told

    def _answer(self, asked: Mapping[str, str], told: Told) -> Response:
        if self.simulator.lost_answer():
            return Response(status_code=500)
        kept = {name: asked[name] for name in ("version", "encoding", "merId", "orderId", "txnTime", "txnType") if name in asked}
        whole = {**kept, **told}
        whole["signature"] = signature(self.key, whole)
        return Response("&".join(f"{name}={value}" for name, value in whole.items()), media_type="text/html;charset=UTF-8")


def _moment(text: str) -> datetime:
    return datetime.strptime(text, _FORMAT).replace(tzinfo=CHINA)


def _written(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime(_FORMAT)


def _row(row: BillRow) -> Told:
    return {
        "code": "S22" if row.about == "payment" else "S30", "query": row.number, "order": row.id, "moment": "", "amount": f"{row.amount_fen:012}",
        "fee_sign": "D" if row.fee_fen < 0 else "C", "fee": f"{abs(row.fee_fen):012}", "response": "00" if row.state in {"paid", "done"} else "36",
    }
