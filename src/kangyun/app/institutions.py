"""`kangyun institution`: let an institution move in and invite its first administrator; list those that are here."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from kangyun.app.services import Services, open_services
from kangyun.base import errors
from kangyun.base.errors import Problem
from kangyun.base.settings import Settings
from kangyun.commons.access import Actor, Post
from kangyun.commons.access.actions import accounts
from kangyun.support import institutions
from kangyun.support.institutions import Institution

_BY = Actor("operator", "operator", purpose="administration")


def run_institution(settings: Settings, asked: argparse.Namespace) -> int:
    """Do what was asked, beside a running server or before there ever was one; returns 1 with a reason for a refusal."""
    return asyncio.run(_run(settings, asked))


async def _run(settings: Settings, asked: argparse.Namespace) -> int:
    services = await open_services(settings)
    try:
        told = await (_add if asked.act == "add" else _list)(services, asked)
    except Problem as problem:
        print(f"kangyun: {' '.join(errors.text(issue, 'en') for issue in problem.issues)}", file=sys.stderr)
        return 1
    finally:
        await services.close()
        await services.database.stop_server()
    print(json.dumps(told, ensure_ascii=False) if asked.json else _lines(told))
    return 0


async def _add(services: Services, asked: argparse.Namespace) -> dict[str, Any]:
    wish = Institution(
        asked.name, asked.kind, asked.code, parent=asked.parent, english=asked.english, address=asked.address, phone=asked.phone,
        sender=asked.sender, identifier=asked.identifier)
    made = await institutions.add(services, services.gate.open(_BY), wish)
    told: dict[str, Any] = {"institution": made.id, "name": made.name, "kind": made.kind}
    if asked.admin:
        token = await accounts.add(services, _BY, asked.admin, Post("institution_admin", made.id))
        told |= {"administrator": asked.admin, "invitation": f"{_address(services.settings)}/invitation/{token}"}
    return told


def _address(settings: Settings) -> str:
    return settings.public_url.rstrip("/") or f"http://{settings.host}:{settings.port}"


async def _list(services: Services, asked: argparse.Namespace) -> dict[str, Any]:
    found = await institutions.named(services.gate.open(_BY), asked.name)
    return {"institutions": [{"institution": one.id, "name": one.name, "kind": one.kind, "parent": one.parent} for one in found]}


def _lines(told: dict[str, Any]) -> str:
    if "institutions" in told:
        return "\n".join(f"{one['institution']:38} {one['kind']:18} {one['name']}" for one in told["institutions"])
    return "\n".join(f"{name}: {value}" for name, value in told.items())
