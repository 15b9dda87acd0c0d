"""One step of a prescription: its row is locked, the life cycle is asked, and row, record and notices change together or not at all."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from kangyun.base import clock
from kangyun.base.database import Connection
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access import Actor, Handle, Transaction, Write
from kangyun.support.drugs.decisions.circulation import lifecycle
from kangyun.support.drugs.model.circulation import Held
from kangyun.support.drugs.queries.prescriptions import held, sql

# Gives the row as it is to be kept, and what is to be written to the record in the same transaction.
Work = Callable[[Transaction, Held], Awaitable[tuple[Held, Sequence[Write]]]]
# Raises Problem when a prescription is not this caller's.
Judge = Callable[[Held], None]

_GIVEN_OUT = {"dispensed", "sent", "delivered", "returning", "taken_back", "settled", "archived"}
_FIELDS = tuple(one.name for one in fields(Held))


@dataclass(frozen=True, slots=True)
class Move:
    """An event that `who` lets happen. `judge` says whose the prescription must be, `work` what comes of it."""

    event: str
    who: str
    judge: Judge
    work: Work


def platform(handle: Handle, permission: str, writes: str = "MedicationRequest") -> Handle:
    """A handle for the platform's part of what a caller does. Raises Problem 403 without the permission."""
    return handle if handle.actor.role == "system" else handle.acting(permission, permission, writes=writes)


async def advance(own: Handle, actor: Actor, number: str, move: Move) -> Held:
    """Let an event happen to a prescription; `own` is the platform's handle, `actor` whoever does it.

    Raises Problem: 404 for a number that is not there, what `judge` and `work` raise, 409 for what cannot happen now.
    """
    done: list[Held] = []

    async def beside(session: Transaction) -> Sequence[Write]:
        after, writes = await applied(session, await held(session.connection, number, lock=True), move, actor)
        done.append(after)
        return writes

    await own.commit([], beside=beside)
    return done[-1]


async def applied(session: Transaction, found: Held, move: Move, actor: Actor) -> tuple[Held, Sequence[Write]]:
    """Let an event happen to a prescription whose row is locked: the row as it was kept, and what is to be written."""
    move.judge(found)
    after, writes = await move.work(session, replace(found, state=following(found, move.event, move.who)))
    return await keep(session.connection, replace(after, version=found.version + 1), move.event, actor), writes


def following(found: Held, event: str, who: str) -> str:
    """The next state. Raises Problem 409 with a reason that says more than that it cannot be."""
    try:
        return lifecycle().next(found.state, event, who)
    except Problem as problem:
        if problem.status == 409:
            raise _reason(found) from None
        raise


def _reason(found: Held) -> Problem:
    if found.state == "expired":
        return refuse(409, "conflict", "drugs.expired")
    if found.state in _GIVEN_OUT:
        return refuse(409, "conflict", "drugs.given-out")
    if found.state == "locked":
        return refuse(409, "conflict", "drugs.locked")
    return refuse(409, "conflict", f"drugs.not-now.{found.state}")


async def begin(connection: Connection, fresh: Held, actor: Actor) -> None:
    """Keep a new prescription's row."""
    await connection.execute(sql.put, *(getattr(fresh, name) for name in _FIELDS))
    await connection.execute(
        sql.step, fresh.resident, fresh.number, fresh.version, "prescribe", fresh.state, clock.now(), actor.name, actor.institution or "")


async def keep(connection: Connection, found: Held, event: str, actor: Actor) -> Held:
    """Keep the row of a prescription and write down the step."""
    await connection.execute(
        sql.save, found.resident, found.number, found.state, found.version, found.signed, found.valid_until, found.review_due,
        found.claimed_until, found.reviewer, found.asked, found.way, found.pharmacy, found.courier, found.address, found.lock_until,
        found.lock_key, found.paid, found.code_salt, found.code_tries, found.keep_until, event, clock.now(), actor.name, actor.institution or "")
    return found


def anybody(_found: Held) -> None:
    """For work of the platform's own, which concerns every prescription."""


async def unchanged(_session: Transaction, found: Held) -> tuple[Held, Sequence[Write]]:
    """The work of an event that changes the state and nothing else."""
    return found, ()


def prescriber_only(actor: Actor) -> Judge:
    """Only the doctor who prescribed it."""
    def judge(found: Held) -> None:
        if not actor.practitioner or found.practitioner != actor.practitioner:
            raise refuse(404, "not-found", "drugs.no-prescription")

    return judge


def pharmacy_only(actor: Actor) -> Judge:
    """Only the pharmacy that the resident chose."""
    def judge(found: Held) -> None:
        if not actor.institution or found.pharmacy != actor.institution:
            raise refuse(404, "not-found", "drugs.no-prescription")

    return judge


def not_expired(found: Held) -> None:
    """Raises Problem 409 when the validity is over, whether or not the sweep has come by."""
    if found.valid_until < clock.now():
        raise refuse(409, "conflict", "drugs.expired")


def line_writes(resources: Sequence[dict[str, Any]], **changes: Any) -> list[Write]:
    """Writes that change words of state of MedicationRequests; what was signed of them stays."""
    return [Write("update", "MedicationRequest", {**one, **changes}, one["id"], if_match=int(one["meta"]["versionId"])) for one in resources]


async def lines(session: Transaction, found: Held) -> list[dict[str, Any]]:
    """The MedicationRequests of a prescription as they stand, in the order of its lines."""
    stored = await session.fetch_all([("MedicationRequest", one) for one in found.line_ids])
    return [stored["MedicationRequest", one].resource for one in found.line_ids]
