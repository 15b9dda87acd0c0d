"""Who may do what: pure judgements over rules/roles.yaml. A role that is not named may do nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

from kangyun.base.rules import Rule, load
from kangyun.commons.access.model import Actor


@cache
def _roles() -> dict[str, Mapping[str, Any]]:
    return {str(row["role"]): row for row in load("kangyun.commons.access", "roles.yaml").table}


@cache
def may_enter(role: str, permission: str) -> bool:
    """Whether the role has a route's permission, such as records.read."""
    granted = _roles().get(role, {}).get("permissions", ())
    return "*" in granted or permission in granted or f"{permission.partition('.')[0]}.*" in granted


@cache
def may_touch(role: str, interaction: str, type_: str | None) -> bool:
    """Whether the role may do read, search, history, create, update or delete with a resource type (None: all)."""
    row = _roles().get(role, {})
    return any(_grants(part, interaction, type_) for part in (row, *row.get("also", ())))


def _grants(part: Mapping[str, Any], interaction: str, type_: str | None) -> bool:
    interactions, types = part.get("interactions", ()), part.get("types", ())
    return ("*" in interactions or interaction in interactions) and ("*" in types or type_ in types)


@lru_cache(maxsize=1024)
def actor_at(address: str, local_role: str, network_role: str) -> Actor:
    """Who a caller without a login is: this machine and the network may have a role each, else nobody."""
    local = _is_loopback(address)
    role = local_role if local else network_role
    return Actor("local" if local else "network", role or "anonymous")


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_loopback
    except ValueError:
        return False


def check_example(rule: Rule, given: Mapping[str, Any]) -> bool:
    """The verdict on a worked example of a rule of this room."""
    assert rule.id == "access.roles"
    if "permission" in given:
        return may_enter(given["role"], given["permission"])
    return may_touch(given["role"], given["interaction"], given["type"])
