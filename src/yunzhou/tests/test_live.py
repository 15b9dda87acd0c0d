"""The city of today."""

from __future__ import annotations

from datetime import datetime, timedelta

from yunzhou.live import Today
from yunzhou.messages import Message
from yunzhou.plans import CHINA
from yunzhou.tests.standard import small_city, told

START = datetime(2026, 7, 1, 9, 0, tzinfo=CHINA)


def _quarter(start: datetime = START) -> list[Message]:
    now = [start]
    today = Today(small_city(), lambda: now[0])
    found: list[Message] = []
    for minute in range(15):
        now[0] = start + timedelta(minutes=minute)
        found += today.due()
    return found


def test_messages_of_today_fall_due_in_order_and_are_new() -> None:
    found = _quarter()
    assert 100 < len(found) < 1500
    assert {message.transport for message in found} >= {"mllp", "fhir"}
    assert all(START - timedelta(minutes=20) <= message.at for message in found if message.expected == "stored")
    names = [(message.institution, message.id) for message in found]
    assert len(set(names)) == len(names)
    assert all(len(name) <= 20 for _, name in names)
    assert not set(names) & {(message.institution, message.id) for message in told()}


def test_the_same_moment_gives_the_same_day() -> None:
    assert [message.body for message in _quarter()] == [message.body for message in _quarter()]


def test_no_control_id_comes_again_after_a_restart() -> None:
    first, second = ({(one.institution, one.id): one.body for one in _quarter(start)} for start in (START, START + timedelta(minutes=15, seconds=1)))
    assert [name for name in first.keys() & second.keys() if first[name] != second[name]] == []
    assert not set(first) & set(second)
