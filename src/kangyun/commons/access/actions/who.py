"""Who is logged in, for the frame of every page: asked of the database once a minute for each session."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kangyun.base import clock
from kangyun.base.web import Login, Other
from kangyun.commons.access.actions.parts import Parts
from kangyun.commons.access.actions.people import called, follow, person, qualifications
from kangyun.commons.access.decisions import policy
from kangyun.commons.access.model import Actor
from kangyun.commons.access.queries import accounts, clients, guardians
from kangyun.commons.access.queries.accounts import Account

_SECONDS = 60
_MOST = 10_000


@dataclass(slots=True)
class _Kept:
    until: float
    login: Login


_kept: dict[str, _Kept] = {}


async def signed_in(parts: Parts, actor: Actor) -> Login | None:
    """What the frame says of a session; None for whoever has none."""
    if actor.account is None or actor.session is None:
        return None
    now = clock.seconds()
    known = _kept.get(actor.session)
    if known is None or known.until < now:
        if len(_kept) >= _MOST:
            _kept.clear()
        known = _kept[actor.session] = _Kept(now + _SECONDS, await _ask(parts, actor, actor.account))
    return known.login


def forget(session: str | None) -> None:
    """Ask again next time, because something of the session's account has changed."""
    _kept.pop(session or "", None)


async def _ask(parts: Parts, actor: Actor, id_: str) -> Login:
    account = await accounts.account(parts.database, id_)
    titles = titles_of(actor.role)
    if account is None or account.kind == "resident":
        own = called(await person(parts, await follow(parts, account.person))) if account and account.person else ""
        acting = called(await person(parts, actor.person)) if actor.role == "guardian" and actor.person else ""
        return Login(acting or own, titles, "", await _wards(parts, actor, account, own) if account else ())
    name = (await qualifications(parts, actor.practitioner))[0] if actor.practitioner else ""
    return Login(
        name or account.login or "", titles, await institution_name(parts, actor.institution), await _posts(parts, actor, account))


async def _posts(parts: Parts, actor: Actor, account: Account) -> tuple[Other, ...]:
    held = await accounts.memberships(parts.database, account.id)
    return tuple([
        Other("membership", one.id, await institution_name(parts, one.institution), titles_of(one.role))
        for one in held if (one.role, one.institution) != (actor.role, actor.institution or "")
    ])


async def _wards(parts: Parts, actor: Actor, account: Account, own: str) -> tuple[Other, ...]:
    held = [one for one in await guardians.guardianships(parts.database, account.id) if one.state == "attested"]
    wards = [
        Other("ward", one.ward, called(await person(parts, one.ward)), titles_of("guardian"))
        for one in held if one.ward != actor.person
    ]
    return (Other("ward", "", own, titles_of("resident")), *wards) if actor.role == "guardian" else tuple(wards)


def titles_of(role: str) -> dict[str, str]:
    """What a role is called, in zh and en."""
    return dict(policy.role_titles().get(role) or {"zh": role, "en": role})


async def institution_name(parts: Parts, id_: str | None) -> str:
    """What an institution is called; '' for none."""
    found = await parts.gate.system("access.account").read("Organization", id_) if id_ else None
    return str((found or {}).get("name") or "")


async def staff_named(parts: Parts, id_: str) -> tuple[str, str]:
    """The name of whoever of the staff has an account, and its user name; '' for what is not known. A resident is not named."""
    account = await accounts.account(parts.database, id_) if id_ else None
    if account is None or account.kind == "resident":
        return "", ""
    found = await parts.gate.system("access.account").read("Practitioner", account.practitioner) if account.practitioner else None
    return called(found or {}), account.login or ""


async def client_named(parts: Parts, id_: str, language: str) -> str:
    """What a registered program is called; '' for none."""
    client = await clients.client(parts.database, id_)
    return client.name(language) if client else ""


async def callers_named(parts: Parts, names: Iterable[str], language: str) -> dict[str, str]:
    """What staff (with their user names) and programs are called, by their names in the trail: user/... and client/..."""
    found: dict[str, str] = {}
    for name in set(names):
        kind, _, id_ = name.partition("/")
        if kind == "user":
            found[name] = " · ".join(dict.fromkeys(one for one in await staff_named(parts, id_) if one))
        elif kind == "client":
            found[name] = await client_named(parts, id_, language)
    return found
