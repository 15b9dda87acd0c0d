"""Alipay's trade bill (业务明细): a zip that holds a CSV in GB 18030, remarks in lines that begin with #, tabs after numbers.

https://opendocs.alipay.com/support/01rape
"""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable

from kangyun.base import money
from kangyun.support.payments.model import BillRow, Refused

COLUMNS: tuple[str, ...] = (
    "支付宝交易号", "商户订单号", "业务类型", "商品名称", "创建时间", "完成时间", "门店编号", "门店名称", "操作员", "终端号", "对方账户",
    "订单金额（元）", "商家实收（元）", "支付宝红包（元）", "集分宝（元）", "支付宝优惠（元）", "商家优惠（元）", "券核销金额（元）", "券名称",
    "商家红包消费金额（元）", "卡消费金额（元）", "退款批次号/请求号", "服务费（元）", "分润（元）", "备注",
)
_NAME = "业务明细.csv"
_LARGEST = 512 * 1024 * 1024


def parse(file: bytes) -> tuple[BillRow, ...]:
    """The rows. Raises Refused for a file that is none, or that says another number of rows than it has."""
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            entry = next(one for one in archive.infolist() if _name(one).endswith(_NAME))
            if entry.file_size > _LARGEST:
                raise Refused("BILL_SIZE")
            text = archive.read(entry).decode("gb18030")
    except (zipfile.BadZipFile, StopIteration, UnicodeDecodeError):
        raise Refused("BILL_SHAPE") from None
    try:
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        found = tuple(_row({name: value.strip() for name, value in row.items()}) for row in csv.DictReader(lines, strict=True))
        count = next(line for line in text.splitlines() if line.startswith("#合计"))
    except (ValueError, KeyError, AttributeError, StopIteration, csv.Error):
        raise Refused("BILL_SHAPE") from None
    if int("".join(filter(str.isdigit, count))) != len(found):
        raise Refused("BILL_TOTALS")
    return found


def _name(entry: zipfile.ZipInfo) -> str:
    # Without the flag for UTF-8 the name is in the machine's old code page, which zipfile takes for cp437.
    return entry.filename if entry.flag_bits & 0x800 else entry.filename.encode("cp437").decode("gb18030", "replace")


def _row(row: dict[str, str]) -> BillRow:
    fee = abs(money.parse(row["服务费（元）"]))
    amount = abs(money.parse(row["订单金额（元）"]))
    if row["业务类型"] == "退款":
        # The fee of a refund comes back.
        return BillRow("refund", row["退款批次号/请求号"], row["支付宝交易号"], amount, -fee, "done")
    return BillRow("payment", row["商户订单号"], row["支付宝交易号"], amount, fee, "paid")


def write(account: str, rows: Iterable[dict[str, str]]) -> bytes:
    """A bill of rows by column names."""
    out = io.StringIO()
    kept = list(rows)
    out.write(f"#支付宝业务明细查询\r\n#账号：[{account}]\r\n#-----业务明细列表-----\r\n")
    writer = csv.DictWriter(out, COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: f"{value}\t" for name, value in row.items()} for row in kept)
    out.write(f"#-----业务明细列表结束-----\r\n#合计：{len(kept)}笔\r\n")
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{account}_{_NAME}", out.getvalue().encode("gb18030"))
    return made.getvalue()
