"""One caller and one purpose: what it may see, and what it has touched so far."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache

from kangyun.base import clock
from kangyun.base.database import Connection, Database, queries
from kangyun.base.errors import Problem, refuse
from kangyun.commons.access.actions.houses import Houses, Keys, Questions
from kangyun.commons.access.decisions import masking, policy, scopes, sensitive, sight
from kangyun.commons.access.model import Actor, Event
from kangyun.commons.records import Stored, Write, Written, hash64, rewritten, search

sql = queries("kangyun.commons.access", "queries/relations.sql")

_MOST_NAMED = 1000


class Caller:
    """What a handle and its transactions share."""

    __slots__ = ("_database", "_facts", "_houses", "_mask", "_scopes", "_sights", "actions", "actor", "query", "residents", "resources", "teller", "types")

    def __init__(self, database: Database, actor: Actor, teller: Actor | None = None, houses: Houses | None = None) -> None:
        self.actor = actor
        # Whom the audit trail names: the one who started the platform's work.
        self.teller = teller or actor
        self._database = database
        self._houses = houses
        self._scopes = None if actor.scopes is None else scopes.parse(actor.scopes)
        self._facts: sight.Facts | None = None
        known = policy.role(actor.role)
        self._mask = known.mask if known else masking.NONE
        self._sights: dict[str, search.Restriction] = {}
        self.actions: dict[str, None] = {}
        self.types: dict[str, None] = {}
        self.resources: list[str] = []
        self.residents: set[int] = set()
        self.query = ""

    def judge(self, interaction: str, type_: str | None) -> None:
        """Raise Problem 403 unless the role may do the interaction with some resource of the type (None: with all)."""
        if not self.allows(interaction, type_):
            self.actions[interaction] = None
            if type_:
                self.types[type_] = None
            raise forbidden()

    def allows(self, interaction: str, type_: str | None) -> bool:
        """Whether the role, and an app's scopes, allow the interaction with some resource of the type at all."""
        allowed = policy.may_touch(self.actor.role, interaction, type_)
        return allowed and (self._scopes is None or scopes.allows(self._scopes, interaction, type_))

    def judge_work(self, permission: str, writes: str) -> None:
        """Raise Problem 403 unless the role has the permission, and an app's scopes allow to write the type."""
        scoped = self._scopes is None or any(scopes.allows(self._scopes, one, writes) for one in ("create", "update"))
        if not policy.may_enter(self.actor.role, permission) or not scoped:
            self.actions["enter"] = None
            self.types[writes] = None
            raise forbidden()

    def free(self, interaction: str, type_: str | None) -> bool:
        """Whether no condition binds the caller for the type (None: for every type)."""
        free = policy.unconditional(self.actor.role, interaction, type_)
        return free and (self._scopes is None or self._allowed_freely(interaction, type_))

    def _allowed_freely(self, interaction: str, type_: str | None) -> bool:
        if type_ is None:
            return scopes.allows(self._scopes or (), interaction, None)
        return scopes.limits(self._scopes or (), interaction, type_) is scopes.FREE

    def may_search(self) -> bool:
        """Whether it may search any type at all."""
        return bool(policy.wheres(self.actor.role, "search")) and self._scopes != ()

    async def sight(self, interaction: str, connection: Connection | None = None) -> search.Restriction:
        """What it sees for an interaction; inside of a transaction over the transaction's connection."""
        if self.free(interaction, None):
            return search.EVERYTHING
        found = self._sights.get(interaction)
        if found is None:
            found = self._sights[interaction] = self._sight(interaction, await self.facts(connection))
        return found

    def _sight(self, interaction: str, facts: sight.Facts) -> search.Restriction:
        role = self.actor.role
        if self._scopes is not None:
            return sight.within(role, self._scopes, interaction, facts, clock.now())
        return search.EVERYTHING if policy.unconditional(role, interaction, None) else sight.restriction(role, interaction, facts)

    async def is_own(self, patient_id: str, connection: Connection | None) -> bool:
        """Whether a Patient is the person whom it is, or acts for."""
        return hash64(f"Patient/{patient_id}") in (await self.facts(connection)).own

    async def facts(self, connection: Connection | None = None) -> sight.Facts:
        """What its conditions are about, asked once."""
        if self._facts is None:
            asked = self._questions()
            known = self._houses.known(asked) if self._houses is not None else None
            if known is not None:
                self._facts = self._told((), *known, ())
            elif connection is not None:
                self._facts = await self._ask(connection, asked)
            else:
                async with self._database.connection() as own:
                    self._facts = await self._ask(own, asked)
        return self._facts

    def _questions(self) -> Questions:
        """Keys of its Person, its institution for what lies below it and for its consortium, and of an app's Patient; None: not needed."""
        actor, needs = self.actor, sight.needs(self.actor.role)
        person = hash64(f"Person/{actor.person}") if "own" in needs and actor.person else None
        at = hash64(f"Organization/{actor.institution}") if actor.institution else None
        patient = hash64(f"Patient/{actor.patient}") if actor.patient else None
        return person, at if "institution" in needs else None, at if "consortium" in needs else None, patient

    async def _ask(self, connection: Connection, asked: Questions) -> sight.Facts:
        changes = self._houses.changes if self._houses is not None else 0
        # The caller's own institution comes first: consents that name an institution mean the one above as well.
        row = await connection.fetchrow(sql.facts, *asked) if any(asked) else None
        own, below, consortium, launched = map(tuple, row) if row is not None else ((), (), (), ())
        if self._houses is not None and row is not None and asked[0] is None and asked[3] is None:
            self._houses.remember(asked, (below, consortium), changes)
        return self._told(own, below, consortium, launched)

    def _told(self, own: Keys, below: Keys, consortium: Keys, launched: Keys) -> sight.Facts:
        actor = self.actor
        practitioner = hash64(f"Practitioner/{actor.practitioner}") if actor.practitioner else 0
        return sight.Facts(own, below, consortium, practitioner, actor.account or "", actor.purpose, sight.sensitive(), launched)

    async def person_above(self, patient_id: str, connection: Connection | None = None) -> Stored | None:
        """The Person that a Patient was last linked to, deleted or not; None for callers with conditions as well."""
        if not (self.free("search", "Person") and self.free("read", "Person")):
            return None
        key = hash64(f"Patient/{patient_id}")
        if connection is not None:
            row = await connection.fetchrow(sql.person_above, key)
        else:
            async with self._database.connection() as own:
                row = await own.fetchrow(sql.person_above, key)
        return None if row is None else Stored("Person", *row)

    def masked(self, stored: Stored) -> Stored:
        """What it may see of one resource."""
        if not self.is_masked or stored.deleted:
            return stored
        return rewritten(stored, masking.mask(stored.resource, self._mask))

    @property
    def is_masked(self) -> bool:
        """Whether it sees less of a resource than is in it."""
        return self._mask != masking.NONE

    def masked_written(self, written: Sequence[Written]) -> list[Written]:
        """What it may see of what it has written, or found there by a condition."""
        return [replace(one, stored=self.masked(one.stored)) if self.is_masked and one.stored else one for one in written]

    def sees_former(self, current: Stored, version: Stored) -> bool:
        """Whether a former version is shown to whoever sees the current one under conditions.

        What was judged holds for it only where it was of the same resident and of no class that the current one is not of;
        whether it answered the search of a scope, nobody knows.
        """
        if version.version == current.version:
            return True
        if version.resident != current.resident or self._searching("history", current.type):
            return False
        return version.deleted or set(sensitive.tokens(version.resource)) <= set(sensitive.tokens(current.resource))

    def _searching(self, interaction: str, type_: str) -> bool:
        return any(limit.query for limit in scopes.limits(self._scopes or (), interaction, type_))

    def check_conditions(self, writes: Sequence[Write]) -> None:
        """Raise Problem 403 for a condition of whoever sees masked: what it finds would tell what is masked."""
        if self.is_masked and any(write.condition is not None for write in writes):
            raise forbidden()

    def check_asked(self, query: search.Query) -> None:
        """Raise Problem 403 when a search or its order asks for what is masked: it would find it out."""
        self.check_names(query.type, [part for name, value in query.params for part in (name, value if name == "_sort" else "")])

    def check_names(self, type_: str | None, asked: Sequence[str]) -> None:
        """Raise Problem 403 when one of these parameters of a search is closed to it."""
        if not self.is_masked:
            return
        closed = _blocked(type_, self._mask)
        if not closed.isdisjoint(word for text in asked for word in _words(text)):
            raise forbidden()

    def touched(self, interaction: str, rows: Iterable[Stored]) -> None:
        """Remember for the audit trail which resources of whom were given out."""
        self.actions[interaction] = None
        for row in rows:
            self.types[row.type] = None
            if len(self.resources) < _MOST_NAMED:
                self.resources.append(f"{row.type}/{row.id}")
            if row.resident:
                self.residents.add(row.resident)

    def searched(self, query: search.Query, result: search.Result) -> None:
        """Remember a search, also one that found nothing."""
        for type_ in query.types[:1]:
            self.types[type_] = None
        self.touched("search", result.rows)
        self.touched("search", result.included)
        if not self.query:
            self.query = "&".join(f"{name}={value}" for name, value in query.params)[:2000]

    def wrote(self, written: Sequence[Written]) -> None:
        """Remember writes."""
        for one in written:
            self.actions["delete" if one.status == 204 else "create" if one.status == 201 else "update"] = None
            self.types[one.type] = None
            if len(self.resources) < _MOST_NAMED:
                self.resources.append(f"{one.type}/{one.id}")
            if one.stored is not None and one.stored.resident:
                self.residents.add(one.stored.resident)

    def event(self, outcome: str, permission: str) -> Event | None:
        """What is to be written down of it; None when it touched nothing. What it touches afterwards is told anew."""
        if not self.actions and outcome == "ok":
            return None
        actor = self.teller
        told = Event(
            clock.now(), actor.name, actor.role, " ".join(self.actions) or "enter", actor.institution, actor.account, actor.session,
            permission, list(self.types), self.resources, sorted(self.residents), actor.purpose, outcome, actor.address, self.query,
        )
        self.actions, self.types, self.resources, self.residents, self.query = {}, {}, [], set(), ""
        return told


def forbidden() -> Problem:
    """The refusal that says nothing about what is there."""
    return refuse(403, "forbidden", "base.forbidden")


@cache
def _blocked(type_: str | None, level: str) -> frozenset[str]:
    """Closed parameters of a type, and of the persons that a chain may lead to."""
    types = {type_ or "Patient", "Patient", "Person", "RelatedPerson", "Coverage"}
    return frozenset().union(*(masking.blocked(one, level) for one in types))


def _words(text: str) -> list[str]:
    """The parameters and modifiers in `patient.name:exact`, `_has:Patient:link:name` or `-birthdate,name`."""
    parts = [part.lstrip("-") for part in re.split(r"[.,]", text)]
    return [word for part in parts for word in (part, *part.split(":"), *(f":{mark}" for mark in part.split(":")[1:]))]
