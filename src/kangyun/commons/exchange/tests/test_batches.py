from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
import pytest

from kangyun.commons.exchange.actions import joining
from kangyun.commons.exchange.decisions.batches import is_batch, messages, shortfall

PID = "PID|1||{}^^^H&1.2.3&ISO^MR||周秀兰||19560304|2"


@pytest.fixture(autouse=True)
async def fresh() -> AsyncGenerator[None]:
    joining.forget()
    yield
    joining.forget()


def one(control: str, number: str = "7") -> str:
    return f"MSH|^~\\&|HIS|HB|KANGYUN|YUNZHOU|20260301080000+0800||ADT^A28^ADT_A05|{control}|P|2.5\rEVN|A28|20260301\r{PID.format(number)}\r"


def batch(*some: str, told: int | None = None, whole: bool = True) -> bytes:
    count = len(some) if told is None else told
    return ("FHS|^~\\&|HIS|HB\rBHS|^~\\&|HIS|HB\r" + "".join(some) + (f"BTS|{count}\rFTS|1\r" if whole else "")).encode()


def test_an_envelope_tells_whether_a_batch_is_whole():
    good = batch(one("1"), one("2"))
    assert is_batch(good)
    assert len(messages(good)) == 2
    assert shortfall(good) is None
    assert shortfall(one("1").encode()) is None
    assert not is_batch(one("1").encode())
    unfinished, short = shortfall(batch(one("1"), whole=False)), shortfall(batch(one("1"), told=2))
    assert unfinished
    assert short
    assert (unfinished.key, short.key, short.place) == ("exchange.batch-unfinished", "exchange.batch-count", "BTS-1")


async def test_a_batch_over_http_is_answered_by_a_batch(api: httpx.AsyncClient):
    headers = {"content-type": "application/hl7-v2"}
    answer = await api.post("/exchange/hl7v2", content=batch(one("B1"), one("B2", "8")), headers=headers)
    assert answer.status_code == 200
    assert answer.text.startswith("BHS|")
    assert answer.text.count("MSA|AA") == 2
    assert answer.text.endswith("BTS|2\r")
    short = await api.post("/exchange/hl7v2", content=batch(one("B3"), told=2), headers=headers)
    assert short.status_code == 422
    assert "holds 1" in short.text
    bad = await api.post("/exchange/hl7v2", content=batch(one("B4"), one("B5").replace("19560304", "19561399")), headers=headers)
    assert bad.status_code == 422
    assert (bad.text.count("MSA|AA"), bad.text.count("MSA|AE")) == (1, 1)
