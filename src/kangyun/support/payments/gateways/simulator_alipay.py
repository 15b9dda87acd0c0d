"""Alipay as the simulator speaks it: one address for all calls, RSA2 both ways, notices as signed forms."""

from __future__ import annotations

import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from kangyun.base import clock, money
from kangyun.base.web.display import CHINA
from kangyun.support.payments.gateways import alipay_bill
from kangyun.support.payments.gateways.alipay import sorted_text
from kangyun.support.payments.gateways.signing import sign, verified
from kangyun.support.payments.gateways.simulator import Back, Note, Simulator, Trade, new_number
from kangyun.support.payments.model import BillRow

_FORMAT = "%Y-%m-%d %H:%M:%S"
_STATES = {"paid": "TRADE_SUCCESS", "closed": "TRADE_CLOSED", "open": "WAIT_BUYER_PAY"}

Told = dict[str, Any]


@dataclass(slots=True)
class AlipaySide:
    """One merchant's app at Alipay. merchant_key is the merchant's public key, key Alipay's own."""

    simulator: Simulator
    app: str
    merchant_key: RSAPublicKey
    key: RSAPrivateKey
    name: str = "alipay"

    def routes(self) -> Sequence[Route]:
        """See Side."""
        return [Route("/gateway.do", self.call, methods=["POST"]), Route("/gateway.do", self.open), Route("/bills/{day}", self.file)]

    async def call(self, request: Request) -> Response:
        """Any method of the open platform."""
        told = dict(parse_qsl((await request.body()).decode()))
        trouble = self.simulator.trouble()
        if trouble is not None:
            return trouble
        method = told.get("method", "")
        if told.get("app_id") != self.app or not verified(self.merchant_key, sorted_text(told, {"sign"}), told.get("sign", "")):
            return self._answer(method, {"code": "40002", "msg": "Invalid Arguments", "sub_code": "isv.invalid-signature"})
        act = self._methods().get(method)
        wish: Told = orjson.loads(told.get("biz_content", "{}"))
        return self._answer(method, act(wish, told) if act else {"code": "40002", "sub_code": "isv.invalid-method"})

    async def open(self, request: Request) -> Response:
        """The page of a phone (wap.pay): an address that the merchant has signed."""
        told = dict(request.query_params)
        signed = verified(self.merchant_key, sorted_text(told, {"sign"}), told.get("sign", ""))
        if told.get("method") != "alipay.trade.wap.pay" or not signed:
            return Response("invalid-signature", 400)
        trade = self._trade(orjson.loads(told["biz_content"]), told)
        if trade is None:
            return Response("ACQ.CONTEXT_INCONSISTENT", 400)
        return RedirectResponse(f"{self.simulator.url}/cashier/{trade.token}?{urlencode({'redirect_url': told.get('return_url', '')})}", 303)

    async def file(self, request: Request) -> Response:
        """The bill of a day; the address that was told opens it for a while."""
        rows = self.simulator.rows(self.name, date.fromisoformat(request.path_params["day"]))
        return Response(alipay_bill.write(self.app, map(_row, rows)), media_type="application/zip")

    def _methods(self) -> Mapping[str, Callable[[Told, Mapping[str, str]], Told]]:
        return {
            "alipay.trade.precreate": self._precreate, "alipay.trade.query": self._query, "alipay.trade.close": self._close,
            "alipay.trade.refund": self._refund, "alipay.trade.fastpay.refund.query": self._query_refund,
            "alipay.data.dataservice.bill.downloadurl.query": self._bill,
        }

    def _precreate(self, wish: Told, told: Mapping[str, str]) -> Told:
        trade = self._trade(wish, told)
        if trade is None:
            return _refuse("ACQ.CONTEXT_INCONSISTENT")
        if trade.state == "paid":
            return _refuse("ACQ.TRADE_HAS_SUCCESS")
        if trade.state == "closed":
            return _refuse("ACQ.TRADE_HAS_CLOSE")
        return {"code": "10000", "msg": "Success", "out_trade_no": trade.id, "qr_code": f"{self.simulator.url}/cashier/{trade.token}"}

    def _trade(self, wish: Told, told: Mapping[str, str]) -> Trade | None:
        expires = datetime.strptime(wish["time_expire"], _FORMAT).replace(tzinfo=CHINA)
        return self.simulator.order(Trade(
            self.name, wish["out_trade_no"], new_number("2026"), money.parse(wish["total_amount"]), wish["subject"], told["notify_url"],
            told.get("return_url", ""), secrets.token_urlsafe(12), clock.now(), expires))

    def _known(self, wish: Told) -> Trade | None:
        """A trade that a payer has opened; Alipay does not know others."""
        found = self.simulator.find(self.name, wish["out_trade_no"])
        return found if found and found.opened else None

    def _query(self, wish: Told, _told: Mapping[str, str]) -> Told:
        trade = self._known(wish)
        if trade is None:
            return _refuse("ACQ.TRADE_NOT_EXIST")
        told = {"code": "10000", "msg": "Success", **self._told(trade)}
        return told | ({"send_pay_date": _written(trade.paid)} if trade.paid else {})

    def _close(self, wish: Told, _told: Mapping[str, str]) -> Told:
        trade = self._known(wish)
        if trade is None or trade.state != "open":
            return _refuse("ACQ.TRADE_STATUS_ERROR" if trade else "ACQ.TRADE_NOT_EXIST")
        trade.state = "closed"
        return {"code": "10000", "msg": "Success", "out_trade_no": trade.id, "trade_no": trade.number}

    def _refund(self, wish: Told, _told: Mapping[str, str]) -> Told:
        trade = self._known(wish)
        if trade is None:
            return _refuse("ACQ.TRADE_NOT_EXIST")
        fresh = wish["out_request_no"] not in trade.refunds
        back = self.simulator.give_back(trade, Back(wish["out_request_no"], trade.number, money.parse(wish["refund_amount"]), "", clock.now()))
        if back is None:
            return _refuse("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
        told = {"code": "10000", "msg": "Success", "out_trade_no": trade.id, "trade_no": trade.number, "refund_fee": money.plain(trade.given_back)}
        done = fresh and back.state == "done"
        return told | ({"fund_change": "Y", "gmt_refund_pay": _written(back.made)} if done else {"fund_change": "N"})

    def _query_refund(self, wish: Told, _told: Mapping[str, str]) -> Told:
        trade = self._known(wish)
        back = trade.refunds.get(wish["out_request_no"]) if trade else None
        if trade is None:
            return _refuse("ACQ.TRADE_NOT_EXIST")
        told: Told = {"code": "10000", "msg": "Success", "out_trade_no": trade.id, "trade_no": trade.number}
        if back is None or back.state != "done":
            return told
        return told | {
            "out_request_no": back.id, "refund_amount": money.plain(back.amount), "refund_status": "REFUND_SUCCESS", "gmt_refund_pay": _written(back.made)}

    def _bill(self, wish: Told, _told: Mapping[str, str]) -> Told:
        return {"code": "10000", "msg": "Success", "bill_download_url": f"{self.simulator.url}/bills/{wish['bill_date']}"}

    def note(self, trade: Trade, back: Back | None, *, forged: bool) -> Note | None:
        """See Side; of refunds Alipay tells by the trade only, which says nothing new."""
        if back is not None:
            return None
        assert trade.paid is not None
        told = {
            "app_id": self.app, "charset": "utf-8", "version": "1.0", "sign_type": "RSA2", "notify_type": "trade_status_sync",
            "notify_id": secrets.token_hex(16), "notify_time": _written(clock.now()), "gmt_payment": _written(trade.paid), "subject": trade.about,
            **self._told(trade),
        }
        right = sign(self.key, sorted_text(told, {"sign", "sign_type"}))
        body = urlencode({**told, "sign": b64encode(secrets.token_bytes(256)).decode() if forged else right})
        return Note(trade.notify, {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}, body.encode())

    def heard(self, answer: httpx.Response) -> bool:
        """See Side."""
        return answer.text == "success"

    def _told(self, trade: Trade) -> dict[str, str]:
        return {"out_trade_no": trade.id, "trade_no": trade.number, "trade_status": _STATES[trade.state], "total_amount": money.plain(trade.amount)}

    def _answer(self, method: str, told: Told) -> Response:
        if self.simulator.lost_answer():
            return Response(status_code=500)
        inner = orjson.dumps(told).decode()
        signature = sign(self.key, inner.encode())
        return Response(f'{{"{method.replace(".", "_")}_response":{inner},"sign":"{signature}"}}', media_type="application/json")


def _refuse(code: str) -> Told:
    return {"code": "40004", "msg": "Business Failed", "sub_code": code, "sub_msg": code}


def _written(moment: datetime) -> str:
    return moment.astimezone(CHINA).strftime(_FORMAT)


def _row(row: BillRow) -> dict[str, str]:
    payment = row.about == "payment"
    sign_ = "" if payment else "-"
    return {
        "支付宝交易号": row.number, "商户订单号": row.id if payment else "", "业务类型": "交易" if payment else "退款", "商品名称": "健康服务订单",
        "订单金额（元）": f"{sign_}{money.plain(row.amount_fen)}", "商家实收（元）": f"{sign_}{money.plain(row.amount_fen)}",
        "退款批次号/请求号": "" if payment else row.id, "服务费（元）": money.plain(-row.fee_fen),
    }
