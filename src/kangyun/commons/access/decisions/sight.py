"""What a caller sees: the conditions of its role as conditions of a search, so that hidden and absent look the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from urllib.parse import parse_qsl

from kangyun.base.fhir import definitions
from kangyun.base.rules import load
from kangyun.commons.access.decisions.policy import ANY, Where, unconditional, wheres
from kangyun.commons.access.decisions.scopes import Limit, Scope, limits
from kangyun.commons.access.decisions.sensitive import classes, token
from kangyun.commons.records import hash64, search

_EVERY = search.All(())
_NO_MOMENT = datetime.min.replace(tzinfo=UTC)
_ASKER = "ROW({0}, {1}, {2}, {3}, {4})::access_asker"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the conditions are about, as keys of resources.

    own: the caller's own Patients (of the ward, for a guardian). institutions: its institution and those below it.
    consortium: all institutions of its consortium. sensitive: tokens of the sensitive classes.
    launched: Patients of the resident whom an app was opened for.
    """

    own: tuple[int, ...] = ()
    institutions: tuple[int, ...] = ()
    consortium: tuple[int, ...] = ()
    practitioner: int = 0
    account: str = ""
    purpose: str = "care"
    sensitive: tuple[int, ...] = ()
    launched: tuple[int, ...] = ()


@cache
def keepers() -> Mapping[str, tuple[int, ...]]:
    """Type -> seeds of the elements that say which institution a resource outside of residents' records belongs to."""
    return _seeds("keepers.yaml")


@cache
def addressees() -> Mapping[str, tuple[int, ...]]:
    """Type -> seeds of the elements that address a resource to an institution or a practitioner."""
    return _seeds("addressees.yaml")


def _seeds(file: str) -> Mapping[str, tuple[int, ...]]:
    said = load("kangyun.commons.access", file).map
    return {type_: tuple(hash64(element) for element in elements) for type_, elements in said.items()}


@cache
def sensitive() -> tuple[int, ...]:
    """Tokens of the sensitive classes, which are closed unless opened."""
    return tuple(token(one) for one in classes())


@lru_cache(maxsize=4096)
def restriction(role: str, interaction: str, facts: Facts) -> search.Restriction:
    """What the role lets these facts see for an interaction."""
    made: dict[tuple[Where, ...], search.Condition] = {}
    by_type: dict[str, search.Condition] = {}
    for type_, said in wheres(role, interaction).items():
        if said == (ANY,):
            by_type[type_] = _EVERY
        elif type_ in search.compartment_types():
            # One object for equal conditions: a search over all types then writes each of them once.
            if said not in made:
                made[said] = search.any_of([_of_resident(where, facts) for where in said])
            condition = made[said]
            named = [_addressed(type_, facts) for where in said if where.place == "addressed"]
            by_type[type_] = search.any_of([condition, *named]) if named else condition
        else:
            by_type[type_] = search.any_of([_of_nobody(where, type_, facts) for where in said])
    return search.Restriction(by_type)


def within(
    role: str, allowed: tuple[Scope, ...], interaction: str, facts: Facts, now: datetime
) -> search.Restriction:
    """What an app sees of what its user or its own role sees: each type that a scope speaks of, under its conditions."""
    if any(scope.params for scope in allowed):
        return _narrowed(role, allowed, interaction, facts, now)
    return _at_any_moment(role, allowed, interaction, facts)


@lru_cache(maxsize=1024)
def _at_any_moment(role: str, allowed: tuple[Scope, ...], interaction: str, facts: Facts) -> search.Restriction:
    """The same for scopes without a search: only that could depend on the moment."""
    return _narrowed(role, allowed, interaction, facts, _NO_MOMENT)


def _narrowed(
    role: str, allowed: tuple[Scope, ...], interaction: str, facts: Facts, now: datetime
) -> search.Restriction:
    seen = search.EVERYTHING if unconditional(role, interaction, None) else restriction(role, interaction, facts)
    types = definitions.load().resources if seen.by_type is None else seen.by_type
    found: dict[str, search.Condition] = {}
    made: dict[tuple[int, str | tuple[Limit, ...], bool], search.Condition] = {}
    for type_ in types:
        ways = limits(allowed, interaction, type_)
        if ways:
            ours = None if seen.by_type is None else seen.by_type[type_]
            # One object for equal conditions, as above.
            key = (id(ours), type_ if any(way.query for way in ways) else ways, type_ in search.compartment_types())
            if key not in made:
                said = search.any_of([_way(way, type_, facts, now) for way in ways])
                made[key] = said if ours is None else search.all_of([ours, said])
            found[type_] = made[key]
    return search.Restriction(found)


def _way(way: Limit, type_: str, facts: Facts, now: datetime) -> search.Condition:
    bound = way.patient and type_ in search.compartment_types()
    parts = [search.compartment(facts.launched)] if bound else []
    if way.query:
        parts += search.parse(type_, parse_qsl(way.query), strict=True, now=now).conditions
    return search.all_of(parts) if parts else search.All(())


def _of_resident(where: Where, facts: Facts) -> search.Condition:
    """The condition on a resource of a resident's record."""
    match where.place:
        case "any":
            return search.All(())
        case "own":
            return search.compartment(facts.own)
        case "care" | "own-care":
            return _cares(facts, where)
        case "institution":
            return _keeps(facts, facts.institutions)
        case "consortium":
            return _keeps(facts, facts.consortium)
        case _:
            return search.Nothing()


def _cares(facts: Facts, where: Where) -> search.Condition:
    if not facts.institutions and not facts.practitioner:
        return search.Nothing()
    text = f"access_cares({{r}}.resident, {{r}}.type, {{r}}.tokens, {_ASKER}, {{5}}, {{6}})"
    return search.Given(text, (*_asker(facts), (list(where.kinds), "text[]"), (where.place == "own-care", "boolean")))


def _keeps(facts: Facts, institutions: tuple[int, ...]) -> search.Condition:
    if not institutions:
        return search.Nothing()
    text = f"access_keeps({{r}}.resident, {{r}}.type, {{r}}.tokens, {_ASKER}, {{5}})"
    return search.Given(text, (*_asker(facts), (list(institutions), "bigint[]")))


def _asker(facts: Facts) -> tuple[tuple[object, str], ...]:
    """The fields of the SQL type access_asker."""
    return (
        (list(facts.institutions), "bigint[]"), (facts.practitioner, "bigint"), (facts.account, "text"), (facts.purpose, "text"),
        (list(facts.sensitive), "bigint[]"),
    )


def _of_nobody(where: Where, type_: str, facts: Facts) -> search.Condition:
    """The condition on a resource that belongs to no resident."""
    if where == ANY:
        return search.All(())
    if where.place == "addressed":
        return _addressed(type_, facts)
    if where.place in {"institution", "consortium"}:
        institutions = facts.institutions if where.place == "institution" else facts.consortium
        return _kept(type_, institutions)
    return search.Nothing()


def _kept(type_: str, institutions: tuple[int, ...]) -> search.Condition:
    if not institutions:
        return search.Nothing()
    if type_ == "Organization":
        return search.HasKey(institutions)
    tokens = tuple(key ^ seed for key in institutions for seed in keepers().get(type_, ()))
    return search.HasToken(tokens) if tokens else search.Nothing()


def _addressed(type_: str, facts: Facts) -> search.Condition:
    named = (*facts.institutions, facts.practitioner) if facts.practitioner else facts.institutions
    tokens = tuple(key ^ seed for key in named for seed in addressees().get(type_, ()))
    return search.HasToken(tokens) if tokens else search.Nothing()


@cache
def needs(role: str) -> frozenset[str]:
    """Which facts the conditions of a role ask for: own, institution, consortium."""
    places = {where.place for interaction in ("read", "search", "history", "create", "update", "delete")
              for said in wheres(role, interaction).values() for where in said}
    found = {"own"} & places
    if places - {"any", "own"} or "Patient" in wheres(role, "update"):
        found.add("institution")
    return frozenset(found | ({"consortium"} & places))
