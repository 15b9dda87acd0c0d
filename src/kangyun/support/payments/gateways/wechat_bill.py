"""WeChat Pay's trade bill (交易账单, ALL), its columns as published: CSV in UTF-8, a backtick before every value, sums at the end.

https://pay.weixin.qq.com/doc/v3/merchant/4012071462
"""

from __future__ import annotations

from collections.abc import Iterable

from kangyun.base import money
from kangyun.support.payments.model import BillRow, Refused

COLUMNS: tuple[str, ...] = (
    "交易时间", "公众账号ID", "商户号", "特约商户号", "设备号", "微信订单号", "商户订单号", "用户标识", "交易类型", "交易状态", "付款银行",
    "货币种类", "应结订单金额", "代金券金额", "微信退款单号", "商户退款单号", "退款金额", "充值券退款金额", "退款类型", "退款状态", "商品名称",
    "商户数据包", "手续费", "费率", "订单金额", "申请退款金额", "费率备注",
)
TOTALS = ("总交易单数", "应结订单总金额", "退款总金额", "充值券退款总金额", "手续费总金额", "订单总金额", "申请退款总金额")
_BOM = "\ufeff"
_STATES = {"SUCCESS": "done", "PROCESSING": "processing", "CHANGE": "failed", "FAIL": "failed", "CLOSED": "failed", "ABNORMAL": "failed"}


def parse(file: bytes) -> tuple[BillRow, ...]:
    """The rows. Raises Refused for a file that is none, or whose sums are not those of its rows."""
    try:
        lines = file.decode("utf-8").removeprefix(_BOM).splitlines()
        end = lines.index(",".join(TOTALS))
        if lines[0] != ",".join(COLUMNS):
            raise Refused("BILL_COLUMNS")
        rows = [dict(zip(COLUMNS, _values(line), strict=True)) for line in lines[1:end]]
        told = _values(lines[end + 1])
        found = tuple(map(_row, rows))
    except (ValueError, IndexError, UnicodeDecodeError, KeyError):
        raise Refused("BILL_SHAPE") from None
    paid = sum(row.amount_fen for row in found if row.about == "payment")
    if int(told[0]) != len(found) or money.parse(told[5]) != paid:
        raise Refused("BILL_TOTALS")
    return found


def _values(line: str) -> list[str]:
    return [value.removeprefix("`") for value in line.split(",`")] if line.startswith("`") else line.split(",")


def _row(row: dict[str, str]) -> BillRow:
    fee = money.parse(row["手续费"])
    if row["交易状态"] == "REFUND":
        return BillRow("refund", row["商户退款单号"], row["微信退款单号"], money.parse(row["申请退款金额"]), fee, _STATES[row["退款状态"]])
    return BillRow("payment", row["商户订单号"], row["微信订单号"], money.parse(row["订单金额"]), fee, "paid")


def write(rows: Iterable[dict[str, str]]) -> bytes:
    """A bill of rows by column names; what a row does not say is 0.00 for money and empty else."""
    whole = [{**_EMPTY, **row} for row in rows]
    paid = sum(money.parse(row["订单金额"]) for row in whole)
    refunds = sum(money.parse(row["申请退款金额"]) for row in whole)
    fees = sum(money.parse(row["手续费"]) for row in whole)
    sums = (str(len(whole)), money.plain(paid), money.plain(refunds), "0.00", money.plain(fees), money.plain(paid), money.plain(refunds))
    lines = [",".join(COLUMNS), *(_line(row[name] for name in COLUMNS) for row in whole), ",".join(TOTALS), _line(sums)]
    return (_BOM + "\r\n".join(lines) + "\r\n").encode()


_EMPTY = {name: "0.00" if "金额" in name or name == "手续费" else "" for name in COLUMNS}


def _line(values: Iterable[str]) -> str:
    return ",".join(f"`{value}" for value in values)
