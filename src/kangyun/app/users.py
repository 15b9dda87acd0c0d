"""`kangyun user` and `kangyun directory`: staff, their roles and locks, and the directories that vouch for them."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from kangyun.app.services import Services, open_services
from kangyun.base import errors
from kangyun.base.errors import Problem, refuse
from kangyun.base.settings import Settings
from kangyun.commons.access import Actor, Post, staff_of
from kangyun.commons.access.actions import accounts, outside
from kangyun.commons.access.actions.outside import Provider
from kangyun.commons.access.decisions.accounts import normal_login
from kangyun.commons.access.queries.accounts import Account, by_login

_BY = Actor("operator", "operator", purpose="administration")

Told = dict[str, Any] | list[dict[str, Any]]
Act = Callable[[Services, argparse.Namespace], Awaitable[Told]]


def run_user(settings: Settings, asked: argparse.Namespace) -> int:
    """Do what was asked of an account, beside a running server or without one; returns 1 with a reason for a refusal."""
    return asyncio.run(_run(settings, asked, _USER[asked.act]))


def run_directory(settings: Settings, asked: argparse.Namespace) -> int:
    """Do what was asked of a directory; returns 1 with a reason for a refusal."""
    return asyncio.run(_run(settings, asked, _DIRECTORY[asked.act]))


async def _run(settings: Settings, asked: argparse.Namespace, act: Act) -> int:
    services = await open_services(settings)
    try:
        told = await act(services, asked)
    except Problem as problem:
        print(f"kangyun: {' '.join(errors.text(issue, 'en') for issue in problem.issues)}", file=sys.stderr)
        return 1
    finally:
        await services.close()
        await services.database.stop_server()
    print(json.dumps(told, ensure_ascii=False) if asked.json else _lines(told))
    return 0


def _lines(told: Told) -> str:
    if isinstance(told, dict):
        return "\n".join(f"{name}: {value}" for name, value in told.items())
    return "\n".join("  ".join(f"{value!s:20}" for value in row.values()) for row in told)


async def _add(services: Services, asked: argparse.Namespace) -> Told:
    post = Post(asked.role, asked.institution or "", asked.practitioner)
    if not asked.password_stdin:
        token = await accounts.add(services, _BY, asked.name, post)
        return {"user": asked.name, "role": asked.role, "invitation": _link(services, token)}
    password = sys.stdin.readline().rstrip("\n")
    totp = sys.stdin.readline().strip() if asked.totp_stdin else None
    account = await accounts.establish(services, _BY, asked.name, post, password=password, totp=totp)
    return {"user": account.login, "role": asked.role}


def _link(services: Services, token: str) -> str:
    settings = services.settings
    return f"{settings.public_url.rstrip('/') or f'http://{settings.host}:{settings.port}'}/invitation/{token}"


async def _account(services: Services, asked: argparse.Namespace) -> Account:
    found = await by_login(services.database, normal_login(asked.name) or "")
    if found is None:
        raise refuse(404, "not-found", "access.no-account")
    return found


async def _grant(services: Services, asked: argparse.Namespace) -> Told:
    account = await _account(services, asked)
    await accounts.grant(services, _BY, account, Post(asked.role, asked.institution or "", asked.practitioner))
    return {"user": account.login, "role": asked.role}


async def _withdraw(services: Services, asked: argparse.Namespace) -> Told:
    account = await _account(services, asked)
    return {"user": account.login, "withdrawn": await accounts.withdraw(services, _BY, account, asked.institution, asked.role)}


async def _reset(services: Services, asked: argparse.Namespace) -> Told:
    account = await _account(services, asked)
    return {"user": account.login, "invitation": _link(services, await accounts.reset(services, _BY, account, second=asked.second))}


async def _lock(services: Services, asked: argparse.Namespace) -> Told:
    account = await _account(services, asked)
    await accounts.lock(services, _BY, account)
    return {"user": account.login, "state": "locked"}


async def _unlock(services: Services, asked: argparse.Namespace) -> Told:
    account = await _account(services, asked)
    await accounts.unlock(services, _BY, account)
    return {"user": account.login, "state": "open"}


async def _list(services: Services, asked: argparse.Namespace) -> Told:
    rows = await staff_of(services.database, asked.institution)
    return [{
        "user": one.login, "state": one.state, "role": one.role or "-", "institution": one.institution or "-",
        "second": "second factor" if one.seconds else "no second factor yet",
    } for one in rows]


async def _add_directory(services: Services, asked: argparse.Namespace) -> Told:
    secret = "" if sys.stdin.isatty() else sys.stdin.readline().strip()
    await outside.add_provider(services, Provider(
        asked.id, asked.institution, asked.title, asked.issuer, asked.client, None, asked.claim, asked.second), secret)
    return {"directory": asked.id, "issuer": asked.issuer}


async def _remove_directory(services: Services, asked: argparse.Namespace) -> Told:
    if not await outside.remove_provider(services, asked.id):
        raise refuse(404, "not-found", "access.no-account")
    return {"directory": asked.id, "state": "removed"}


async def _list_directories(services: Services, asked: argparse.Namespace) -> Told:
    del asked
    return [{"directory": one.id, "title": one.title, "institution": one.institution, "issuer": one.issuer}
            for one in await outside.providers(services)]


_USER: dict[str, Act] = {
    "add": _add, "grant": _grant, "withdraw": _withdraw, "reset": _reset, "lock": _lock, "unlock": _unlock, "list": _list,
}
_DIRECTORY: dict[str, Act] = {"add": _add_directory, "remove": _remove_directory, "list": _list_directories}
