"""What is particular to one sender: its zone, language, authorities, codes and rows, from rules/senders."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timezone
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from kangyun.base import rules
from kangyun.commons.exchange.decisions.times import zone_of
from kangyun.commons.exchange.model import SENDER_SYSTEM

_PACKAGE = "kangyun.commons.exchange"

# What pages say of senders; it comes before the files of rules/senders.
_from_pages: dict[str, Mapping[str, Any]] = {}
# Programs that are registered at the gate and send as themselves, by the key of a sender.
_programs: dict[str, Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True, eq=False)
class Sender:
    """One sender as the rules describe it; one object for each, so identity is equality."""

    key: str
    name: str
    zone: timezone
    language: str | None
    enhanced: bool
    authorities: Mapping[str, str]
    codes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    rows: tuple[Mapping[str, Any], ...] = ()
    known: bool = True
    titles: Mapping[str, str] = field(default_factory=dict[str, str])

    def called(self, language: str) -> str:
        """The sender's name for people who read `language`."""
        return self.titles.get(language) or _programs.get(self.key, {}).get(language) or self.name

    @property
    def urn(self) -> str:
        """The root of the systems of this sender's own identifiers."""
        return f"{SENDER_SYSTEM}:{quote(self.key, safe='')}"


_LONGEST_NAME = 200


@lru_cache(maxsize=1024)
def sender_of(key: str) -> Sender:
    """The sender of a name from MSH-4; one without a file of its own gets the defaults."""
    name = f"senders/{file_name(key)}.yaml"
    default = rules.load(_PACKAGE, "senders/default.yaml")
    try:
        # No disk keeps a file of a longer name, and asking for it is an error.
        own = rules.load(_PACKAGE, name) if len(name.encode()) < _LONGEST_NAME else default
    except rules.RuleError:
        own = default
    page = _from_pages.get(key, {})
    file = {**default.value, **(own.value or {})}
    value = {**file, **page}
    authorities = {**(file.get("authorities") or {}), **(page.get("authorities") or {})}
    return Sender(
        key=key,
        name=str(value.get("name") or key),
        zone=zone_of(value["zone"]),
        language=value.get("language"),
        enhanced=bool(value.get("enhanced")),
        authorities={str(k): str(v) for k, v in authorities.items()},
        codes=_joined(file.get("codes") or {}, page.get("codes") or {}),
        rows=(*(page.get("table") or ()), *own.table),
        known=own is not default or bool(page),
        titles=own.title if own is not default and "name" not in page else {},
    )


def use(from_pages: Mapping[str, Mapping[str, Any]]) -> None:
    """Let what pages say of senders, by their key, come before the files; the keys are those of a sender file's value."""
    _from_pages.clear()
    _from_pages.update(from_pages)
    sender_of.cache_clear()


def call_programs(titles: Mapping[str, Mapping[str, str]]) -> None:
    """Let senders that are programs be called by what they are registered as, by id of the client."""
    _programs.clear()
    _programs.update({f"fhir:client/{id_}": said for id_, said in titles.items()})


def _joined(file: Mapping[str, Any], page: Mapping[str, Any]) -> dict[str, Any]:
    return {table: {**file.get(table, {}), **page.get(table, {})} for table in {*file, *page}}


def file_name(key: str) -> str:
    """The file under rules/senders that belongs to a sender: small letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", key.lower()).strip("-") or "unknown"


def key_of(name: str) -> int:
    """The key of rows that belong to a sender, by its name, or to a resident, by the id: 64 bits of the hash."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
