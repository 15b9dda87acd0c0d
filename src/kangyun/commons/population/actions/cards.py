"""Writes: cards are issued, shown as codes, frozen, reported lost, replaced, and joined to the person they turn out to be of."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import structlog

from kangyun.base import clock, jobs
from kangyun.base.database import Connection
from kangyun.base.errors import Problem, refuse
from kangyun.base.keys import KeyStore, PublicKey
from kangyun.commons.access import Handle, Write
from kangyun.commons.population.actions.persons import link
from kangyun.commons.population.actions.residents import placing_for, register
from kangyun.commons.population.decisions import card as deciding
from kangyun.commons.population.decisions.card import CARD_SYSTEM, Claims, Numbers, terms
from kangyun.commons.population.queries import card as reading
from kangyun.commons.population.queries import patients_of
from kangyun.commons.population.queries.card import Card, Event, Use, Ward, sql

log = structlog.get_logger()

# Names of the region's keys.
ROOT_KEY, PROTECT_KEY, PIN_KEY = "card-root", "card-protect", "card-pin"
SIGNING_KEYS = {"SM2": "card-sm2", "ES256": "card-es256"}

SOURCE = "card-desk"
_CARD_TYPE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "HC"}]}
_SECOND = timedelta(seconds=1)
_PRESSED_TWICE = timedelta(minutes=1)
_CROWD = 5

By = Literal["resident", "clerk"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A code to be shown: what stands in the QR, and until when it is good."""

    text: str
    expires: datetime


class Cards:
    """Everything that can be done with cards, through one caller's handle and the region's keys."""

    def __init__(self, handle: Handle, keys: KeyStore) -> None:
        self.handle = handle
        self.keys = keys

    async def of(self, patient_id: str) -> list[Card]:
        """All cards of the person whose Patient this is, the formal one first."""
        return await reading.cards_of(self.handle, patient_id)

    async def current(self, patient_id: str) -> Card | None:
        """The card that the person shows: the formal one, else the newest temporary one that is not over."""
        good = [one for one in await self.of(patient_id) if one.state not in {"joined", "ended"} and not one.over]
        return good[0] if good else None

    @staticmethod
    def allowed(card: Card, by: By) -> list[str]:
        """What the resident or a clerk may do with a card in its present state."""
        return deciding.may_follow(card.state, by)

    async def person(self, patient_id: str) -> dict[str, Any]:
        """The golden record of a Patient, or the Patient while it was not placed; raises Problem 404."""
        person = await reading.person_or_patient(self.handle, patient_id)
        if person is None:
            raise refuse(404, "not-found", "population.card-nobody")
        return person

    async def uses(self, cards: Sequence[Card], limit: int = 50) -> list[Use]:
        """What the cards were used for, newest first."""
        return await reading.uses(self.handle, cards, limit)

    async def use_of(self, card: Card, expires: datetime) -> Use | None:
        """What the dynamic code that ends at this moment was used for; None while it was not."""
        return await reading.use_of(self.handle, card, f"d{int(expires.timestamp())}")

    async def find(self, text: str) -> list[dict[str, Any]]:
        """Patients by the beginning of a name or by a whole number, each person once."""
        return await reading.find_people(self.handle, text)

    async def events(self, cards: Sequence[Card], limit: int = 50) -> list[Event]:
        """What was done to the cards and which readings were refused, newest first."""
        return await reading.events(self.handle, cards, limit)

    async def wards(self, patient_id: str) -> list[Ward]:
        """Those whose cards the person may show today."""
        return await reading.wards_of(self.handle, patient_id)

    async def may_show(self, guardian: str, ward: str) -> bool:
        """Whether a person may show the card of another; both are told by any of their Patients."""
        return await reading.may_show(self.handle, guardian, ward)

    async def issue(self, patient_id: str, pin: str = "") -> Card:
        """Give a person the formal card.

        Raises Problem 404 for nobody, 422 without name and document or with a weak PIN, 409 when there is one.
        """
        person = await self.person(patient_id)
        holder = deciding.holder_of(person)
        if holder is None:
            raise refuse(422, "business-rule", "population.card-no-document")
        numbers = deciding.numbers_of(holder, self.keys.block(ROOT_KEY))
        if any(not one.temporary for one in await self.of(patient_id)):
            raise refuse(409, "conflict", "population.card-there")
        scrambled = await self._scrambled(pin)
        anchor = await register(self.handle, _patient_of(person, numbers.card), SOURCE)
        await self._create(anchor, numbers, "formal", None, scrambled)
        return await self._fresh(anchor)

    async def issue_temporary(self, kind: Literal["newborn", "stranger"], patient: dict[str, Any], key: str = "") -> Card:
        """Give a card with a deadline to somebody without documents; `patient` says what is known of them.

        The same `key` with the same patient within a minute is a button that was pressed twice, and gives the same card.
        """
        number = self._number_of(kind, patient, key) if key else secrets.token_hex(32).upper()
        anchor = await register(self.handle, {**patient, "resourceType": "Patient", "identifier": [_identifier(number)]}, SOURCE)
        days = terms().newborn_days if kind == "newborn" else terms().stranger_days
        try:
            await self._create(anchor, Numbers("", number), kind, clock.now() + timedelta(days=days), None)
        except Problem:
            card = await self._fresh(anchor)
            # Whoever goes back later and sends the form again means somebody else: the twin, the next stranger.
            return card if clock.now() - card.issued < _PRESSED_TWICE else await self.issue_temporary(kind, patient)
        return await self._fresh(anchor)

    def _number_of(self, kind: str, patient: dict[str, Any], key: str) -> str:
        told = json.dumps([self.handle.actor.name, kind, patient, key], ensure_ascii=False, sort_keys=True)
        return self.keys.mac("card-temporary", told.encode()).hex().upper()

    async def join(self, card: Card, patient_id: str) -> Card:
        """Say who the holder of a temporary card is: both Patients stand under one Person from now on.

        Raises Problem 404 for nobody, 409 when the card is none that can be joined.
        """
        if not card.temporary or deciding.next_state(card.state, "join") is None:
            raise refuse(409, "conflict", "population.card-state")
        await link(placing_for(self.handle, "population.card-join"), card.patient, patient_id, self.handle.actor.name)
        return await self.change(card, "join", "clerk", patient_id)

    async def change(self, card: Card, event: str, by: By, joined: str | None = None) -> Card:
        """Freeze, unfreeze, report lost or end; raises Problem 409 when the card's state does not allow it."""
        following = deciding.next_state(card.state, event)
        if following is None or event not in deciding.may_follow(card.state, by):
            raise refuse(409, "conflict", "population.card-state")
        async with self.handle.connection() as connection, connection.transaction():
            await self._follow(connection, card, following, event, joined)
        log.info("card.changed", kind=card.kind, state=following)
        return await self._fresh(card.patient)

    async def replace(self, card: Card, pin: str = "") -> Card:
        """Issue the card anew: a new PIN, and what was signed before is no longer good. Raises Problem 409 or 422."""
        if deciding.next_state(card.state, "replace") is None:
            raise refuse(409, "conflict", "population.card-state")
        scrambled = await self._scrambled(pin)
        async with self.handle.connection() as connection, connection.transaction():
            await self._follow(connection, card, "active", "replace", None)
            await connection.execute(sql.set_pin, card.resident, card.patient, scrambled)
        return await self._fresh(card.patient)

    async def set_pin(self, card: Card, pin: str) -> None:
        """Set the PIN of the printed card; raises Problem 422 for one that is too simple."""
        scrambled = await self._scrambled(pin)
        async with self.handle.connection() as connection, connection.transaction():
            await connection.execute(sql.set_pin, card.resident, card.patient, scrambled)
            await self.note(connection, card, "pin-set")

    async def renew_numbers(self, patient_id: str) -> list[Card]:
        """Give cards a new index and number after a change of name or document; the old ones stay as aliases."""
        person = await self.person(patient_id)
        cards = [one for one in await self.of(patient_id) if not one.temporary]
        return [one for one in cards if await self._renew(one, person)]

    async def dynamic_code(self, card: Card) -> Shown:
        """A code for one use within the time of the rule; raises Problem 409 when the card is not in use."""
        _must_be_usable(card)
        limits = terms()
        ends = clock.now().replace(microsecond=0) + timedelta(seconds=limits.dynamic_seconds)
        async with self.handle.connection() as connection:
            for _ in range(_CROWD):
                # Two phones of a family may ask in the same second; the code of one second exists once.
                if await connection.fetchval(sql.show, card.resident, card.patient, ends):
                    break
                ends -= _SECOND
        block = deciding.expiry_block(self.keys.block(PROTECT_KEY), ends)
        return Shown(deciding.code_text("dynamic", card.number, limits, block), ends)

    async def signed_code(self, card: Card, algorithm: str = "") -> Shown:
        """A code that a terminal can check without a network; raises Problem 409 when the card is not in use."""
        _must_be_usable(card)
        limits = terms()
        algorithm = algorithm if algorithm in SIGNING_KEYS else limits.signature
        made = int(clock.now().timestamp())
        expires = made + limits.signed_hours * 3600
        if card.deadline:
            expires = min(expires, int(card.deadline.timestamp()))
        name = masked_name(deciding.legal_name(await self.person(card.patient)))
        claims = Claims(card.number, card.issue, made, expires, secrets.token_urlsafe(6), name)
        key = self.keys.public(SIGNING_KEYS[algorithm])[0]
        unsigned = deciding.unsigned_text(claims, algorithm, key.id)
        signature = self.keys.sign(SIGNING_KEYS[algorithm], unsigned.encode(), key.id)
        return Shown(deciding.signed_text(unsigned, signature), datetime.fromtimestamp(expires, UTC))

    def printed_code(self, card: Card) -> str:
        """The code of a printed card: static with PIN, or that of a temporary card."""
        return deciding.code_text("temporary" if card.temporary else "static", card.number, terms())

    def public_keys(self) -> list[PublicKey]:
        """The keys that terminals check signed codes with, old ones included."""
        return [key for name in SIGNING_KEYS.values() for key in self.keys.public(name)]

    async def note(self, connection: Connection, card: Card, event: str, terminal: str = "") -> None:
        """Keep what was done to a card."""
        await connection.execute(
            sql.event, card.resident, card.patient, clock.now(), event, self.handle.actor.name, terminal,
        )

    def keyed_pin(self, pin: str) -> bytes:
        """A PIN under the installation's key: what is kept and compared."""
        return self.keys.mac(PIN_KEY, pin.encode())

    async def _scrambled(self, pin: str) -> str | None:
        if not pin:
            return None
        digits = terms().pin_digits
        if deciding.is_weak(pin, digits):
            raise refuse(422, "business-rule", "population.card-pin-weak", digits=str(digits))
        return await asyncio.to_thread(deciding.scrambled, self.keyed_pin(pin), secrets.token_bytes(16))

    async def _create(
        self, anchor: str, numbers: Numbers, kind: str, deadline: datetime | None, scrambled: str | None,
    ) -> None:
        (resident,), now = reading.keys([anchor]), clock.now()
        async with self.handle.connection() as connection, connection.transaction():
            if await connection.fetchval(sql.issue, resident, anchor, kind, now, deadline, scrambled) is None:
                raise refuse(409, "conflict", "population.card-there")
            if await connection.fetchval(sql.number, numbers.card, numbers.index, resident, anchor, now) is None:
                raise refuse(409, "conflict", "population.card-there")
            await connection.execute(sql.event, resident, anchor, now, "issue", self.handle.actor.name, "")
        log.info("card.issued", kind=kind)

    async def _follow(self, connection: Connection, card: Card, following: str, event: str, joined: str | None) -> None:
        more = 1 if event == "replace" else 0
        changed = await connection.fetchval(
            sql.change, card.resident, card.patient, card.state, clock.now(), following, more, joined,
        )
        if changed is None:
            raise refuse(409, "conflict", "population.card-state")
        await self.note(connection, card, event)

    async def _fresh(self, anchor: str) -> Card:
        async with self.handle.connection() as connection:
            return (await reading.cards_on(connection, [anchor]))[0]

    async def _renew(self, card: Card, person: dict[str, Any]) -> bool:
        holder = deciding.holder_of(person)
        numbers = deciding.numbers_of(holder, self.keys.block(ROOT_KEY)) if holder else None
        if numbers is None or numbers.index == card.index_id:
            return False
        async with self.handle.connection() as connection, connection.transaction():
            taken = await connection.fetchval(
                sql.number, numbers.card, numbers.index, card.resident, card.patient, clock.now(),
            )
            if taken is None:
                return False
            await connection.execute(sql.outdate, card.resident, card.patient, numbers.card)
            await self.note(connection, card, "renumber")
        await self._tell_number(card.patient, person, numbers.card)
        return True

    async def _tell_number(self, anchor: str, person: dict[str, Any], number: str) -> None:
        """Write name, document and number on the card's Patient, from where they reach the golden record and every search."""
        patient = await self.handle.read("Patient", anchor)
        if patient is None:
            return
        told = _patient_of(person, number)
        known = {one.get("value") for one in told["identifier"]}
        former = [{**one, "use": "old"} for one in patient.get("identifier", []) if one.get("value") not in known]
        whole = {**patient, **told, "identifier": [*told["identifier"], *former]}
        await self.handle.commit([Write("update", "Patient", whole, id=anchor, if_match=int(patient["meta"]["versionId"]))])


def usable(card: Card) -> str | None:
    """Why a card cannot be used now, as the key of a message; None when it can."""
    if card.state != "active":
        return f"population.card-{card.state}"
    return "population.card-overdue" if card.over else None


def _must_be_usable(card: Card) -> None:
    reason = usable(card)
    if reason:
        raise refuse(409, "business-rule", reason)


def _identifier(number: str) -> dict[str, Any]:
    return {"system": CARD_SYSTEM, "value": number, "type": _CARD_TYPE}


def _patient_of(person: dict[str, Any], number: str) -> dict[str, Any]:
    """What the card desk knows of a person: the document, the name, and the card's number."""
    documents = [one for one in person.get("identifier", []) if deciding.is_document(one)]
    known = {name: person[name] for name in ("name", "gender", "birthDate") if name in person}
    return {"resourceType": "Patient", **known, "identifier": [*documents, _identifier(number)]}


def masked_name(name: str) -> str:
    """A name as a code or a stranger may show it: 张*, 张*三; a Latin name keeps its first letters."""
    if len(name) < 2:
        return name
    if name.isascii():
        return " ".join(f"{word[:1]}*" for word in name.split())
    return f"{name[0]}*{name[-1] if len(name) > 2 else ''}"


@jobs.job("population.card_renew")
async def renew(services: Any, payload: dict[str, Any]) -> None:
    """Give the cards of a Person a new number when the name or the document is another one now."""
    handle = services.gate.system("population.card_renew")
    person = await handle.read("Person", str(payload["person"]))
    patients = patients_of(person) if person else []
    if patients:
        await Cards(handle, services.keys).renew_numbers(patients[0])


@jobs.every("population.card_codes", seconds=3600)
async def forget_codes(services: Any, _payload: dict[str, Any]) -> None:
    """Remove the dynamic codes that nobody can use any more."""
    async with services.database.connection() as connection:
        await connection.execute(sql.forget_codes, clock.now() - timedelta(days=1))
