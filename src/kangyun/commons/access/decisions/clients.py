"""What a program must be to become a client: its name, where it may send people back to, its keys, what it may be granted."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from kangyun.base.errors import Problem, refuse
from kangyun.commons.access.decisions import scopes as scoping
from kangyun.commons.access.decisions.policy import roles
from kangyun.commons.access.decisions.tokens import EXCHANGE

KINDS = ("public", "confidential", "backend")
ABILITIES = ("authorization_code", "refresh_token", "client_credentials", EXCHANGE, "introspection")
_OF_KIND = {
    "public": ("authorization_code", "refresh_token"),
    "confidential": ("authorization_code", "refresh_token", "introspection"),
    "backend": ("client_credentials", "introspection"),
}
# Parameters of the private half of a JSON Web Key (RFC 7518 section 6).
_PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
# 2048 bits in base64url.
_RSA_DIGITS = 341
_LONGEST = 2000
# Nothing that would mean something else in a content security policy, and no user's name.
_HOST = re.compile(r"([A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")
_OWN_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")


@dataclass(frozen=True, slots=True)
class Registration:
    """What is told of a program; `exchanges`: it may exchange the tokens of its callers for narrower ones (RFC 8693)."""

    name_zh: str
    name_en: str
    scopes: str
    kind: str = "backend"
    redirects: tuple[str, ...] = ()
    jwks: str | None = None
    jwks_uri: str | None = None
    launch: str | None = None
    role: str = "integration"
    institution: str | None = None
    exchanges: bool = False

    @property
    def abilities(self) -> tuple[str, ...]:
        """The grants it may use."""
        return (*_OF_KIND[self.kind], *((EXCHANGE,) if self.exchanges and self.kind != "public" else ()))


def check(told: Registration) -> None:
    """Raise Problem 422 for the first thing that cannot be."""
    fault = _fault(told)
    if fault is not None:
        raise fault


def _fault(told: Registration) -> Problem | None:
    if not 0 < len(told.name_zh.strip()) <= 80 or not 0 < len(told.name_en.strip()) <= 80:
        return refuse(422, "required", "access.client-name")
    if told.kind not in KINDS:
        return refuse(422, "value", "access.client-kind")
    wrong = scoping.unknown(told.scopes)
    if wrong or not told.scopes.split():
        return refuse(422, "value", "access.client-scopes", scope=wrong[0][:80] if wrong else "–")
    if told.kind == "backend":
        return _service_fault(told)
    if not told.redirects or not all(is_redirect(one) for one in told.redirects):
        return refuse(422, "value", "access.client-redirect")
    return _key_fault(told)


def service_roles() -> dict[str, Mapping[str, str]]:
    """The roles in which a service may act, with their titles: those of machines, and of staff who administer nothing."""
    offered = {name: one for name, one in roles().items() if one.kind == "machine" or (one.kind == "staff" and not name.endswith("_admin"))}
    return {name: one.title for name, one in sorted(offered.items(), key=lambda pair: (pair[1].kind, pair[0]))}


def _service_fault(told: Registration) -> Problem | None:
    if told.role not in service_roles():
        return refuse(422, "value", "access.client-role")
    if not scoping.for_services(told.scopes) and not told.exchanges:
        return refuse(422, "value", "access.client-scopes", scope="system/*.rs")
    return _key_fault(told)


def _key_fault(told: Registration) -> Problem | None:
    if told.jwks is not None and not is_key_set(told.jwks):
        return refuse(422, "value", "access.client-keys")
    if told.jwks_uri is not None and not told.jwks_uri.startswith(("https://", "http://")):
        return refuse(422, "value", "access.client-keys")
    if told.launch is not None and not is_redirect(told.launch):
        return refuse(422, "value", "access.client-redirect")
    return None


def is_key_set(text: str) -> bool:
    """Whether a text is a JSON Web Key Set of at least one public key, and of no private one."""
    try:
        keys = json.loads(text)["keys"]
    except (ValueError, TypeError, KeyError):
        return False
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
        return False
    return all(_is_public(key) for key in keys)


def _is_public(key: Mapping[str, Any]) -> bool:
    """Whether a key is public, and an RSA key as long as SMART requires of RS384: 2048 bits."""
    long_enough = key.get("kty") == "EC" or (key.get("kty") == "RSA" and len(str(key.get("n", ""))) >= _RSA_DIGITS)
    return long_enough and not _PRIVATE & key.keys()


def is_redirect(text: str) -> bool:
    """Whether people may be sent to an address: https, http on the own machine, or an app's own scheme (RFC 8252)."""
    if len(text) > _LONGEST or not text.isascii() or not text.isprintable() or any(sign in text for sign in ' #*"\\<>'):
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    if not _HOST.fullmatch(parts.netloc):
        return False
    if parts.scheme == "https":
        return bool(parts.hostname)
    if parts.scheme == "http":
        return _is_loopback(parts.hostname or "")
    return _OWN_SCHEME.fullmatch(parts.scheme) is not None


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin_of(address: str) -> str | None:
    """The origin of a page, as browsers send it; None for what is no page."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in {"http", "https"} else None


def sends_back_to(redirects: Sequence[str], asked: str) -> bool:
    """Whether an address is one of those registered, sign by sign; on the own machine any port (RFC 8252 section 7.3)."""
    return asked in redirects or any(_same_but_port(one, asked) for one in redirects)


def _same_but_port(known: str, asked: str) -> bool:
    try:
        one, other = urlsplit(known), urlsplit(asked)
        numeric = one.hostname in {"127.0.0.1", "::1"} and one.port is None
        return numeric and is_redirect(asked) and one == other._replace(netloc=other.netloc.removesuffix(f":{other.port}"))
    except ValueError:
        return False


def keys_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The public keys of a key set that may check signatures."""
    keys = document.get("keys")
    found = [key for key in keys if isinstance(key, dict)] if isinstance(keys, list) else []
    return [key for key in found if _is_public(key) and key.get("use", "sig") == "sig"]
