"""Writes: a code is read at a terminal, judged, used once, and kept with step, terminal, channel and time."""

from __future__ import annotations

import asyncio
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.errors import Problem, refuse
from kangyun.base.keys import verify
from kangyun.commons.population.actions.cards import PROTECT_KEY, Cards, usable
from kangyun.commons.population.decisions import card as deciding
from kangyun.commons.population.decisions.card import Claims, Code, Terms, terms
from kangyun.commons.population.queries import card as reading
from kangyun.commons.population.queries.card import Card, sql

log = structlog.get_logger()

_TERMINAL = re.compile(r"[A-Za-z0-9._-]{1,64}")

# Clocks of terminals are set by hand.
_CLOCK_ERROR = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a terminal read, and where: codes of rules/card_steps.yaml and rules/card_channels.yaml."""

    code: str
    step: str
    terminal: str
    channel: str
    pin: str = ""


@dataclass(frozen=True, slots=True)
class Recognised:
    """Whose card it was; `person` is the golden record, or the Patient while it was not placed."""

    card: Card
    person: dict[str, Any]
    way: str
    moment: datetime


async def scan(cards: Cards, read: Reading) -> Recognised:
    """Recognise a person by a code and keep the use.

    Raises Problem, each with its own message: 404 unknown, 410 expired or over, 409 used before, 403 not in use, wrong
    PIN or signature, 422 PIN or another field missing, 423 PIN locked.
    """
    _check_place(read)
    code = deciding.parse_code(read.code, terms())
    if code is None:
        raise refuse(404, "not-found", "population.card-unknown")
    claims = await _verified(cards, code) if code.kind == "signed" else None
    async with cards.handle.connection() as connection:
        card = await reading.by_number(connection, claims.number if claims else code.number)
        if card is None:
            raise refuse(404, "not-found", "population.card-unknown")
        attempt = _Attempt(cards, connection, card, code, read)
        try:
            moment = await attempt.use(await attempt.judge(claims))
        except Problem as refusal:
            await cards.note(connection, card, f"refused {refusal.issues[0].key.partition('-')[2]}", read.terminal)
            raise
    person = await reading.person_or_patient(cards.handle, card.patient)
    return Recognised(card, person or {}, code.kind, moment)


async def report(cards: Cards, read: Reading, moment: datetime) -> bool:
    """Keep a use that a terminal made without a network, by the signed code it read; False when it is known already.

    Raises Problem as `scan` does; a card that was frozen later keeps what was done before.
    """
    _check_place(read)
    code = deciding.parse_code(read.code, terms())
    if code is None or code.kind != "signed":
        raise refuse(422, "value", "population.card-not-signed")
    claims = await _verified(cards, code)
    made, ends = (datetime.fromtimestamp(one, UTC) for one in (claims.made, claims.expires))
    if not made - _CLOCK_ERROR <= moment <= min(ends, clock.now()) + _CLOCK_ERROR:
        raise refuse(410, "expired", "population.card-expired")
    async with cards.handle.connection() as connection:
        card = await reading.by_number(connection, claims.number)
        if card is None:
            raise refuse(404, "not-found", "population.card-unknown")
        use = (f"t{claims.token}", moment, clock.now(), "offline", read.step, read.terminal, read.channel)
        return await connection.fetchval(sql.use, card.resident, card.patient, *use, cards.handle.actor.name) is not None


def _check_place(read: Reading) -> None:
    """A use that cannot be told to the resident is not made."""
    if read.step not in deciding.steps() or read.channel not in deciding.channels():
        raise refuse(422, "code-invalid", "population.card-step")
    if not _TERMINAL.fullmatch(read.terminal):
        raise refuse(422, "value", "population.card-terminal")


async def _verified(cards: Cards, code: Code) -> Claims:
    token = deciding.parse_token(code.token)
    known = {key.id: key for key in cards.public_keys()}
    key = known.get(token.key_id) if token else None
    if token is None or key is None or key.algorithm != token.algorithm:
        raise refuse(403, "security", "population.card-signature")
    if not await asyncio.to_thread(verify, key, token.signed, token.signature):
        raise refuse(403, "security", "population.card-signature")
    return token.claims


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One code of a known card at one terminal."""

    cards: Cards
    connection: Connection
    card: Card
    code: Code
    read: Reading

    async def judge(self, claims: Claims | None) -> str:
        """The mark under which this use is kept; raises Problem when the code is not good."""
        reason = usable(self.card)
        if reason:
            raise refuse(410 if reason == "population.card-overdue" else 403, "business-rule", reason)
        if claims:
            return _judge_signed(self.card, claims)
        if self.code.kind == "dynamic":
            return await self._judge_dynamic()
        if (self.code.kind == "temporary") != self.card.temporary:
            raise refuse(404, "not-found", "population.card-unknown")
        if self.code.kind == "static":
            await self._check_pin(terms())
        return f"p{secrets.token_hex(8)}"

    async def use(self, mark: str) -> datetime:
        """Keep the use; the table's key lets one of several readers through, in whatever process they are."""
        now, read = clock.now(), self.read
        use = (mark, now, now, self.code.kind, read.step, read.terminal, read.channel, self.cards.handle.actor.name)
        if await self.connection.fetchval(sql.use, self.card.resident, self.card.patient, *use) is None:
            raise refuse(409, "duplicate", "population.card-used")
        return now

    async def _judge_dynamic(self) -> str:
        ends = deciding.expiry_of(self.cards.keys.block(PROTECT_KEY), self.code.expiry)
        if ends is None:
            raise refuse(404, "not-found", "population.card-unknown")
        if ends <= clock.now():
            raise refuse(410, "expired", "population.card-expired")
        # The block says nothing of the card: that of one card, put behind the number of another, would open it.
        if not await self.connection.fetchval(sql.shown, self.card.resident, self.card.patient, ends):
            raise refuse(404, "not-found", "population.card-unknown")
        return f"d{int(ends.timestamp())}"

    async def _check_pin(self, limits: Terms) -> None:
        if not self.card.has_pin:
            raise refuse(403, "business-rule", "population.card-no-pin")
        if not self.read.pin:
            raise refuse(422, "required", "population.card-pin-needed")
        key, now = (self.card.resident, self.card.patient), clock.now()
        until = now + timedelta(minutes=limits.pin_lock_minutes)
        kept = await self.connection.fetchval(sql.try_pin, *key, now, limits.pin_tries, until)
        if kept is None:
            raise refuse(423, "throttled", "population.card-pin-locked", minutes=str(limits.pin_lock_minutes))
        if not await asyncio.to_thread(deciding.is_right, self.cards.keyed_pin(self.read.pin), kept):
            raise refuse(403, "security", "population.card-pin-wrong")
        await self.connection.execute(sql.right_pin, *key)


def _judge_signed(card: Card, claims: Claims) -> str:
    if claims.expires <= clock.now().timestamp():
        raise refuse(410, "expired", "population.card-expired")
    if claims.issue != card.issue:
        raise refuse(403, "business-rule", "population.card-replaced")
    return f"t{claims.token}"
