"""Scopes of SMART App Launch 2: what an app may do, of what a role may do.

`patient/Observation.rs?category=laboratory` is a context (patient: of the resident the app was opened for; user:
whatever its user may; system: whatever the service itself may), a resource type or `*`, letters of c r u d s
(create, read, update, delete, search), and conditions as a FHIR search. The words of version 1 are read as those of
version 2: `.read` is `.rs`, `.write` is `.cud`, `.*` is `.cruds` (SMART App Launch 2.2, "Scopes for requesting FHIR resources").

A scope only ever narrows: nothing here says what a role may do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import parse_qsl

from kangyun.base.errors import Problem
from kangyun.base.fhir import definitions
from kangyun.commons.records import search

_SHAPE = re.compile(r"(patient|user|system)/(\*|[A-Za-z]+)\.([a-z*]+)(?:\?(\S+))?")
_LETTERS = "cruds"
_FIRST_VERSION = {"read": "rs", "write": "cud", "*": "cruds"}
# What the gate asks, in the letters of a scope. A version is read by whoever may read the resource.
_LETTER_OF = {"read": "r", "history": "r", "search": "s", "create": "c", "update": "u", "delete": "d"}
# Whether a search can be understood does not depend on the day.
_ANY_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
_PARAMETER = re.compile(r"[A-Za-z_][\w.:-]*=[^\s&=]+")

WORDS = ("openid", "fhirUser", "profile", "offline_access", "online_access", "launch", "launch/patient", "launch/encounter")
"""Scopes that are single words, in the order in which they are shown."""


@dataclass(frozen=True, slots=True)
class Scope:
    """context: patient, user or system; type: a resource type or *; interactions: letters of cruds; params: name=value."""

    context: str
    type: str
    interactions: frozenset[str]
    params: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The scope as version 2 writes it."""
        letters = "".join(letter for letter in _LETTERS if letter in self.interactions)
        return f"{self.context}/{self.type}.{letters}" + (f"?{'&'.join(self.params)}" if self.params else "")

    def covers(self, type_: str, letter: str) -> bool:
        """Whether it speaks of an interaction with a type."""
        return letter in self.interactions and self.type in {"*", type_}


@dataclass(frozen=True, slots=True)
class Limit:
    """One way in which a scope allows something: only of the launched resident, and only what a search finds ('': all)."""

    patient: bool
    query: str


FREE = (Limit(patient=False, query=""),)
"""The limits of what scopes allow without any."""


@lru_cache(maxsize=1024)
def parse(text: str) -> tuple[Scope, ...]:
    """The scopes about resources in a text; words and what is misshapen are left out, so they allow nothing."""
    return tuple(scope for word in text.split() if (scope := _scope(word)) is not None)


def _scope(word: str) -> Scope | None:
    match = _SHAPE.fullmatch(word)
    if match is None:
        return None
    context, type_, letters, query = match.groups()
    letters = _FIRST_VERSION.get(letters, letters)
    params = tuple(query.split("&")) if query else ()
    known = type_ == "*" or type_ in definitions.load().resources
    if not known or not _in_order(letters) or not all(_PARAMETER.fullmatch(param) for param in params):
        return None
    # A condition on every type at once has no meaning that a search could have.
    if params and (type_ == "*" or not _is_search(type_, query or "")):
        return None
    return Scope(context, type_, frozenset(letters), params)


@lru_cache(maxsize=1024)
def _is_search(type_: str, query: str) -> bool:
    """Whether each parameter is a condition that the search of the type knows, and none only says how to answer."""
    pairs = parse_qsl(query, keep_blank_values=True)
    try:
        found = search.parse(type_, pairs, strict=True, now=_ANY_MOMENT)
    except Problem:
        return False
    return len(found.conditions) == len(pairs)


def _in_order(letters: str) -> bool:
    """Whether letters of cruds stand in that order, each once, as the specification requires."""
    return bool(letters) and re.fullmatch("c?r?u?d?s?", letters) is not None


def unknown(text: str) -> list[str]:
    """The scopes of a text that mean nothing here."""
    return [word for word in text.split() if word not in WORDS and _scope(word) is None]


@lru_cache(maxsize=4096)
def limits(scopes: tuple[Scope, ...], interaction: str, type_: str) -> tuple[Limit, ...]:
    """The ways in which scopes allow an interaction with a type, of which one must hold; () when they do not.

    interaction is read, search, history, create, update or delete.
    """
    letter = _LETTER_OF.get(interaction, "?")
    found = [Limit(one.context == "patient", "&".join(one.params)) for one in scopes if one.covers(type_, letter)]
    free = [limit for limit in found if not limit.query]
    if FREE[0] in free:
        return FREE
    return tuple(dict.fromkeys(found))


def allows(scopes: tuple[Scope, ...], interaction: str, type_: str | None) -> bool:
    """Whether scopes allow an interaction with some resources of a type (None: with all of every type)."""
    if type_ is None:
        free = [one for one in scopes if one.context != "patient" and not one.params]
        return any(one.covers("*", _LETTER_OF.get(interaction, "?")) for one in free)
    return bool(limits(scopes, interaction, type_))


@lru_cache(maxsize=4096)
def opens(scopes: str | None, permission: str) -> bool:
    """Whether an app that holds these scopes may use a route at all: for people it goes only where the record's API is.

    A service acts for itself, so its role says it; None: no app, but somebody in person.
    """
    if scopes is None or "system" in contexts(scopes):
        return True
    return permission == "web.public" or permission.startswith("records.")


@lru_cache(maxsize=4096)
def asks(scopes: str | None, method: str, path: str) -> bool:
    """Whether an app's scopes let it ask for an operation of the API: they allow to write its type, or to read it where it only reads.

    What the operation then reads and writes, its handle judges by the scopes once more.
    """
    if scopes is None or not path.startswith("/fhir/"):
        return False
    if path.startswith("/fhir/AuditEvent"):
        # The trail asks for no handle: only a scope without limits opens it, to whoever may audit.
        return limits(parse(scopes), "read" if "{" in path else "search", "AuditEvent") is FREE
    if "/$" not in path:
        return False
    wanted = ("read", "search") if method in {"GET", "HEAD"} else ("create", "update")
    return any(allows(parse(scopes), one, path.split("/")[2]) for one in wanted)


def narrowed(asked: str, most: str) -> str:
    """What of the asked scopes lies within others, in the order asked; resources in the spelling of version 2."""
    bounds, words = parse(most), set(most.split())
    kept: list[str] = []
    for word in asked.split():
        scope = _scope(word)
        if scope is not None:
            kept += [str(part) for part in _within(scope, bounds)]
        elif word in WORDS and word in words:
            kept.append(word)
    return " ".join(dict.fromkeys(kept))


def _within(asked: Scope, bounds: Sequence[Scope]) -> Iterable[Scope]:
    """The parts of a scope that lie within others: fewer types, fewer letters, more conditions."""
    parts = [part for bound in bounds if (part := _common(asked, bound)) is not None]
    return [part for part in parts if not any(_is_part(part, other) for other in parts)]


def _common(asked: Scope, bound: Scope) -> Scope | None:
    letters = asked.interactions & bound.interactions
    type_ = bound.type if asked.type == "*" else asked.type
    if asked.context != bound.context or not letters or bound.type not in {"*", type_}:
        return None
    if type_ == "*" and (asked.params or bound.params):
        return None
    return replace(asked, type=type_, interactions=letters, params=tuple(dict.fromkeys((*asked.params, *bound.params))))


def _is_part(one: Scope, other: Scope) -> bool:
    """Whether one scope says nothing that another does not say as well."""
    same = one.context == other.context and other.type in {"*", one.type}
    return one != other and same and one.interactions <= other.interactions and set(other.params) <= set(one.params)


def contexts(text: str) -> set[str]:
    """Which of patient, user and system the scopes of a text speak of."""
    return {scope.context for scope in parse(text)}


def for_people(text: str) -> str:
    """A text without what only services have."""
    return " ".join(word for word in text.split() if not word.startswith("system/"))


def for_services(text: str) -> str:
    """Of a text only what services have: nobody is logged in, and no resident was chosen."""
    return " ".join(str(scope) for scope in parse(text) if scope.context == "system")
