"""What is agreed with a sender beside its maps: addresses, key, expected volume, contact. Pages come before files."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from kangyun.base import rules
from kangyun.commons.exchange.decisions import senders
from kangyun.commons.exchange.decisions.times import zone_of
from kangyun.commons.exchange.model import Fault, Origin

_PACKAGE = "kangyun.commons.exchange"
CHANNELS = ("mllp", "http", "folder", "fhir")
MAPS = ("zone", "language", "enhanced", "authorities", "codes", "table")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_HOURS = re.compile(r"([01]\d|2[0-4])-([01]\d|2[0-4])")

_known: dict[str, Registration] = {}


@dataclass(frozen=True, slots=True)
class Registration:
    """One sender as it was registered; empty fields were not agreed.

    `networks` are addresses or networks it may send from, `certificates` what it shows in a mutual TLS handshake, each
    as SHA-256 in hexadecimal digits or as its subject (RFC 4514), `folders` names of watched folders, `key_hash` the SHA-256
    of its key in hexadecimal digits, `per_day` messages on a working day, `hours` when they come as `08-18`, `days` the
    days of the week from 1 (Monday) as `12345`, `maps` what it overrides of its file in rules/senders.
    """

    sender: str
    name: str = ""
    institution: str = ""
    channel: str = ""
    networks: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    key_hash: str = ""
    per_day: int = 0
    hours: str = ""
    days: str = ""
    contact: str = ""
    maps: Mapping[str, Any] = field(default_factory=dict[str, Any])
    certificates: tuple[str, ...] = ()

    @property
    def body(self) -> dict[str, Any]:
        """As it is kept in the table; without what is empty."""
        whole: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        return {name: value for name, value in whole.items() if value}


_FIELDS = ("name", "institution", "channel", "networks", "folders", "key_hash", "per_day", "hours", "days", "contact", "certificates", "maps")


def registration(sender: str, body: Mapping[str, Any]) -> Registration:
    """A registration from its kept form or a sender file. Raises ValueError, whose text is the field at fault."""
    networks = tuple(str(one) for one in body.get("networks") or ())
    _require(all(_is_network(one) for one in networks), "networks")
    certificates = tuple(_certificate(str(one)) for one in body.get("certificates") or ())
    _require(all(certificates), "certificates")
    channel, hours, days = str(body.get("channel") or ""), str(body.get("hours") or ""), str(body.get("days") or "")
    _require(channel in {"", *CHANNELS}, "channel")
    _require(not hours or (_HOURS.fullmatch(hours) is not None and hours[:2] < hours[3:]), "hours")
    _require(not days or (set(days) <= set("1234567") and len(set(days)) == len(days)), "days")
    per_day = int(body.get("per_day") or 0)
    _require(0 <= per_day < 10**8, "per_day")
    maps = dict(body.get("maps") or {})
    _check_maps(maps)
    return Registration(
        sender, str(body.get("name") or ""), str(body.get("institution") or ""), channel, networks,
        tuple(str(one) for one in body.get("folders") or ()), str(body.get("key_hash") or ""), per_day, hours, days,
        str(body.get("contact") or ""), maps, certificates,
    )


def _require(holds: bool, name: str) -> None:
    if not holds:
        raise ValueError(name)


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _certificate(text: str) -> str:
    """A fingerprint in small letters without colons, or a subject as it is; empty for anything else."""
    plain = text.replace(":", "").lower()
    if _FINGERPRINT.fullmatch(plain):
        return plain
    return text.strip() if "=" in text else ""


def _check_maps(maps: Mapping[str, Any]) -> None:
    shapes = {"authorities": dict, "codes": dict, "table": list, "zone": str, "language": str, "enhanced": bool}
    _require(all(name in shapes and isinstance(value, shapes[name]) for name, value in maps.items()), "maps")
    _require(all(isinstance(one, dict) for one in (maps.get("codes") or {}).values()), "maps")
    _require(all(isinstance(row, dict) for row in maps.get("table") or ()), "maps")
    try:
        zone_of(maps.get("zone") or "+08:00")
    except (ValueError, Fault) as error:
        raise ValueError("maps") from error


def use(found: Mapping[str, Registration]) -> None:
    """Let these registrations, by sender, be in force in this process."""
    _known.clear()
    _known.update(found)
    registered.cache_clear()
    senders.use({sender: _as_file(one) for sender, one in found.items()})


def _as_file(one: Registration) -> dict[str, Any]:
    return {**one.maps, **({"name": one.name} if one.name else {})}


@lru_cache(maxsize=1024)
def registered(sender: str) -> Registration:
    """What is agreed with a sender: on a page, else in its file, else nothing."""
    found = _known.get(sender)
    return found or of_file(sender) or Registration(sender)


def of_file(sender: str) -> Registration | None:
    """What a sender's file in rules/senders says beside its maps; None when it has no file."""
    try:
        own = rules.load(_PACKAGE, f"senders/{senders.file_name(sender)}.yaml")
    except rules.RuleError:
        return None
    value = own.value or {}
    return registration(sender, {name: value[name] for name in _FIELDS if name in value and name != "maps"})


def on_pages() -> dict[str, Registration]:
    """The registrations made on pages, by sender."""
    return dict(_known)


def in_files() -> list[str]:
    """The keys of all senders that have a file."""
    found: list[str] = []
    for name in rules.names(_PACKAGE):
        if name.startswith("senders/") and name != "senders/default.yaml":
            value = rules.load(_PACKAGE, name).value or {}
            found.append(str(value.get("key") or name[8:-5].upper()))
    return found


def stranger(sender: str, origin: Origin) -> bool:
    """Whether a message in the sender's name comes from an address that was not agreed on."""
    networks = registered(sender).networks
    if not networks or origin.channel not in {"mllp", "http"}:
        return False
    try:
        address = ipaddress.ip_address(origin.address)
    except ValueError:
        return True
    return not any(address in ipaddress.ip_network(one, strict=False) for one in networks)


def impostor(sender: str, origin: Origin) -> bool:
    """Whether an MLLP message in the sender's name comes without the certificate that was agreed on.

    Who shows a certificate may speak only for senders that it was registered for; who has one registered must show it.
    """
    agreed = registered(sender).certificates
    if origin.channel != "mllp" or not (agreed or origin.certificate):
        return False
    return not ({origin.certificate, origin.subject} - {""}) & set(agreed)


def hashed(key: str) -> str:
    """A sender's key as it is kept; keys are 32 random bytes, so a plain hash cannot be guessed."""
    return hashlib.sha256(key.encode()).hexdigest()


def shown_key(headers: Mapping[str, str]) -> str:
    """The key that a sender shows over HTTP, as a bearer token or in a header of its own; empty: none."""
    scheme, _, key = headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def key_fits(sender: str, key: str) -> bool:
    """Whether the key is the sender's; also where none was agreed on."""
    wanted = registered(sender).key_hash
    return not wanted or hmac.compare_digest(wanted, hashed(key))


def sender_with(key: str) -> str | None:
    """The sender whose key this is, if any."""
    wanted = hashed(key)
    return next((one.sender for one in _known.values() if one.key_hash and hmac.compare_digest(one.key_hash, wanted)), None)
