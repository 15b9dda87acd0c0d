"""What people do to messages that were not stored: replay, edit, dismiss, stop and resume; one or many."""

from __future__ import annotations

from typing import Any

import structlog

from kangyun.base import clock, jobs
from kangyun.base.database import Connection
from kangyun.base.errors import refuse
from kangyun.commons.exchange.actions import sealing
from kangyun.commons.exchange.actions.intake import Intake, key_of
from kangyun.commons.exchange.actions.keeping import PATIENCE
from kangyun.commons.exchange.actions.sweep import raw_of
from kangyun.commons.exchange.decisions import editing
from kangyun.commons.exchange.model import Outcome
from kangyun.commons.exchange.queries import senders
from kangyun.commons.exchange.queries.messages import sql as messages_sql
from kangyun.commons.exchange.queries.quarantine import Run, Wanted, run, sql

log = structlog.get_logger()

_AT_ONCE = 20


async def replay(services: Any, number: int, actor: str = "system") -> bool:
    """Handle a kept message again; False when there is none of that number, or nothing is left to do with it."""
    async with services.database.connection() as connection:
        row = await connection.fetchrow(messages_sql.one, number)
        if row is None or row["body"] is None or not await _reopen(connection, row, actor):
            return False
    await _handle(services, row)
    return True


@jobs.job("exchange.recognise")
async def recognise_again(services: Any, payload: dict[str, Any]) -> None:
    """The job: replay sheets with rows whose resident may be known now."""
    for number in map(int, payload["messages"]):
        async with services.database.connection() as connection:
            row = await connection.fetchrow(messages_sql.one, number)
        # A person may have dismissed it in between.
        if row is not None and row["state"] == "quarantined":
            await replay(services, number)


async def edit(services: Any, number: int, text: str, actor: str) -> int | None:
    """Keep an edited text as a version of its own beside the original, and handle it; returns its number.

    None when the message is not open to it any more. Raises Problem 422 when the text cannot be written in the
    character set of the original, or changes nothing.
    """
    async with services.database.connection() as connection:
        row = await connection.fetchrow(messages_sql.one, number)
    if row is None or row["body"] is None:
        return None
    original = raw_of(services.keys, row)
    body = editing.written(original.body, original.form, text)
    if body is None or body == original.body:
        raise refuse(422, "value", "exchange.not-written" if body is None else "exchange.nothing-changed")
    digest = sealing.content_hash(services.keys, body)
    how, wrapped = sealing.sealed(services.keys, body, digest)
    async with services.database.transaction() as connection:
        now = clock.now()
        new = await connection.fetchval(sql.keep_edit, row["sender_key"], number, now, digest, how, wrapped, len(body))
        if new is None:
            return None
        await connection.execute(sql.note, row["sender_key"], number, now, actor, "edited", str(new))
        await connection.execute(sql.note, row["sender_key"], new, now, actor, "edit-of", str(number))
        row = await connection.fetchrow(messages_sql.one, new)
    log.info("exchange.edited", message=number)
    await _handle(services, row)
    return new


async def dismiss(services: Any, number: int, said: str, actor: str) -> bool:
    """Take a message out of quarantine for good, with a reason in words; it stays kept."""
    return await _act(services, number, actor, sql.dismiss, "dismissed", said=said)


async def take_back(services: Any, number: int, actor: str) -> bool:
    """Put a dismissed message back into quarantine."""
    return await _act(services, number, actor, sql.take_back, "reopened")


async def stop(services: Any, number: int, actor: str) -> bool:
    """Try a waiting message no more until it is resumed."""
    async with services.database.transaction() as connection:
        row = await connection.fetchrow(messages_sql.one, number)
        if row is None or await connection.fetchval(sql.stop, row["sender_key"], number) is None:
            return False
        await connection.execute(sql.note, row["sender_key"], number, clock.now(), actor, "stopped", "")
    return True


async def resume(services: Any, number: int, actor: str) -> bool:
    """Try a stopped message again with the next sweep."""
    return await _act(services, number, actor, sql.resume, "resumed")


async def pause_sender(services: Any, sender: str, actor: str) -> None:
    """Try no waiting message of a sender again until it is resumed; new messages are handled as ever."""
    async with services.database.connection() as connection:
        await connection.execute(senders.sql.pause, key_of(sender), sender, clock.now(), actor)


async def resume_sender(services: Any, sender: str) -> None:
    """Let the waiting messages of a sender be tried again."""
    async with services.database.connection() as connection:
        await connection.execute(senders.sql.resume, key_of(sender))


async def _act(services: Any, number: int, actor: str, statement: str, act: str, *, said: str = "") -> bool:
    async with services.database.transaction() as connection:
        row = await connection.fetchrow(messages_sql.one, number)
        if row is None or await connection.fetchval(statement, row["sender_key"], number, clock.now()) is None:
            return False
        await connection.execute(sql.note, row["sender_key"], number, clock.now(), actor, act, said[:500])
    return True


async def _reopen(connection: Connection, row: Any, actor: str) -> bool:
    now = clock.now()
    if await connection.fetchval(messages_sql.reopen, row["sender_key"], row["id"], now + PATIENCE) is None:
        return False
    await connection.execute(sql.note, row["sender_key"], row["id"], now, actor, "replayed", "")
    return True


async def _handle(services: Any, row: Any) -> Outcome:
    intake = Intake(services.database, services.gate, services.keys)
    return await intake.handle(raw_of(services.keys, row))


async def replay_many(services: Any, wanted: Wanted, sender: str | None, actor: str) -> int:
    """Begin to replay all quarantined messages of a sender, reason or form; returns the number of the run."""
    async with services.database.transaction() as connection:
        number = await connection.fetchval(
            sql.start_run, wanted.sender_key, sender, wanted.reason, wanted.form, actor, clock.now())
        await jobs.enqueue(connection, "exchange.replay", {"run": number}, key=f"replay/{number}")
    return number


async def stop_run(services: Any, number: int) -> None:
    """End a run after the message that it is at."""
    async with services.database.connection() as connection:
        await connection.execute(sql.end_run, number, "stopped", clock.now())


@jobs.job("exchange.replay")
async def go_on(services: Any, payload: dict[str, Any]) -> None:
    """The job: replay message after message, in the order of their arrival, from where the run stands."""
    number = int(payload["run"])
    while True:
        async with services.database.connection() as connection:
            found = await run(connection, number)
            if found is None or found.state != "running":
                return
            rows = await _next(connection, found)
        if not rows:
            break
        for row in rows:
            if not await _one_of_run(services, row, found):
                return
    async with services.database.connection() as connection:
        await connection.execute(sql.end_run, number, "done", clock.now())
    log.info("exchange.replayed", count=found.done)


async def _next(connection: Connection, found: Run) -> list[Any]:
    key = None if found.sender is None else key_of(found.sender)
    return list(await connection.fetch(sql.next_of_run, found.position, found.last, key, found.reason, found.form, _AT_ONCE))


async def _one_of_run(services: Any, row: Any, found: Run) -> bool:
    """Replay one message and note how far the run is; False when somebody has stopped it."""
    stored = 0
    async with services.database.connection() as connection:
        opened = await _reopen(connection, row, found.actor)
    if opened:
        stored = int((await _handle(services, row)).state == "stored")
    async with services.database.connection() as connection:
        return await connection.fetchval(sql.advance_run, found.id, row["id"], stored) is not None
