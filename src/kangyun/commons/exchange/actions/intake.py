"""The one way in: a message is kept first, then handled, then answered; a repetition is answered at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.base.errors import Problem
from kangyun.commons.access import Gate
from kangyun.commons.exchange.actions.processing import MESSAGES, process
from kangyun.commons.exchange.decisions.acknowledge import build, peek
from kangyun.commons.exchange.decisions.senders import sender_of
from kangyun.commons.exchange.model import Acknowledgement, Fault, Header, Outcome, RawMessage, Reason
from kangyun.commons.exchange.queries.messages import sql, write_reason

log = structlog.get_logger()

# A live message is left to its own handler this long before the sweep may take it.
PATIENCE = timedelta(seconds=60)
_PAUSES = (5, 15, 60, 300, 900, 3600)
_MOST_TRIES = 40


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a message, and what became of it."""

    answer: bytes
    outcome: Outcome


class Intake:
    """Takes messages for one process."""

    def __init__(self, database: Database, gate: Gate) -> None:
        self._database = database
        self._gate = gate

    async def receive(self, body: bytes) -> bytes:
        """Take an HL7 v2 message and give its acknowledgement; never raises for what a message can contain."""
        return (await self.take(body)).answer

    async def take(self, body: bytes) -> Receipt:
        """As `receive`, with what became of the message."""
        header = peek(body)
        try:
            outcome = await self._take(body, header)
        except Problem as problem:
            log.warning("exchange.not_kept", error=problem.issues[0].key)
            outcome = Outcome("received", "AE", Reason("exchange.away"), kind=_kind(header), retry=True)
        return self._answered(header, outcome)

    async def refuse(self, head: bytes, size: int, fault: Fault) -> bytes:
        """Refuse what never became a message (too large, unfinished, no frame): kept in quarantine with its beginning."""
        header = peek(head)
        reason = Reason(fault.key, fault.place, fault.params, fault.code)
        answer: Acknowledgement = "AR" if fault.unreadable else "AE"
        outcome = Outcome("quarantined", answer, reason, kind=_kind(header))
        # An unfinished frame was not taken and will be sent again; only what is complete and refused needs a person.
        if fault.key in {"exchange.too-large", "exchange.no-frame"}:
            try:
                await self._keep_aside(head, header, outcome, size=size)
            except Problem:
                outcome = Outcome("received", "AE", Reason("exchange.away"), kind=_kind(header), retry=True)
        return self._answered(header, outcome).answer

    async def take_file(self, body: bytes, sender: str) -> Outcome:
        """Take a FHIR file; files have no control ids, so their content tells a repetition."""
        try:
            raw, known = await self._keep(body, Header(facility=sender), "fhir")
        except Problem:
            return Outcome("received", "AE", Reason("exchange.away"), retry=True)
        outcome = known or await self.handle(raw)
        MESSAGES.labels(_label(sender), "fhir", outcome.state).inc()
        return outcome

    async def handle(self, raw: RawMessage) -> Outcome:
        """Process a kept message and note the result; used for new ones, by the sweep and by replay."""
        outcome = await process(self._gate, raw)
        try:
            await self._note(raw, outcome)
        except Problem as problem:
            # The records are safe; the sweep finds the message and, by its key, changes nothing twice.
            log.warning("exchange.result_not_noted", message=raw.id, error=problem.issues[0].key)
        return outcome

    async def _take(self, body: bytes, header: Header) -> Outcome:
        raw, known = await self._keep(body, header, "hl7v2")
        return known or await self.handle(raw)

    async def _keep(self, body: bytes, header: Header, form: str) -> tuple[RawMessage, Outcome | None]:
        """Keep the bytes; gives the outcome at once when the sender has used the control id before."""
        now = clock.now()
        digest = hashlib.sha256(body).digest()
        control = header.control_id or f"sha256:{digest.hex()}"
        key = _key(header.sender)
        async with self._database.connection() as connection:
            row = None
            # Nothing comes back while a twin's insert is not yet visible to us.
            while row is None:
                row = await connection.fetchrow(
                    sql.keep, key, header.sender, control, digest, form, _kind(header), body, len(body), now, now + PATIENCE
                )
        raw = RawMessage(row["id"], header.sender, key, control, _kind(header), form, body, now, "received", 1)
        if row["fresh"]:
            return raw, None
        if bytes(row["content_hash"]) != digest:
            reason = Reason("exchange.control-id-reused", "MSH-10", code="205")
            outcome = Outcome("quarantined", "AE", reason, kind=_kind(header))
            return raw, await self._keep_aside(body, header, outcome, form=form)
        return raw, await self._repeated(raw, header, row, form)

    async def _repeated(self, raw: RawMessage, header: Header, row: Any, form: str) -> Outcome | None:
        """The same message again: stored means AA at once; anything else is tried once more on the kept one."""
        outcome = Outcome("duplicate", "AA", None, raw.id, row["patient"], raw.kind)
        if row["state"] == "stored":
            return await self._keep_aside(raw.body, header, outcome, form=form, repeats=raw.id)
        return None

    async def _keep_aside(
        self, body: bytes, header: Header, outcome: Outcome, *, size: int | None = None, form: str = "hl7v2",
        repeats: int | None = None,
    ) -> Outcome:
        digest = hashlib.sha256(body).digest()
        async with self._database.connection() as connection:
            number = None if repeats else await connection.fetchval(
                sql.same_aside, _key(header.sender), header.control_id or f"sha256:{digest.hex()}", digest
            )
            number = number or await connection.fetchval(
                sql.keep_aside, _key(header.sender), header.sender, header.control_id or f"sha256:{digest.hex()}",
                digest, form, _kind(header), None if repeats else body, len(body) if size is None else size, repeats,
                clock.now(), outcome.state, write_reason(outcome.reason), outcome.patient,
            )
        return Outcome(outcome.state, outcome.acknowledgement, outcome.reason, number, outcome.patient, outcome.kind)

    async def _note(self, raw: RawMessage, outcome: Outcome) -> None:
        now = clock.now()
        async with self._database.connection() as connection:
            if outcome.state == "received" and raw.tries < _MOST_TRIES:
                pause = _PAUSES[min(raw.tries, len(_PAUSES)) - 1]
                due = now + timedelta(seconds=pause)
                await connection.execute(sql.postpone, raw.sender_key, raw.id, due, write_reason(outcome.reason))
            else:
                state = "quarantined" if outcome.state == "received" else outcome.state
                await connection.execute(
                    sql.settle, raw.sender_key, raw.id, state, now, write_reason(outcome.reason), outcome.patient,
                    outcome.kind or raw.kind,
                )

    def _answered(self, header: Header, outcome: Outcome) -> Receipt:
        sender = sender_of(header.sender)
        MESSAGES.labels(_label(header.sender), outcome.kind or "?", outcome.state).inc()
        answer = build(
            header, outcome.acknowledgement, clock.now(), reason=outcome.reason,
            language=sender.language or _language(header), enhanced=sender.enhanced and bool(header.accept_mode),
            number=f"KY{outcome.message_id}" if outcome.message_id else "",
        )
        return Receipt(answer, outcome)


def _kind(header: Header) -> str:
    return "^".join(part[:12] for part in (header.kind, header.event) if part)


def _key(sender: str) -> int:
    return int.from_bytes(hashlib.sha256(sender.encode()).digest()[:8], "big", signed=True)


def _label(sender: str) -> str:
    """Senders are few and named by rules; invented ones must not make a new series each."""
    return sender if sender_of(sender).known else "other"


def _language(header: Header) -> str:
    """The language of MSH-19, else of the country in MSH-17; Chinese where neither is told."""
    told = (header.language or "").lower()
    if told:
        return "zh" if told.startswith(("zh", "chi", "zho", "cn")) else "en"
    return "zh" if header.country.upper() in {"", "CHN", "CN", "156", "TWN", "HKG", "MAC"} else "en"
