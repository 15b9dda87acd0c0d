"""The one way in: a message is kept first, then handled, then answered; a repetition is answered at once."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, replace

import structlog

from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.base.errors import Problem
from kangyun.base.keys import KeyStore
from kangyun.commons.access import Gate
from kangyun.commons.exchange.actions import sealing
from kangyun.commons.exchange.actions.keeping import Arrived, Known, keeper_of, measured
from kangyun.commons.exchange.actions.processing import counted, process
from kangyun.commons.exchange.decisions.acknowledge import build, peek
from kangyun.commons.exchange.decisions.registrations import impostor, stranger
from kangyun.commons.exchange.decisions.senders import key_of, sender_of
from kangyun.commons.exchange.model import Acknowledgement, Fault, Header, Origin, Outcome, RawMessage, Reason
from kangyun.commons.exchange.queries.messages import sql, write_reason
from kangyun.commons.exchange.queries.quarantine import sql as quarantine

log = structlog.get_logger()

# Where the messages of the current connection come from; each connection is a task of its own.
ORIGIN: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 - an Origin cannot be changed


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to a message, and what became of it."""

    answer: bytes
    outcome: Outcome


class Intake:
    """Takes messages for one process; cheap to make, since all of a process share one keeper."""

    def __init__(self, database: Database, gate: Gate, keys: KeyStore) -> None:
        self._database = database
        self._gate = gate
        self._keys = keys
        self._keeper = keeper_of(database, keys)

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
                arrived = self.arrived(head, header.sender, header.control_id, "hl7v2", _kind(header))
                outcome = await self.keep_aside(arrived, outcome, size=size)
            except Problem:
                outcome = Outcome("received", "AE", Reason("exchange.away"), kind=_kind(header), retry=True)
        return self._answered(header, outcome).answer

    async def take_file(self, body: bytes, sender: str, form: str = "fhir", kind: str = "") -> Outcome:
        """Take a file of any form; files have no control ids, so their content tells a repetition.

        `form` decides in `processing` what is made of it: fhir, cda, table; `kind` is shown to people.
        """
        try:
            arrived = self.arrived(body, sender, "", form, kind)
            outcome = await self._from_stranger(arrived) or await self._take_one(arrived)
        except Problem:
            return Outcome("received", "AE", Reason("exchange.away"), retry=True)
        counted(_label(sender), form, outcome.state).inc()
        return outcome

    async def handle(self, raw: RawMessage) -> Outcome:
        """Process a kept message and note the result; used for new ones, by the sweep and by replay."""
        outcome = await process(self._gate, raw)
        # Whoever reads the acknowledgement may rely on the audit trail as well.
        await self._gate.settled()
        if outcome.noted:
            return outcome
        try:
            await self._keeper.note(raw, outcome)
        except Problem as problem:
            # The records are safe; the sweep finds the message and, by its key, changes nothing twice.
            log.warning("exchange.result_not_noted", message=raw.id, error=problem.issues[0].key)
        return outcome

    async def keep_aside(
        self, arrived: Arrived, outcome: Outcome, *, size: int | None = None, repeats: int | None = None,
        once: bool = True,
    ) -> Outcome:
        """Keep a message that is no original; `once`: the same content in quarantine already is not kept again."""
        how, wrapped = (None, None) if repeats else sealing.sealed(self._keys, arrived.body, arrived.digest)
        async with self._database.connection() as connection:
            number = None if repeats or not once else await connection.fetchval(
                sql.same_aside, arrived.sender_key, arrived.control, arrived.digest
            )
            number = number or await connection.fetchval(
                sql.keep_aside, arrived.sender_key, arrived.sender, arrived.control, arrived.digest, arrived.form,
                arrived.kind, how or sealing.SEALED, wrapped, len(arrived.body) if size is None else size, repeats,
                arrived.received, outcome.state, clock.now(), write_reason(outcome.reason), outcome.patient,
                arrived.origin.channel, arrived.origin.address, *measured(outcome.facts),
            )
        return replace(outcome, message_id=number)

    async def _take(self, body: bytes, header: Header) -> Outcome:
        arrived = self.arrived(body, header.sender, header.control_id, "hl7v2", _kind(header))
        return await self._from_stranger(arrived) or await self._take_one(arrived)

    async def _from_stranger(self, arrived: Arrived) -> Outcome | None:
        """What comes in the name of a sender that it does not come from is kept aside; None for all else."""
        if impostor(arrived.sender, arrived.origin):
            reason = Reason("exchange.impostor", "MSH-4")
        elif stranger(arrived.sender, arrived.origin):
            reason = Reason("exchange.stranger", "MSH-4", {"address": arrived.origin.address})
        else:
            return None
        return await self.keep_aside(arrived, Outcome("quarantined", "AR", reason, kind=arrived.kind))

    async def _take_one(self, arrived: Arrived) -> Outcome:
        """Keep and handle; gives the outcome at once when the sender has used the control id before."""
        known = await self._known_plain(arrived) or await self._keeper.keep(arrived)
        if known.fresh:
            return await self.handle(_raw(arrived, known.id))
        if not known.same:
            reason = Reason("exchange.control-id-reused", "MSH-10", code="205")
            return await self.keep_aside(arrived, Outcome("quarantined", "AE", reason, kind=arrived.kind))
        if known.state in {"stored", "dismissed"}:
            outcome = Outcome("duplicate", "AA", None, known.id, known.patient, arrived.kind)
            return await self._repeated(arrived, outcome, known)
        # Whatever else became of it, a repetition is a wish to try again.
        return await self.handle(_raw(arrived, known.id))

    async def _repeated(self, arrived: Arrived, outcome: Outcome, known: Known) -> Outcome:
        if known.state == "dismissed":
            async with self._database.connection() as connection:
                last = await connection.fetchrow(quarantine.last_of_chain, known.id)
            if last is None or last["state"] != "stored":
                # A person has decided about this content; the sender is not told that it is in the record.
                reason = Reason("exchange.dismissed-before", "", {"number": str(known.id)})
                outcome = replace(outcome, acknowledgement="AE", reason=reason)
        return await self.keep_aside(arrived, outcome, repeats=known.id)

    async def _known_plain(self, arrived: Arrived) -> Known | None:
        """Whether a file was kept by a version that did not seal, and is not sealed yet."""
        if not arrived.control.startswith(sealing.MARK):
            return None
        control = f"{sealing.OLD_MARK}{sealing.plain_hash(arrived.body).hex()}"
        async with self._database.connection() as connection:
            row = await connection.fetchrow(sql.same_content, arrived.sender_key, control)
        return Known(row["id"], fresh=False, same=True, state=row["state"], patient=row["patient"]) if row else None

    def arrived(self, body: bytes, sender: str, control: str, form: str, kind: str) -> Arrived:
        """A message as it stands at the door now, from the origin of this connection."""
        digest = sealing.content_hash(self._keys, body)
        control = control or f"{sealing.MARK}{digest.hex()}"
        return Arrived(sender, key_of(sender), control, digest, form, kind, body, clock.now(), ORIGIN.get())

    def _answered(self, header: Header, outcome: Outcome) -> Receipt:
        sender = sender_of(header.sender)
        counted(_label(header.sender), outcome.kind or "?", outcome.state).inc()
        answer = build(
            header, outcome.acknowledgement, clock.now(), reason=outcome.reason,
            language=sender.language or _language(header), enhanced=sender.enhanced and bool(header.accept_mode),
            number=f"KY{outcome.message_id}" if outcome.message_id else "",
        )
        return Receipt(answer, outcome)


def _raw(arrived: Arrived, number: int) -> RawMessage:
    return RawMessage(
        number, arrived.sender, arrived.sender_key, arrived.control, arrived.kind, arrived.form, arrived.body,
        arrived.received, "received", 1,
    )


def _kind(header: Header) -> str:
    return "^".join(part[:12] for part in (header.kind, header.event) if part)


def _label(sender: str) -> str:
    """Senders are few and named by rules; invented ones must not make a new series each."""
    return sender if sender_of(sender).known else "other"


def _language(header: Header) -> str:
    """The language of MSH-19, else of the country in MSH-17; Chinese where neither is told."""
    told = (header.language or "").lower()
    if told:
        return "zh" if told.startswith(("zh", "chi", "zho", "cn")) else "en"
    return "zh" if header.country.upper() in {"", "CHN", "CN", "156", "TWN", "HKG", "MAC"} else "en"
