from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.base.database import Connection
from kangyun.base.errors import Problem, refuse
from kangyun.base.keys import FileKeys
from kangyun.commons.access import Handle
from kangyun.commons.exchange import queries
from kangyun.commons.exchange.actions import Intake, joining, quarantine, sealing
from kangyun.commons.exchange.actions.sweep import finish_waiting
from kangyun.commons.exchange.pages.quarantine import words_of
from kangyun.commons.exchange.queries import quarantine as held_queries
from kangyun.commons.exchange.queries.messages import sql

GOOD = "MSH|^~\\&|HIS|{sender}|||20260301080000+0800||ADT^A28|{control}|P|2.5||||||UNICODE UTF-8\rEVN|A28|20260301\rPID|1||{number}||周秀兰||19560304|{sex}\r"
NAME = "钟离玉蟾"


def message(control: str, *, sender: str = "Q1", number: str = "M1", sex: str = "F") -> bytes:
    return GOOD.format(control=control, sender=sender, number=number, sex=sex).encode()


@pytest.fixture(autouse=True)
async def _empty(services: Services) -> None:
    joining.forget()
    async with services.database.connection() as connection:
        await connection.execute("TRUNCATE raw_message, message_note, sender_pause, replay_run, resource, span, history, change, commit_once")


async def send(services: Services, body: bytes) -> int:
    receipt = await Intake(services.database, services.gate, services.keys).take(body)
    assert receipt.outcome.message_id is not None
    return receipt.outcome.message_id


async def one(services: Services, number: int) -> queries.Kept:
    async with services.database.connection() as connection:
        found = await queries.one(connection, number)
    assert found is not None
    return found


async def body_of(services: Services, number: int) -> bytes:
    kept = await one(services, number)
    assert kept.body is not None
    return sealing.opened(services.keys, bytes(kept.body), kept.sealed, bytes(kept.content_hash))


# Sealed at rest


async def test_nothing_of_a_message_is_readable_in_the_rows_or_in_the_files_of_the_database(services: Services):
    body = message("S1", sex="Z").replace("周秀兰".encode(), NAME.encode())
    number = await send(services, body + b"NTE|1||" + (NAME * 900).encode() + b"\r")
    assert NAME.encode() in await body_of(services, number)
    async with services.database.connection() as connection:
        row = await connection.fetchrow("SELECT * FROM raw_message WHERE id = $1", number)
        assert row is not None
        assert all(NAME.encode() not in (value if isinstance(value, bytes) else str(value).encode()) for value in row.values())
        await connection.execute("CHECKPOINT")
        files = [Path(await _folder(connection)) / path for path in await _files(connection)]
    assert files
    assert all(NAME.encode() not in file.read_bytes() for file in files)


async def _folder(connection: Connection) -> str:
    return str(await connection.fetchval("SHOW data_directory"))


async def _files(connection: Connection) -> list[str]:
    rows = await connection.fetch("""
        SELECT pg_relation_filepath(oid) AS path FROM pg_class WHERE relname = 'raw_message'
        UNION ALL SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE relname = 'raw_message'
    """)
    return [row["path"] for row in rows]


async def test_the_wrong_keys_give_a_clear_refusal(services: Services, tmp_path: Path):
    kept = await one(services, await send(services, message("S2")))
    assert kept.body is not None
    with pytest.raises(Problem) as refused:
        sealing.opened(FileKeys(tmp_path), bytes(kept.body), kept.sealed, bytes(kept.content_hash))
    assert refused.value.issues[0].key == "exchange.unopenable"
    with pytest.raises(Problem):
        sealing.opened(services.keys, bytes(kept.body), kept.sealed, b"another row's hash")


async def test_bodies_of_older_versions_stay_readable_and_are_sealed_in_the_background(services: Services):
    text = b'{"resourceType":"Patient","id":"old-1","name":[{"text":"' + NAME.encode() + b'"}]}'
    intake = Intake(services.database, services.gate, services.keys)
    first = await intake.take_file(text, "folder:in")
    digest = sealing.plain_hash(text)
    async with services.database.connection() as connection:
        await connection.execute(
            "UPDATE raw_message SET sealed = 0, body = $2, content_hash = $3, control_id = $4 WHERE id = $1",
            first.message_id, text, digest, f"sha256:{digest.hex()}")
    assert await body_of(services, first.message_id or 0) == text
    assert (await intake.take_file(text, "folder:in")).state == "duplicate"
    assert await sealing.seal_some(services.database, services.keys) == 1
    assert await sealing.seal_some(services.database, services.keys) == 0
    kept = await one(services, first.message_id or 0)
    assert kept.sealed
    assert digest.hex() not in kept.control_id
    assert await body_of(services, kept.id) == text
    assert (await intake.take_file(text, "folder:in")).state == "duplicate"


# Edit, replay, dismiss


async def test_an_edit_is_a_version_of_its_own_and_the_original_stays(services: Services):
    number = await send(services, message("E1", sex="Z"))
    text = (await body_of(services, number)).decode().replace("\r", "\n")
    new = await quarantine.edit(services, number, text.replace("|Z", "|F").replace("\n", "\r\n"), "steward")
    assert new is not None
    original, edited = await one(services, number), await one(services, new)
    assert (original.state, original.successor, edited.state, edited.edits) == ("dismissed", new, "stored", number)
    assert b"|Z\r" in await body_of(services, number)
    assert b"|F\r" in await body_of(services, new)
    async with services.database.connection() as connection:
        assert [(note.actor, note.act) for note in await held_queries.notes(connection, original.sender_key, number)] == [("steward", "edited")]
    assert len((await services.gate.system("test").search("Patient", "identifier=M1")).resources) == 1
    again = await Intake(services.database, services.gate, services.keys).take(message("E1", sex="Z"))
    assert (again.outcome.state, again.outcome.acknowledgement) == ("duplicate", "AA")
    assert await quarantine.edit(services, number, text.replace("|Z", "|M"), "steward") is None


async def test_an_edit_keeps_the_character_set_of_the_original(services: Services):
    gb = message("E2", sex="Z").decode().replace("UNICODE UTF-8", "GB18030").encode("gb18030")
    number = await send(services, gb)
    text = gb.decode("gb18030").replace("|Z", "|F").replace("周", "䶮")
    new = await quarantine.edit(services, number, text, "steward")
    assert "䶮".encode("gb18030") in await body_of(services, new or 0)
    [patient] = (await services.gate.system("test").search("Patient", "identifier=M1")).resources
    assert patient["name"][0]["text"] == "䶮秀兰"


async def test_what_was_dismissed_is_neither_tried_nor_acknowledged_and_can_be_taken_back(services: Services):
    number = await send(services, message("D1", sex="Z"))
    assert await quarantine.dismiss(services, number, "测试数据", "steward")
    assert (await one(services, number)).state == "dismissed"
    again = await Intake(services.database, services.gate, services.keys).take(message("D1", sex="Z"))
    assert again.outcome.acknowledgement == "AE"
    assert again.outcome.reason is not None
    assert again.outcome.reason.key == "exchange.dismissed-before"
    assert await quarantine.take_back(services, number, "steward")
    assert (await one(services, number)).state == "quarantined"


async def test_retries_stop_for_a_message_and_for_a_sender_until_a_person_resumes_them(services: Services, monkeypatch: pytest.MonkeyPatch):
    async def away(self: Any, *_: Any, **__: Any) -> None:
        raise refuse(503, "transient", "base.database-away")

    with monkeypatch.context() as patched:
        patched.setattr(Handle, "commit", away)
        number = await send(services, message("R1"))
    assert await quarantine.stop(services, number, "steward")
    await _make_due(services)
    assert await _sweep(services) == 0
    assert await quarantine.resume(services, number, "steward")
    await quarantine.pause_sender(services, "Q1", "steward")
    await _make_due(services)
    assert await _sweep(services) == 0
    await quarantine.resume_sender(services, "Q1")
    assert await _sweep(services) == 1
    assert (await one(services, number)).state == "stored"


async def _sweep(services: Services) -> int:
    return await finish_waiting(services.database, services.gate, services.keys)


async def _make_due(services: Services) -> None:
    async with services.database.connection() as connection:
        await connection.execute("UPDATE raw_message SET next_try = now() - interval '1 second' WHERE state = 'received' AND next_try < 'infinity'")


async def test_many_are_replayed_in_order_with_counts_and_a_run_can_be_stopped(services: Services, monkeypatch: pytest.MonkeyPatch):
    with monkeypatch.context() as patched:
        patched.setattr("kangyun.commons.exchange.actions.processing.translate", lambda *_: 1 / 0)
        numbers = [await send(services, message(f"B{n}", number=f"B{n}", sender="Q2")) for n in range(4)]
    other = await send(services, message("B9", sender="Q3", sex="Z"))
    wanted = held_queries.Wanted(sender_key=(await one(services, numbers[0])).sender_key, reason="exchange.internal")
    run = await quarantine.replay_many(services, wanted, "Q2", "steward")
    await quarantine.go_on(services, {"run": run})
    async with services.database.connection() as connection:
        found = await held_queries.run(connection, run)
    assert found is not None
    assert (found.total, found.done, found.stored, found.state) == (4, 4, 4, "done")
    assert {(await one(services, number)).state for number in numbers} == {"stored"}
    assert (await one(services, other)).state == "quarantined"
    stopped = await quarantine.replay_many(services, held_queries.Wanted(), None, "steward")
    await quarantine.stop_run(services, stopped)
    await quarantine.go_on(services, {"run": stopped})
    async with services.database.connection() as connection:
        found = await held_queries.run(connection, stopped)
    assert found is not None
    assert (found.done, found.state) == (0, "stopped")


async def test_messages_that_arrive_together_share_statements(services: Services, monkeypatch: pytest.MonkeyPatch):
    import asyncio

    seen: list[int] = []
    intake = Intake(services.database, services.gate, services.keys)
    original = intake._keeper._keep  # pyright: ignore[reportPrivateUsage]

    async def counted(group: Any) -> Any:
        seen.append(len(group))
        return await original(group)

    monkeypatch.setattr(intake._keeper._keeping, "_work", counted)  # pyright: ignore[reportPrivateUsage]
    await asyncio.gather(*(intake.take(message(f"T{n}", number=f"T{n}", sender="Q4")) for n in range(40)))
    assert sum(seen) == 40
    assert len(seen) < 20
    async with services.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM raw_message WHERE state = 'stored'") == 40
        assert "unnest" in sql.keep


# The pages


async def test_a_steward_edits_and_replays_on_the_pages(api: httpx.AsyncClient, services: Services):
    number = await send(services, message("P1", sex="Z"))
    page = (await api.get("/exchange/quarantine?lang=zh")).text
    assert f"message-{number}" in page
    assert "不在对照表中" in page
    form = await api.get(f"/exchange/messages/{number}/edit")
    text = re.search(r"<textarea[^>]*>(.*?)</textarea>", form.text, re.DOTALL)
    token = re.search(r'name="csrf" value="([^"]+)"', form.text)
    assert text
    assert token
    import html

    plain = html.unescape(text[1])
    silent = await api.post(f"/exchange/messages/{number}/dismiss", data={"csrf": token[1], "said": " "}, headers={"accept": "text/html"})
    assert (silent.status_code, "message-" in silent.text or "dismiss" in silent.text, "error-page" in silent.text) == (422, True, False)
    same = await api.post(f"/exchange/messages/{number}/edit", data={"csrf": token[1], "text": plain})
    assert same.status_code == 422
    mended = await api.post(
        f"/exchange/messages/{number}/edit", data={"csrf": token[1], "text": plain.replace("|Z", "|F")}, follow_redirects=True)
    assert mended.status_code == 200
    assert "已入库" in mended.text
    assert "由此消息修改而来" in mended.text


async def test_a_heap_is_replayed_from_the_page_and_the_page_shows_how_far_it_is(api: httpx.AsyncClient, services: Services):
    for n in range(2):
        await send(services, message(f"H{n}", sex="Z", number=f"H{n}"))
    page = await api.get("/exchange/quarantine?lang=en")
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token
    answer = await api.post("/exchange/quarantine/replay", data={"csrf": token[1], "sender": "Q1", "reason": "exchange.bad-code", "form": "hl7v2"})
    assert answer.status_code == 303
    live = await api.get("/exchange/quarantine?part=live")
    assert "0 of 2 replayed" in live.text
    assert "<html" not in live.text
    async with services.database.connection() as connection:
        [run] = await held_queries.runs(connection)
    await quarantine.go_on(services, {"run": run.id})
    assert "Replay finished" in (await api.get("/exchange/quarantine?part=live")).text


@pytest.mark.parametrize(("key", "language", "expected"), [
    ("exchange.rows-held", "zh", "表格里有行待处理"),
    ("exchange.too-many-segments", "zh", "消息有 … 段，超过上限 … 段。"),
    ("exchange.bad-code", "en", "The code is not in the code table."),
])
def test_a_heap_says_its_reason_without_the_particulars_of_one_message(key: str, language: str, expected: str):
    assert words_of(key, language).startswith(expected)
