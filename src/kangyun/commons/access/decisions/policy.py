"""Who may do what: the role files of rules/roles as tables. A role or a permission that no file names is refused."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from kangyun.base.fhir import definitions
from kangyun.base.rules import Rule, load
from kangyun.commons.access.model import Actor

_ROOM = "kangyun.commons.access"
# The trail writes itself; an AuditEvent of somebody's making would stand beside it as if it were one.
_WRITTEN_BY_NOBODY = {"AuditEvent"}
INTERACTIONS = ("read", "search", "history", "create", "update", "delete")


@dataclass(frozen=True, slots=True)
class Where:
    """The condition of a grant: `place` any, own, care, own-care, institution, consortium, addressed or document; `kinds` of relations.

    document, of a Binary: a DocumentReference that the caller sees names it.
    """

    place: str
    kinds: tuple[str, ...] = ()


ANY = Where("any")

Grants = Mapping[str, Mapping[str, tuple[Where, ...]]]


@dataclass(frozen=True, slots=True)
class Role:
    """One role file. grants: interaction -> resource type -> conditions, of which one must hold.

    kind: resident, staff, machine or internal. mask: level of rules/masking.yaml, or none. purposes: what it may act for.
    opens: whether it may break the glass.
    """

    name: str
    title: Mapping[str, str]
    kind: str
    permissions: frozenset[str]
    grants: Grants
    mask: str = "none"
    opens: bool = False
    purposes: tuple[str, ...] = ("care",)
    body: Mapping[str, Any] = field(default_factory=dict[str, Any])


@cache
def roles() -> Mapping[str, Role]:
    """All roles by name."""
    names = sorted(entry.name for entry in (files(_ROOM) / "rules" / "roles").iterdir() if entry.name.endswith(".yaml"))
    return {name.removesuffix(".yaml"): _role(load(_ROOM, f"roles/{name}")) for name in names}


def role(name: str) -> Role | None:
    """The role of that name; None may do nothing."""
    return roles().get(name)


def role_titles() -> Mapping[str, Mapping[str, str]]:
    """What people call each role, in zh and en."""
    return {name: found.title for name, found in roles().items()}


def role_welcome(name: str) -> Mapping[str, str] | None:
    """What somebody of a role is told on the start page, in zh and en: what there is to do."""
    found = role(name)
    return found.body.get("welcome") if found else None


def role_start(name: str) -> str:
    """The page that a role sees first after logging in."""
    found = role(name)
    return str(found.body.get("start", "/")) if found else "/"


def role_home(name: str) -> str:
    """The page that stands in the place of the start page: residents have one; "/" for all others."""
    found = role(name)
    return role_start(name) if found is not None and found.kind == "resident" else "/"


def _role(rule: Rule) -> Role:
    said = rule.map
    return Role(
        rule.id.rpartition(".")[2], rule.title, said["kind"], frozenset(said["permissions"]), _grants(said.get("grants", ())),
        said.get("mask", "none"), bool(said.get("opens", False)), tuple(said.get("purposes", ("care",))), said,
    )


def _grants(said: Iterable[Mapping[str, Any]]) -> Grants:
    found: dict[str, dict[str, tuple[Where, ...]]] = {}
    for grant in said:
        where = Where(grant["where"], tuple(grant.get("kinds", ())))
        for interaction in _spread(grant["interactions"], INTERACTIONS):
            types = found.setdefault(interaction, {})
            for type_ in _types(grant["types"]):
                # Whatever else is said, everything is everything.
                types[type_] = (ANY,) if ANY in {where, *types.get(type_, ())} else (*types.get(type_, ()), where)
    return found


def _spread(said: Iterable[str], every: Iterable[str]) -> Iterable[str]:
    return every if "*" in said else said


@cache
def groups() -> Mapping[str, tuple[str, ...]]:
    """Names of groups of resource types, as role files write them with an @."""
    return {name: tuple(types) for name, types in load(_ROOM, "type_groups.yaml").map.items()}


def _types(said: Iterable[str]) -> list[str]:
    named = [part for entry in said for part in (groups()[entry[1:]] if entry.startswith("@") else (entry,))]
    return sorted(definitions.load().resources) if "*" in named else named


@cache
def may_enter(role_name: str, permission: str) -> bool:
    """Whether the role has a route's permission, such as records.read."""
    found = role(role_name)
    if found is None:
        return False
    granted = found.permissions
    return "*" in granted or permission in granted or f"{permission.partition('.')[0]}.*" in granted


@cache
def may_touch(role_name: str, interaction: str, type_: str | None) -> bool:
    """Whether the role may do an interaction with some resource of a type (None: with every one of every type)."""
    found = wheres(role_name, interaction)
    if type_ in _WRITTEN_BY_NOBODY and interaction in {"create", "update", "delete"}:
        return False
    return type_ in found if type_ is not None else unconditional(role_name, interaction, None)


@cache
def wheres(role_name: str, interaction: str) -> Mapping[str, tuple[Where, ...]]:
    """For each resource type that the role may touch, the conditions of which one must hold."""
    found = role(role_name)
    return found.grants.get(interaction, {}) if found else {}


@cache
def unconditional(role_name: str, interaction: str, type_: str | None) -> bool:
    """Whether nothing about a resource of the type (None: of any type) can keep the role from it."""
    found = wheres(role_name, interaction)
    if type_ is not None:
        return found.get(type_) == (ANY,)
    return len(found) == len(definitions.load().resources) and all(where == (ANY,) for where in found.values())


@cache
def purpose(role_name: str, said: str) -> str:
    """The purpose of use that a role acts for: the one said if it is among its purposes, else its first."""
    found = role(role_name)
    return said if found is None or said in found.purposes or not found.purposes else found.purposes[0]


@lru_cache(maxsize=1024)
def actor_at(address: str, local_role: str, network_role: str) -> Actor:
    """Who a caller without a login is: this machine and the network may have a role each, else nobody."""
    local = _is_loopback(address)
    given = local_role if local else network_role
    return Actor("local" if local else "network", given or "anonymous", address=address)


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def check_example(rule: Rule, given: Mapping[str, Any]) -> Any:
    """The verdict on a worked example: a permission (true or false), or where the role may touch a type ([] nowhere)."""
    if rule.id == "access.type_groups":
        return given["type"] in groups()[given["group"]]
    name = given.get("role", rule.id.rpartition(".")[2])
    if "permission" in given:
        return may_enter(name, given["permission"])
    return [where.place for where in wheres(name, given["interaction"]).get(given["type"], ())]
