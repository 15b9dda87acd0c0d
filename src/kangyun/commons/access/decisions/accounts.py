"""Logging in: how often one may fail, what a login still lacks, how long a session lasts, where one may go afterwards."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from kangyun.base.rules import Rule, load
from kangyun.base.web import local_path as site_path
from kangyun.commons.access.decisions import policy

Stage = Literal["second", "enrol", "password", "choose", "enter", "nothing"]

_LOGIN = re.compile(r"[a-z][a-z0-9_.-]{1,39}")
_PHONE = re.compile(r"1\d{10}")
_FULL_WIDTH = {0xFEE0 + sign: sign for sign in range(0x21, 0x7F)} | {0x3000: 0x20}
# Three persons watch each other (GB/T 22239 level 3, separation of administrators).
_SEPARATE = {"system_admin", "security_admin", "audit_admin"}
# The pages of logging in lead nowhere as a target: a login would come back to itself.
_NOWHERE = ("/login", "/logout", "/invitation")


@dataclass(frozen=True, slots=True)
class Limit:
    """So many failures within `window` seconds close the door for `lock` seconds."""

    most: int
    window: int
    lock: int


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """Seconds without use, and seconds in all, after which a session ends."""

    idle: int
    lasts: int


def _map() -> Mapping[str, Any]:
    return load("kangyun.commons.access", "login.yaml").map


def account_limit() -> Limit:
    """How often the secrets of one account may be wrong."""
    return _limit("account")


def address_limit() -> Limit:
    """How often logins from one address may fail, whoever is meant."""
    return _limit("address")


def _limit(whose: str) -> Limit:
    told = _map()["failures"]
    return Limit(told[whose], told["minutes"] * 60, told["lock_minutes"] * 60)


def binding_limit() -> Limit:
    """How often a name and an ID number may fail to belong together."""
    told = _map()["binding"]
    return Limit(told["tries"], told["hours"] * 3600, told["hours"] * 3600)


def step_seconds() -> int:
    """From the first step of a login to its last."""
    return int(_map()["step_minutes"]) * 60


def invitation_hours() -> int:
    """How long an invitation may be taken up."""
    return int(_map()["invitation_hours"])


def phone_days() -> int:
    """For how many days without a login a phone still proves who somebody is."""
    return int(_map()["phone_days"])


def recovery_codes() -> int:
    """How many codes somebody gets for the day on which the phone is lost."""
    return int(_map()["recovery_codes"])


def session_limits(role: str) -> SessionLimits:
    """How long a session of a role lasts."""
    kind = "administrator" if role.endswith("_admin") else "resident" if kind_of_role(role) == "resident" else "staff"
    told = _map()["sessions"][kind]
    return SessionLimits(int(told["idle_minutes"]) * 60, int(told["hours"]) * 3600)


def next_stage(passed: Sequence[str], *, has_second: bool, password_expired: bool, memberships: int) -> Stage:
    """What a login of staff still lacks.

    passed: password, outside (a directory vouched), outside2 (one that asked for two factors), totp, recovery, and key:
    a passkey that also asked for PIN, finger or face, which is two factors by itself.
    """
    second = {"totp", "key", "recovery", "outside2"} & set(passed)
    if not second:
        return "second" if has_second else "enrol"
    if password_expired and "password" in passed:
        return "password"
    if not memberships:
        return "nothing"
    return "choose" if memberships > 1 else "enter"


def kind_of_role(role: str) -> str:
    """resident, staff, machine or internal; internal for a role that nobody knows."""
    known = policy.role(role)
    return known.kind if known else "internal"


def staff_roles(granted_by: str) -> list[str]:
    """The roles that somebody of a role may give: an institution's administrator none of the platform's administrators."""
    staff = {name for name in policy.roles() if kind_of_role(name) == "staff"}
    given = {"institution_admin": staff - _SEPARATE, "security_admin": staff, "operator": staff}
    return sorted(given.get(granted_by, set()))


def clashing(role: str, held: Sequence[str]) -> bool:
    """Whether a role may not be one person's together with those that the person has."""
    return role in _SEPARATE and bool(_SEPARATE & set(held) - {role})


def normal_login(text: str) -> str | None:
    """A user name as it is kept: small letters, digits, `_ . -`, 2 to 40 signs; None when it is none."""
    name = text.translate(_FULL_WIDTH).strip().lower()
    return name if _LOGIN.fullmatch(name) else None


def normal_phone(text: str) -> str | None:
    """A mobile number of China as 11 digits; None for anything else."""
    digits = re.sub(r"[\s\-()]", "", text.translate(_FULL_WIDTH))
    digits = digits.removeprefix("+86").removeprefix("0086")
    return digits if _PHONE.fullmatch(digits) else None


def shown_phone(phone: str) -> str:
    """A phone as its own holder sees it, who knows the rest; also when somebody looks over the shoulder."""
    return f"{phone[:3]}****{phone[-4:]}"


def local_path(text: str) -> str:
    """A path of this site to go to after a login; the start page for anything that may lead elsewhere."""
    text = site_path(text)
    path = text.partition("?")[0]
    return "/" if any(path == one or path.startswith(f"{one}/") for one in _NOWHERE) else text


def network_of(address: str) -> str:
    """Whom failures from an address are counted for: the address, or the network of 64 bits that one IPv6 line has."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    return str(found) if found.version == 4 else str(ipaddress.ip_network(f"{found}/64", strict=False))


_SYSTEMS = (("HarmonyOS", "HarmonyOS"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Macintosh", "Mac"), ("Linux", "Linux"))
_BROWSERS = (("MicroMessenger", "微信"), ("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))


def device_name(user_agent: str) -> str:
    """A browser as its holder would name it, for the list of devices."""
    found = [next((name for mark, name in marks if mark in user_agent), "") for marks in (_BROWSERS, _SYSTEMS)]
    return " · ".join(name for name in found if name)


def check_example(_rule: Rule, given: Mapping[str, Any]) -> Any:
    """The verdict on a worked example of rules/login.yaml."""
    if "role" in given:
        limits = session_limits(given["role"])
        return {"idle": limits.idle, "lasts": limits.lasts}
    judge = {"path": local_path, "phone": normal_phone, "login": normal_login}
    [(what, text)] = given.items()
    return judge[what](text)
