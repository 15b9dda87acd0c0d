"""UnionPay's clearing file of a merchant (ZM), simplified: a packed text, one line for each transaction in columns of fixed width.

The file stands in an answer as base64 of its deflated bytes. Columns of the published layout that nobody needs here are
left out; those that are kept have the published width and meaning.
https://open.unionpay.com/tjweb/acproduct/list
"""

from __future__ import annotations

import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable

from kangyun.support.payments.model import BillRow, Refused

# Name and width; transaction code S22 is a payment, S30 a refund; fees are signed by C (to pay) and D (given back).
_COLUMNS = (("code", 3), ("query", 21), ("order", 32), ("moment", 10), ("amount", 12), ("fee_sign", 1), ("fee", 12), ("response", 2))
_CODES = {"S22": "payment", "S30": "refund"}
_LARGEST = 512 * 1024 * 1024


def parse(packed: str) -> tuple[BillRow, ...]:
    """The rows. Raises Refused for a file that is none."""
    try:
        unpacker = zlib.decompressobj()
        text = unpacker.decompress(b64decode(packed, validate=True), _LARGEST).decode("gb18030")
        if unpacker.unconsumed_tail or not unpacker.eof:
            raise Refused("BILL_SIZE")
        return tuple(_row(_values(line)) for line in text.splitlines() if line.strip())
    except (ValueError, KeyError, zlib.error):
        raise Refused("BILL_SHAPE") from None


def _values(line: str) -> dict[str, str]:
    found: dict[str, str] = {}
    at = 0
    for name, width in _COLUMNS:
        found[name] = line[at : at + width].strip()
        at += width + 1
    if len(line) != at - 1:
        raise ValueError("another width")
    return found


def _row(row: dict[str, str]) -> BillRow:
    about = _CODES[row["code"]]
    fee = int(row["fee"]) * (-1 if row["fee_sign"] == "D" else 1)
    good = "paid" if about == "payment" else "done"
    return BillRow(about, row["order"], row["query"], int(row["amount"]), fee, good if row["response"] == "00" else "failed")  # pyright: ignore[reportArgumentType] - a value of the table above


def write(rows: Iterable[dict[str, str]]) -> str:
    """A packed file of rows by the names of _COLUMNS."""
    text = "".join(" ".join(f"{row[name]:<{width}}" for name, width in _COLUMNS) + "\n" for row in rows)
    return b64encode(zlib.compress(text.encode("gb18030"))).decode()
