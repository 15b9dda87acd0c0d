"""Made-up people who work: each has an account with password and authenticator, and whoever treats or dispenses an entry as Practitioner.

Passwords and authenticators are made at random for one data folder and written there, readable by its owner only, so
that a demonstration that somebody forgot to stop has no password that is known elsewhere.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyotp import random_base32

from kangyun.app.services import Services
from kangyun.commons.access import Actor, Post, Write
from kangyun.commons.access.actions import accounts
from kangyun.commons.access.queries.accounts import by_login

BY = Actor("demo", "operator", purpose="administration")
FILE = "demo-logins.json"


@dataclass(frozen=True, slots=True)
class Login:
    """Who can log in: user name and password, at which institution (id), as which Practitioner (id)."""

    role: str
    name: str
    password: str = field(default="", repr=False)
    totp: str = field(default="", repr=False)
    institution: str = ""
    practitioner: str = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Somebody to be employed: the role, a user name, and for whoever has an entry the name that people know and its qualification.

    entry: id of an entry that is there already, where somebody works in a second role.
    """

    role: str
    name: str
    called: str = ""
    qualification: tuple[dict[str, Any], ...] = ()
    entry: str = ""

    @property
    def practitioner(self) -> str:
        """The id of the entry; '' for whoever has none."""
        return self.entry or (self.name.replace(".", "-") if self.called else "")


class Kept:
    """What was made in this data folder: a file that only its owner reads."""

    def __init__(self, path: Path, told: dict[str, dict[str, str]]) -> None:
        self.path, self.told = path, told

    @classmethod
    def of(cls, folder: Path) -> Kept:
        """What was kept in a data folder before, or nothing."""
        path = folder / FILE
        return cls(path, json.loads(path.read_text("utf-8")) if path.exists() else {})

    @property
    def authenticators(self) -> dict[str, str]:
        """The secrets of the authenticator apps, by user name."""
        return {name: told["totp"] for name, told in self.told.items() if told.get("totp")}

    def write(self) -> None:
        """Keep it."""
        self.path.touch(mode=0o600)
        self.path.write_text(json.dumps(self.told, ensure_ascii=False, indent=1), "utf-8")


async def employ(services: Services, kept: Kept, wanted: Wanted, institution: str) -> Login:
    """Let somebody work at an institution; once for each data folder."""
    if await by_login(services.database, wanted.name) is None:
        if wanted.called:
            await services.gate.system("demo").commit([Write("update", "Practitioner", _entry(wanted), wanted.practitioner)])
        password, totp = _password(), random_base32()
        post = Post(wanted.role, institution, wanted.practitioner or None)
        await accounts.establish(services, BY, wanted.name, post, password=password, totp=totp)
        kept.told[wanted.name] = {
            "role": wanted.role, "password": password, "totp": totp, "institution": institution, "practitioner": wanted.practitioner}
    told = kept.told.get(wanted.name, {})
    return Login(wanted.role, wanted.name, told.get("password", ""), told.get("totp", ""), institution, wanted.practitioner)


def _entry(wanted: Wanted) -> dict[str, Any]:
    told: dict[str, Any] = {
        "resourceType": "Practitioner", "id": wanted.practitioner, "active": True, "name": [{"use": "official", "text": wanted.called}]}
    return told | ({"qualification": list(wanted.qualification)} if wanted.qualification else {})


def _password() -> str:
    """At least three of the four classes of signs, and no sequence that anybody knows."""
    return f"Yz-{secrets.token_urlsafe(9)}7k"
