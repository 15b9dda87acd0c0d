"""The nouns of the record store: a stored version, a write, what came of it, and who may call."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, Literal, Protocol

from kangyun.base import clock
from kangyun.base.errors import refuse
from kangyun.base.fhir import definitions
from kangyun.base.fhir import json as fhir_json
from kangyun.base.keys import Unopenable, vault

Method = Literal["create", "update", "delete"]

# Write.if_match: any version will do, but there must be one.
ANY_VERSION = -1

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")


@cache
def _type_codes() -> dict[str, int]:
    # R4 is closed, so a place in the sorted list of its 148 resource types is a lasting code.
    known = definitions.load().types.values()
    names = sorted(t.name for t in known if t.kind == "resource" and not t.abstract)
    return {name: number for number, name in enumerate(names, 1)}


@cache
def _type_names() -> dict[int, str]:
    return {number: name for name, number in _type_codes().items()}


def type_code(name: str) -> int:
    """The number under which a resource type is stored; raises KeyError for a type that R4 does not have."""
    return _type_codes()[name]


def type_name(code: int) -> str:
    """The resource type of a stored number."""
    return _type_names()[code]


def is_type(name: str) -> bool:
    """Whether R4 has this resource type."""
    return name in _type_codes()


@lru_cache(maxsize=8192)
def hash64(text: str) -> int:
    """The first 8 bytes of SHA-256 of the UTF-8 text, as a signed 64-bit number; PostgreSQL can compute the same."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def is_id(text: str) -> bool:
    """Whether the text keeps the rule of the FHIR type id."""
    return _ID.fullmatch(text) is not None


def key_of(type_: str, id_: str) -> int:
    """The 64-bit key of a resource: the hash of `Patient/123`."""
    return hash64(f"{type_}/{id_}")


def new_id() -> str:
    """A UUID version 7 (RFC 9562): ordered by time, so that new rows sit together in the index."""
    value = int(time.time() * 1000).to_bytes(6, "big") + os.urandom(10)
    text = (value[:6] + bytes([0x70 | value[6] & 0x0F, value[7], 0x80 | value[8] & 0x3F]) + value[9:]).hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# What seals the resources that say who somebody is; sealing.py of the decisions says which these are.
SEALED_FOR = "record-identity"
# A resource of FHIR begins with its type, a sealed one with this.
SEALED = '{"sealed":"'


def opened(kept: str, name: str) -> str:
    """The body of a resource from what the database keeps of it; `name` is Type/id.

    Raises Problem 503 when this installation's keys do not open it.
    """
    if not kept.startswith(SEALED):
        return kept
    try:
        return vault.opened(SEALED_FOR, kept[len(SEALED) : kept.index('"', len(SEALED))], name)
    except Unopenable as error:
        raise refuse(503, "security", "records.unopenable") from error


@dataclass(frozen=True, slots=True)
class Stored:
    """One version of a resource; `kept` is its text in the database, perhaps sealed: the resource without id and meta."""

    type: str
    id: str
    version: int
    updated: datetime
    deleted: bool
    meta: str | None
    kept: str | None = field(repr=False)
    resident: int = 0
    """Key of the Patient whose compartment holds it, else its own; 0 where nobody asked."""

    @property
    def body(self) -> str | None:
        """The resource without id and meta, opened."""
        return None if self.kept is None else opened(self.kept, f"{self.type}/{self.id}")

    def json(self) -> bytes:
        """The resource as FHIR JSON; the bytes of the body are what was received."""
        body = (self.body or "").removeprefix(f'{{"resourceType":"{self.type}"')
        extra = f",{self.meta}" if self.meta else ""
        return (
            f'{{"resourceType":"{self.type}","id":"{self.id}","meta":{{"versionId":"{self.version}",'
            f'"lastUpdated":"{clock.instant(self.updated)}"{extra}}}{body}'
        ).encode()

    @property
    def resource(self) -> dict[str, Any]:
        """The resource as plain data."""
        return fhir_json.loads(self.json())

    @property
    def etag(self) -> str:
        """The weak entity tag of FHIR."""
        return f'W/"{self.version}"'


@dataclass(frozen=True, slots=True)
class Write:
    """One wish to change: `condition` is the search of a conditional create, update or delete.

    `if_match` is the version that must be current; 0 means that nothing may be there yet, ANY_VERSION that something
    must be there.
    """

    method: Method
    type: str
    resource: dict[str, Any] | None = None
    id: str | None = None
    if_match: int | None = None
    condition: str | None = None
    full_url: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What came of a write: status 201 created, 200 updated or already there, 204 deleted."""

    type: str
    id: str
    version: int
    updated: datetime
    status: int
    stored: Stored | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """Versions, newest first, and where the next page begins."""

    versions: list[Stored]
    total: int | None
    next: str | None


class Session(Protocol):
    """What a caller may do with the record; the gate's handle and a transaction both speak it."""

    async def fetch(self, type_: str, id_: str) -> Stored | None:
        """The current version, perhaps a deleted one."""
        ...

    async def fetch_version(self, type_: str, id_: str, version: int) -> Stored | None:
        """One version."""
        ...

    async def versions(self, type_: str | None, id_: str | None, page: Mapping[str, Any]) -> HistoryPage:
        """A page of history, newest first."""
        ...

    async def find(self, query: Any) -> Any:
        """Run a search."""
        ...

    async def write(self, writes: Sequence[Write], places: Sequence[str] | None = None) -> list[Written]:
        """Do all writes or none."""
        ...



class Caller(Session, Protocol):
    """A session that can also bind several calls into one transaction."""

    def transaction(self) -> AbstractAsyncContextManager[Session]:
        """A session in one transaction."""
        ...
