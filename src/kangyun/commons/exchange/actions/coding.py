"""Codes on their way to the record: translated by the maps there are, counted where there is none, mapped by people."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterable, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import structlog

from kangyun.base import clock, rules
from kangyun.base.database import Connection, Database
from kangyun.base.errors import Problem
from kangyun.base.jobs import enqueue, job
from kangyun.commons.access import Handle, Write, escaped
from kangyun.commons.exchange.decisions.coding import (
    Translations,
    Unknown,
    coded,
    map_id,
    translations_of,
    with_translation,
    without_translation,
)
from kangyun.commons.exchange.decisions.senders import file_name
from kangyun.commons.exchange.decisions.terms import term_of
from kangyun.commons.exchange.queries.codes import sql
from kangyun.commons.population import overtaken

log = structlog.get_logger()

_PACKAGE = "kangyun.commons.exchange"
# Another process may have changed a map; a message that comes within this time is re-coded by that change's own job.
_STALE_SECONDS = 3.0
_COUNT_AFTER = 1.0
_MOST_COUNTED = 5000
_TRIES = 8
_PAGE = "100"


class Coder:
    """The maps as one process knows them, and the unknown codes it has not yet put down."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._maps: dict[tuple[str, str], tuple[dict[str, str], ...]] = {}
        self._mark: tuple[Any, ...] | None = None
        self._looked = float("-inf")
        self._counts: dict[tuple[str, str, str, str], tuple[int, str]] = {}
        self._flush: asyncio.Task[None] | None = None

    async def code(self, handle: Handle, sender: str, resources: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """The resources with translations beside their local codes; what is unknown is counted for the sender."""
        await self._refresh(handle)
        translations = self._of(sender)
        found: list[dict[str, Any]] = []
        for resource in resources:
            one = coded(resource, translations)
            found.append(one.resource)
            self._count(sender, one.unknown)
        return found

    def forget(self) -> None:
        """Look at the maps again with the next message."""
        self._looked = float("-inf")

    async def flush(self) -> None:
        """Put down what was counted."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        rows = [(_key(sender), sender, system, code, display, role, number) for (sender, system, code, role), (number, display) in sorted(counts.items())]
        columns = [list(column) for column in zip(*rows, strict=True)]
        async with self._database.connection() as connection:
            await connection.execute(sql.count, *columns, clock.now())

    def _of(self, sender: str) -> Translations:
        own = sender_maps(sender)
        return {**self._maps, **own} if own else self._maps

    async def _refresh(self, handle: Handle) -> None:
        now = time.monotonic()
        if now - self._looked < _STALE_SECONDS:
            return
        self._looked = now
        latest = await handle.search("ConceptMap", [("_sort", "-_lastUpdated"), ("_count", "1"), ("_total", "accurate")])
        mark = (latest.total, *((one["id"], one["meta"]["versionId"]) for one in latest.resources))
        if mark != self._mark:
            self._maps = translations_of(await _all_maps(handle))
            self._mark = mark

    def _count(self, sender: str, unknown: Iterable[Unknown]) -> None:
        for one in unknown:
            key = (sender, one.system, one.code, one.role)
            number, display = self._counts.get(key, (0, ""))
            self._counts[key] = (number + 1, one.display or display)
        if self._counts and (self._flush is None or self._flush.done()):
            self._flush = asyncio.get_running_loop().create_task(self._later())

    async def _later(self) -> None:
        if len(self._counts) < _MOST_COUNTED:
            await asyncio.sleep(_COUNT_AFTER)
        try:
            await self.flush()
        except Problem as problem:
            # The codes stand in the resources; only their number is less than it was.
            log.warning("exchange.codes_not_counted", error=problem.issues[0].key)


async def _all_maps(handle: Handle) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    query: str | None = f"status=active&_sort=_lastUpdated&_count={_PAGE}"
    while query:
        page = await handle.search("ConceptMap", query)
        found += page.resources
        query = page.next
    return found


_coders: WeakKeyDictionary[Database, Coder] = WeakKeyDictionary()


def coder_of(database: Database) -> Coder:
    """The one coder of this process for a database."""
    found = _coders.get(database)
    if found is None:
        found = _coders[database] = Coder(database)
    return found


def sender_maps(sender: str) -> dict[tuple[str, str], tuple[dict[str, str], ...]]:
    """The translations in a sender's own rule file: rows of `maps`, each `{system, target, codes: {local: public}}`."""
    name = f"senders/{file_name(sender)}.yaml"
    if not rules.exists(_PACKAGE, name):
        return {}
    try:
        rule = rules.load(_PACKAGE, name)
    except rules.RuleError:
        return {}
    known = _rule_maps.get(sender)
    if known is None or known[0] is not rule:
        known = _rule_maps[sender] = (rule, _of_rule(rule))
    return known[1]


_rule_maps: dict[str, tuple[rules.Rule, dict[tuple[str, str], tuple[dict[str, str], ...]]]] = {}


def _of_rule(rule: rules.Rule) -> dict[tuple[str, str], tuple[dict[str, str], ...]]:
    found: dict[tuple[str, str], tuple[dict[str, str], ...]] = {}
    for row in rule.body.get("maps") or ():
        for local, public in row["codes"].items():
            found[str(row["system"]), str(local)] = ({"system": str(row["target"]), "code": str(public)},)
    return found


async def accept(handle: Handle, source: tuple[str, str, str], target: tuple[str, str, str], by: str) -> None:
    """Map a local code to a public one, both (system, code, display), and code anew what is stored already.

    The map gets a version of its own for each decision. Raises Problem.
    """
    id_ = map_id(source[0], target[0])
    await _change_map(handle, id_, lambda current: with_translation(current, source, target))
    await _decided(handle, source, "mapped", target, by)


async def reject(handle: Handle, source: tuple[str, str, str], by: str) -> None:
    """Note that no public code fits."""
    await _decided(handle, source, "rejected", None, by)


async def reopen(handle: Handle, source: tuple[str, str, str], target_system: str | None, by: str) -> None:
    """Take a decision back; what was coded by it keeps its codes until the resource changes."""
    if target_system:
        id_ = map_id(source[0], target_system)
        if await handle.read("ConceptMap", id_) is not None:
            await _change_map(handle, id_, lambda current: without_translation(current or {}, source[1]))
    await _decided(handle, source, "open", None, by)


async def _change_map(handle: Handle, id_: str, change: Any) -> None:
    for attempt in range(_TRIES):
        current = await handle.read("ConceptMap", id_)
        content = change({key: value for key, value in current.items() if key != "meta"} if current else None)
        version = int(current["meta"]["versionId"]) if current else 0
        try:
            await handle.commit([Write("update", "ConceptMap", content, id=id_, if_match=version)])
        except Problem as problem:
            if not overtaken(problem) or attempt == _TRIES - 1:
                raise
            continue
        return


async def _decided(
    handle: Handle, source: tuple[str, str, str], state: str, target: tuple[str, str, str] | None, by: str
) -> None:
    system, code = (target[0], target[1]) if target else (None, None)
    async with handle.connection() as connection, connection.transaction():
        rows = await connection.fetch(sql.decide, source[0], source[1], state, system, code, clock.now(), by)
        if state == "mapped":
            await _ask_recoding(connection, source, sorted({row["role"] for row in rows}), system, code)


async def _ask_recoding(connection: Connection, source: tuple[str, str, str], roles: list[str], *target: str | None) -> None:
    # The moment is in the key: the same decision made again after it was taken back is other work.
    key = f"{source[0]}|{source[1]}|{target}|{clock.now().isoformat()}"
    await enqueue(connection, "exchange.recode", {"system": source[0], "code": source[1], "roles": roles}, key=key)


@job("exchange.recode")
async def recode(services: Any, payload: dict[str, Any]) -> None:
    """Put the new translation beside a local code in everything that holds it; doing it again changes nothing."""
    handle = services.gate.system("exchange")
    translations = translations_of(await _all_maps(handle))
    total = 0
    table = rules.load(_PACKAGE, "coding.yaml").map
    for role in payload["roles"]:
        type_ = role.partition(".")[0]
        query: str | None = None
        pairs = [(str(table[role]["search"]), f"{escaped(payload['system'])}|{escaped(payload['code'])}"), ("_count", _PAGE)]
        page = await handle.search(type_, pairs)
        while True:
            for resource in page.resources:
                total += await _recode_one(handle, type_, resource["id"], translations)
            query = page.next
            if not query:
                break
            page = await handle.search(type_, query)
    async with services.database.connection() as connection:
        await connection.execute(sql.recoded, payload["system"], payload["code"], total)
    coder_of(services.database).forget()
    log.info("exchange.recoded", count=total)


async def _recode_one(handle: Handle, type_: str, id_: str, translations: Translations) -> int:
    for attempt in range(_TRIES):
        current = await handle.read(type_, id_)
        if current is None:
            return 0
        news = coded(current, translations).resource
        if news is current:
            return 0
        try:
            await handle.commit([Write("update", type_, news, id=id_, if_match=int(current["meta"]["versionId"]))])
        except Problem as problem:
            if not overtaken(problem) or attempt == _TRIES - 1:
                raise
            continue
        return 1
    return 0


def _key(sender: str) -> int:
    return int.from_bytes(hashlib.sha256(sender.encode()).digest()[:8], "big", signed=True)


def display_of(table: str, code: str) -> str:
    """The name of a code in a table of terms."""
    found = term_of(table, code) if table else None
    return found.name if found else ""
