"""`kangyun client`: register apps and services, list them, give a new secret, shut one out."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from kangyun.app.services import Services, open_services
from kangyun.base import errors
from kangyun.base.errors import Problem
from kangyun.base.settings import Settings
from kangyun.commons.access import Actor
from kangyun.commons.access.actions import clients
from kangyun.commons.access.decisions.clients import Registration
from kangyun.commons.access.queries import clients as reading

TOKEN_PATH = "/oauth/token"  # noqa: S105 - an address
_BY = Actor("operator", "operator")

Work = Callable[[Services, argparse.Namespace], Awaitable[dict[str, Any]]]


def run_client(settings: Settings, asked: argparse.Namespace) -> int:
    """Do what was asked beside a running server, or before there ever was one; returns 1 with a reason for a refusal."""
    return asyncio.run(_run(settings, asked))


async def _run(settings: Settings, asked: argparse.Namespace) -> int:
    services = await open_services(settings)
    try:
        told = await _WORK[asked.act](services, asked)
    except (Problem, OSError) as problem:
        words = [errors.text(issue, "en") for issue in problem.issues] if isinstance(problem, Problem) else [str(problem)]
        print(f"kangyun: {' '.join(words)}", file=sys.stderr)
        return 1
    finally:
        await services.close()
        await services.database.stop_server()
    print(json.dumps(told, ensure_ascii=False) if asked.json else _lines(told))
    return 0


async def _add(services: Services, asked: argparse.Namespace) -> dict[str, Any]:
    told = Registration(
        asked.name, asked.name_en or asked.name, asked.scope, asked.kind or ("confidential" if asked.redirect else "backend"),
        tuple(asked.redirect), asked.jwks.read_text("utf-8") if asked.jwks else None, asked.jwks_uri, asked.launch, asked.role,
        asked.institution, asked.exchange)
    added = await clients.add(services, _BY, told)
    return {"client_id": added.id} | ({"client_secret": added.secret} if added.secret else {}) | {"token_endpoint": TOKEN_PATH}


async def _rotate(services: Services, asked: argparse.Namespace) -> dict[str, Any]:
    return {"client_id": asked.id, "client_secret": await clients.rotate(services, _BY, asked.id), "token_endpoint": TOKEN_PATH}


async def _revoke(services: Services, asked: argparse.Namespace) -> dict[str, Any]:
    await clients.revoke(services, _BY, asked.id)
    return {"client_id": asked.id, "state": "revoked"}


async def _list(services: Services, _asked: argparse.Namespace) -> dict[str, Any]:
    found = await reading.clients(services.database)
    return {"clients": [{"client_id": one.id, "name": one.name_zh, "kind": one.kind, "state": one.state, "role": one.role,
                         "institution": one.institution, "scope": one.scopes} for one in found]}


_WORK: dict[str, Work] = {"add": _add, "list": _list, "revoke": _revoke, "rotate": _rotate}


def _lines(told: dict[str, Any]) -> str:
    if "clients" in told:
        return "\n".join(f"{one['client_id']:22} {one['state']:8} {one['kind']:13} {one['name']}  {one['scope']}" for one in told["clients"])
    return "\n".join(f"{name}: {value}" for name, value in told.items())
