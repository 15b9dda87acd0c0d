"""A late message never puts older values over newer ones, whoever handles it and however often."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from kangyun.app.services import Services
from kangyun.base.errors import refuse
from kangyun.commons.access import Gate, Handle
from kangyun.commons.exchange import queries
from kangyun.commons.exchange.actions import Intake, joining, order, quarantine
from kangyun.commons.exchange.actions.sweep import finish_waiting

MESSAGE = "MSH|^~\\&|HIS|O1|||{time}+0800||ADT^A31|{control}|P|2.5||||||UNICODE UTF-8\rEVN|A31|{time}+0800\rPID|1||{number}||{name}||19560304|F|||{address}||{phone}\r"
OLD, NEW = "20261101080000", "20261102080000"


def message(control: str, time: str, name: str, *, number: str = "M1", phone: str = "", address: str = "") -> bytes:
    return MESSAGE.format(control=control, time=time, name=name, number=number, phone=phone, address=address).encode()


@pytest.fixture(autouse=True)
async def _empty(services: Services) -> None:
    joining.forget()
    order.forget()
    async with services.database.connection() as connection:
        await connection.execute("TRUNCATE raw_message, message_note, resource, span, history, change, commit_once, identity, candidate")


async def send(services: Services, *bodies: bytes) -> None:
    intake = Intake(services.database, services.gate, services.keys)
    for body in bodies:
        receipt = await intake.take(body)
        assert receipt.outcome.reason is None or receipt.outcome.reason.key in {"exchange.delayed", "exchange.internal"}, receipt.outcome.reason


async def patient(services: Services, number: str = "M1") -> dict[str, Any]:
    [found] = (await services.gate.system("test").search("Patient", f"identifier={number}")).resources
    return found


def name_of(found: dict[str, Any]) -> str:
    return str(found["name"][0]["text"])


async def test_a_late_message_only_adds_what_is_missing(services: Services):
    await send(services, message("1", "20261031080000", "周秀兰"))
    await send(services, message("2", NEW, "周秀英", phone="13900000001"))
    await send(services, message("3", OLD, "周秀芳", phone="13900000009", address="云州市中山路1号"))
    found = await patient(services)
    assert name_of(found) == "周秀英"
    assert found["telecom"][0]["value"] == "13900000001"
    assert found["address"]


async def test_a_confirmation_in_between_counts_as_well(services: Services):
    await send(services, message("1", "20261031080000", "周秀兰"), message("3", NEW, "周秀兰"))
    order.forget()  # Another process, or this one after a restart.
    await send(services, message("2", OLD, "周秀芳"))
    assert name_of(await patient(services)) == "周秀兰"


async def test_a_retry_after_a_fault_and_a_replay_do_not_overtake(services: Services, monkeypatch: pytest.MonkeyPatch):
    await send(services, message("1", "20261031080000", "周秀兰"))

    async def away(self: Any, *_: Any, **__: Any) -> None:
        raise refuse(503, "transient", "base.database-away")

    with monkeypatch.context() as patched:
        patched.setattr(Handle, "commit", away)
        await send(services, message("2", OLD, "周秀芳"))
    with monkeypatch.context() as patched:
        patched.setattr("kangyun.commons.exchange.actions.processing.translate", lambda *_: 1 / 0)
        await send(services, message("3", OLD, "周秀萍"))
    await send(services, message("4", NEW, "周秀英"))
    order.forget()
    async with services.database.connection() as connection:
        await connection.execute("UPDATE raw_message SET next_try = now() - interval '1 second' WHERE state = 'received'")
        [held] = await queries.latest(connection, state="quarantined")
    assert await finish_waiting(services.database, services.gate, services.keys) == 1
    assert await quarantine.replay(services, held.id)
    async with services.database.connection() as connection:
        assert await queries.states(connection) == {"stored": 4}
    assert name_of(await patient(services)) == "周秀英"


async def test_of_two_connections_the_later_event_wins(services: Services):
    await send(services, *(message(f"a{n}", "20261031080000", "周秀兰", number=f"P{n}") for n in range(6)))
    intake = Intake(services.database, services.gate, services.keys)
    await asyncio.gather(*(
        intake.take(message(f"{time}{n}", time, name, number=f"P{n}")) for n in range(6) for time, name in ((NEW, "周秀英"), (OLD, "周秀芳"))
    ))
    assert {name_of(await patient(services, f"P{n}")) for n in range(6)} == {"周秀英"}


OTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
from kangyun.app.services import Services
from kangyun.base.database import Database
from kangyun.base.database.connection import open_pool
from kangyun.base.keys import FileKeys
from kangyun.base.settings import Settings
from kangyun.commons.access import Gate
from kangyun.commons.exchange.actions.sweep import finish_waiting
from kangyun.commons.records import Store

async def main(dsn, keys):
    database = Database(dsn, open_pool(dsn, 2, 30), None)
    store = Store(database)
    print(await finish_waiting(database, Gate(store), FileKeys(Path(keys))))
    await database.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_another_process_that_finishes_what_waits_does_not_overtake(services: Services, monkeypatch: pytest.MonkeyPatch):
    await send(services, message("1", "20261031080000", "周秀兰"))

    async def away(self: Any, *_: Any, **__: Any) -> None:
        raise refuse(503, "transient", "base.database-away")

    with monkeypatch.context() as patched:
        patched.setattr(Handle, "commit", away)
        await send(services, message("2", OLD, "周秀芳"))
    await send(services, message("3", NEW, "周秀英"))
    async with services.database.connection() as connection:
        await connection.execute("UPDATE raw_message SET next_try = now() - interval '1 second' WHERE state = 'received'")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OTHER_PROCESS, services.database.dsn, services.settings.keys_folder, stdout=asyncio.subprocess.PIPE)
    told, _ = await process.communicate()
    assert b"1" in told.splitlines()
    assert name_of(await patient(services)) == "周秀英"
    assert isinstance(services.gate, Gate)
