"""An internet hospital in which journeys have been played to many different steps, so that something stands behind every address.

The journeys go through the running server; afterwards the data folder is opened in this process, for who tries out addresses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import asyncpg

from kangyun.app.demo import schedules
from kangyun.app.demo.staff import Kept
from kangyun.app.services import Services, open_services
from kangyun.base.settings import Settings
from kangyun.commons.access import Actor
from kangyun.commons.access.decisions import policy
from tests.journeys.playing import cast_of, residents_of
from tests.journeys.world import World, hospital_of
from yunzhou.actors import Actor as Player
from yunzhou.actors import RefusalError
from yunzhou.journey import Clock, Journey, LostError

# Where journeys stop, so that orders, prescriptions and parcels lie in every state.
STOPS = ("", "ask", "fee: until it is there", "begin", "prescribe, sign", "end", "review: claim", "choose", "confirm", "until settled", "lock, dispense", "code")
_DOCTORS, _RESIDENTS = 4, 6
_MOST = 6
# What one reads in an address that is no resource: the room's first word, and where its numbers are kept.
_NUMBERS = {
    "prescriptions": "SELECT number FROM drugs_prescription ORDER BY number LIMIT 12", "parcels": "SELECT id FROM drugs_parcel LIMIT 6",
    "orders": "SELECT id FROM payments_order LIMIT 12", "refunds": "SELECT id FROM payments_refund LIMIT 6",
    "settlements": "SELECT id FROM insurance_settlement LIMIT 12", "findings": "SELECT id FROM insurance_finding LIMIT 6",
    "schedules": "SELECT id FROM appointments_schedule LIMIT 6", "sittings": "SELECT id FROM appointments_sitting LIMIT 6",
    "numbers": "SELECT id FROM appointments_number LIMIT 6", "bookings": "SELECT appointment FROM appointments_booking LIMIT 6",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Found:
    """What lies in the hospital: ids by type of resource or kind of number, and who somebody of a role is."""

    ids: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    actors: dict[str, Actor] = field(default_factory=dict[str, Actor])


class _Halting(Clock):
    """A clock that ends a journey after a step."""

    def __init__(self, stop: str) -> None:
        super().__init__()
        self.stop = stop

    @contextmanager
    def step(self, name: str) -> Any:
        yield
        if name == self.stop:
            raise LostError(name)


@contextmanager
def played(folder: Path, stops: Sequence[str] = STOPS) -> Generator[tuple[Settings, Found]]:
    """The settings of a data folder in which journeys were played, its own server ended, and what lies in it."""
    with hospital_of(folder, clinics=1, residents=_RESIDENTS, doctors=_DOCTORS) as world:
        asyncio.run(_play(world, stops))
        actors = _actors(world)
        world.server.end()
        # Files of keys keep what both sides know; the simulators outside go on until the block ends.
        settings = Settings(data=world.server.data, access_local_role="operator", database_shared_buffers="128MB", **world.around.settings)
        yield settings, Found(asyncio.run(_ids(settings, world)), actors)


async def _play(world: World, stops: Sequence[str]) -> None:
    cast, people = await cast_of(world, _DOCTORS), await residents_of(world, _RESIDENTS)

    async def play(number: int, stop: str) -> None:
        who = people[number % len(people)]
        player = Player(who.line, who.token, who.patient, who.name, who.patience)
        try:
            await Journey(cast, player, number, _Halting(stop)).run()
        except (LostError, RefusalError) as error:
            print(f"journey {number} ends: {error}"[:200], flush=True)

    for first in range(0, len(stops), len(people)):
        await asyncio.gather(*(play(number, stop) for number, stop in list(enumerate(stops))[first : first + len(people)]))
    await world.hang_up()


def _actors(world: World) -> dict[str, Actor]:
    """Everybody of the hospital by role: the doctor is one who has journeys, the resident a patient of them."""
    doctor, resident = world.open.doctors[0], world.people[0]
    logins = {role: one for role, one in world.staff.items() if role in policy.roles()} | {"hospital_doctor": doctor}
    found = {
        role: Actor(f"user/fuzz-{role}", role, one.institution or world.places.get(role, ""), one.practitioner or None)
        for role, one in logins.items()}
    for role in ("resident", "guardian"):
        found[role] = Actor(f"user/fuzz-{role}", role, None, None, resident.person)
    return {role: replace(one, account=f"fuzz-{role}", purpose=policy.roles()[role].purposes[0]) for role, one in found.items()}


async def _ids(settings: Settings, world: World) -> dict[str, list[str]]:
    services = await open_services(settings)
    try:
        await schedules.settle(services, Kept.of(settings.data), world.places["hospital_doctor"], world.open)
        found = await _kept(services)
        for type_ in TYPES_KEPT:
            resources = (await services.gate.system("fuzz").search(type_, [("_count", "200")])).resources
            found[type_] = [str(one["id"]) for one in resources[:: max(1, len(resources) // _MOST)]][:_MOST]
        return found
    finally:
        await services.close()


async def _kept(services: Services) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    async with services.database.connection() as connection:
        for kind, query in _NUMBERS.items():
            try:
                found[kind] = [str(row[0]) for row in await connection.fetch(query)]
            except asyncpg.UndefinedTableError:
                found[kind] = []
    return found


TYPES_KEPT = (
    "Patient", "Person", "Observation", "Condition", "Encounter", "MedicationRequest", "MedicationDispense", "Consent", "Provenance",
    "Organization", "Practitioner", "PractitionerRole", "HealthcareService", "Task", "Claim", "ClaimResponse", "ExplanationOfBenefit", "Coverage",
    "Schedule", "Slot", "Appointment", "Communication", "Composition", "Invoice", "PaymentNotice", "SupplyDelivery", "DetectedIssue",
    "QuestionnaireResponse", "AuditEvent", "Media", "Binary",
)  # fmt: skip
