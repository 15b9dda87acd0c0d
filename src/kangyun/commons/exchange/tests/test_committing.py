"""Messages that are ready at the same time share a commit; what hinders one of them hinders no other."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from kangyun.app.services import Services
from kangyun.commons.exchange import queries
from kangyun.commons.exchange.actions import Intake, joining, order
from kangyun.commons.exchange.model import Outcome

MESSAGE = "MSH|^~\\&|HIS|{sender}|||{time}+0800||ADT^A31|{control}|P|2.5||||||UNICODE UTF-8\rEVN|A31|{time}+0800\rPID|1||{number}||{name}||{born}|F{rest}\r"
DAY, EARLIER = "20261102080000", "20261101080000"
MANY = 11


@pytest.fixture(autouse=True)
async def _empty(services: Services) -> None:
    joining.forget()
    order.forget()
    async with services.database.connection() as connection:
        await connection.execute("TRUNCATE raw_message, message_note, resource, span, history, change, commit_once, identity, candidate")
    # Who sends is in the directory: the first messages of a sender all write it, so they come one after the other.
    await at_once(services, message(MANY))


def message(number: int, *, sender: str = "O1", time: str = DAY, name: str = "", identifier: str = "", control: str = "", rest: str = "") -> bytes:
    """One resident for each number: nobody is like another."""
    told = name or "张王李赵陈杨黄周吴徐孙马"[number] + "芳兰英萍静敏丽强磊军洋勇"[number]
    born = f"{1930 + number * 5}{number % 12 + 1:02d}{number + 3:02d}"
    return MESSAGE.format(sender=sender, time=time, control=control or f"{sender}-{number}-{time}", number=identifier or f"P{number}", name=told, born=born, rest=rest).encode()


async def at_once(services: Services, *bodies: bytes) -> list[Outcome]:
    intake = Intake(services.database, services.gate, services.keys)
    return [receipt.outcome for receipt in await asyncio.gather(*(intake.take(body) for body in bodies))]


ALL = MANY + 1


async def states(services: Services) -> dict[str, int]:
    async with services.database.connection() as connection:
        return await queries.states(connection)


async def commits(services: Services) -> int:
    """How many transactions wrote the Patients that are there."""
    async with services.database.connection() as connection:
        return int(await connection.fetchval("SELECT count(DISTINCT xmin::text) FROM resource WHERE version = 1 AND id IN (SELECT patient FROM raw_message)"))


async def all_of(services: Services, type_: str) -> list[dict[str, Any]]:
    return (await services.gate.system("test").search(type_, "_count=100")).resources


async def test_messages_that_come_at_once_share_commits_and_are_all_stored(services: Services):
    told = await at_once(services, *(message(number) for number in range(MANY)))
    assert Counter(one.acknowledgement for one in told) == {"AA": MANY}
    assert await states(services) == {"stored": ALL}
    assert await commits(services) < ALL
    assert len(await all_of(services, "Patient")) == len(await all_of(services, "Person")) == len(await all_of(services, "Provenance")) == ALL
    async with services.database.connection() as connection:
        noted = await connection.fetch("SELECT patient, matching, handled, occurred FROM raw_message")
    assert {one["patient"] for one in noted} == {str(one["id"]) for one in await all_of(services, "Patient")}
    assert all(one["matching"] == "new" and one["handled"] and one["occurred"] for one in noted)


async def test_what_comes_again_at_once_is_stored_once(services: Services):
    bodies = [message(number) for number in range(6)]
    told = await at_once(services, *bodies, *bodies)
    assert Counter(one.acknowledgement for one in told) == {"AA": 12}
    assert len(await all_of(services, "Patient")) == len(await all_of(services, "Provenance")) == 7
    assert all(one["meta"]["versionId"] == "1" for one in await all_of(services, "Patient"))


async def test_one_new_resident_of_several_senders_at_once_is_one_person(services: Services):
    home = "|||云州市人民路街道幸福里9号||13900004444"
    told = await at_once(services, *(message(4, sender=f"S{n}", rest=home) for n in range(8)))
    assert Counter(one.acknowledgement for one in told) == {"AA": 8}
    [person] = [one for one in await all_of(services, "Person") if len(one["link"]) > 1]
    assert len(person["link"]) == 8
    assert len(await all_of(services, "Patient")) == 9


async def test_one_that_another_process_has_stored_meanwhile_hinders_nobody(services: Services, monkeypatch: pytest.MonkeyPatch):
    real = joining.writes_of

    async def beaten(handle: Any, sheet: Any, resident: str, number: int, recorded: str) -> Any:
        if sheet.message.control_id.startswith("O1-3-"):
            async with services.database.connection() as connection:
                await connection.execute("UPDATE raw_message SET state = 'stored', patient = 'elsewhere' WHERE id = $1", number)
        return await real(handle, sheet, resident, number, recorded)

    monkeypatch.setattr(joining, "writes_of", beaten)
    told = await at_once(services, *(message(number) for number in range(MANY)))
    assert [one.patient for one in told].count("elsewhere") == 1
    assert Counter(one.acknowledgement for one in told) == {"AA": MANY}
    assert len(await all_of(services, "Patient")) == len(await all_of(services, "Provenance")) == ALL - 1


async def test_a_refused_one_is_quarantined_and_the_others_are_stored(services: Services, monkeypatch: pytest.MonkeyPatch):
    real = joining.writes_of

    async def spoiled(handle: Any, sheet: Any, resident: str, number: int, recorded: str) -> Any:
        writes = await real(handle, sheet, resident, number, recorded)
        if sheet.message.control_id.startswith("O1-5-"):
            assert writes[-1].resource
            writes[-1].resource["recorded"] = "never"
        return writes

    monkeypatch.setattr(joining, "writes_of", spoiled)
    told = await at_once(services, *(message(number) for number in range(MANY)))
    refused = [one for one in told if one.acknowledgement != "AA"]
    assert [(one.acknowledgement, one.reason.key) for one in refused if one.reason] == [("AE", "exchange.refused-by-record")]
    assert await states(services) == {"stored": ALL - 1, "quarantined": 1}
    assert len(await all_of(services, "Patient")) == ALL - 1


async def test_a_late_one_among_others_only_adds_what_is_missing(services: Services):
    await at_once(services, *(message(number, time=DAY) for number in range(MANY)))
    order.forget()
    told = await at_once(services, *(message(number, time=EARLIER, name="钱多多") for number in range(6)), *(message(number, time="20261103080000", name="孙小小") for number in range(6, MANY)))
    assert Counter(one.acknowledgement for one in told) == {"AA": MANY}
    names = Counter(str(one["name"][0]["text"]) for one in await all_of(services, "Patient"))
    assert names["孙小小"] == MANY - 6
    assert "钱多多" not in names
