"""People of the internet hospital log in as people do: once for many errands."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from yunzhou import entrance
from yunzhou.care import City, Stage
from yunzhou.line import Line


async def test_a_resident_logs_in_once_for_many_errands(monkeypatch: pytest.MonkeyPatch) -> None:
    entered: Counter[str] = Counter()

    async def resident(_browser: entrance.Browser, _phones: str, phone: str) -> None:
        entered[phone] += 1

    async def token(*_asked: Any) -> dict[str, Any]:
        return {"access_token": f"t{entered.total()}", "patient": "p"}

    monkeypatch.setattr(entrance, "resident", resident)
    monkeypatch.setattr(entrance, "token", token)
    url = "http://127.0.0.1:9"
    city = City(Stage(url, url, url, "app", "clinic", "pharmacy", "courier", [], ["1", "2"]), Line(url), Line(url))
    actors = [await city.resident(phone) for phone in ("1", "2", "1", "1", "2")]
    assert entered == {"1": 1, "2": 1}, "60 codes an hour for one address are few: whoever tries the demonstration needs one too"
    assert actors[0] is actors[2]
    city.known.clear()
    assert (await city.resident("1")).token == "t3"
