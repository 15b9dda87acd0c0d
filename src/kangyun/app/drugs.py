"""`kangyun drugs`: load a region's own list of drugs, publish the catalogue as FHIR resources, look a drug up."""

from __future__ import annotations

import argparse
import asyncio
import sys

from kangyun.app.services import Services, open_services
from kangyun.base import errors
from kangyun.base.errors import Problem
from kangyun.base.settings import Settings
from kangyun.commons.access import Actor
from kangyun.support import drugs

_BY = Actor("operator", "operator", purpose="operations")


def run_drugs(settings: Settings, asked: argparse.Namespace) -> int:
    """Do what was asked beside a running server, or before there ever was one; returns 1 with a reason for a refusal."""
    return asyncio.run(_run(settings, asked))


async def _run(settings: Settings, asked: argparse.Namespace) -> int:
    services = await open_services(settings)
    try:
        print(await _do(services, asked))
    except (Problem, OSError) as problem:
        words = [errors.text(issue, "en") for issue in problem.issues] if isinstance(problem, Problem) else [str(problem)]
        print(f"kangyun: {' '.join(words)}", file=sys.stderr)
        return 1
    finally:
        await services.close()
        await services.database.stop_server()
    return 0


async def _do(services: Services, asked: argparse.Namespace) -> str:
    if asked.act == "load":
        handle = services.gate.open(_BY)
        taken = await drugs.load_list(handle, asked.file.read_bytes(), asked.file.name)
        await handle.settle()
        return f"{taken} drugs loaded"
    own = services.gate.system("drugs")
    if asked.act == "publish":
        return f"{await drugs.publish(own)} resources written"
    known = (await drugs.catalogue(own)).drugs.values()
    return "\n".join(f"{one.code}\t{one.zh}\t{one.en}\t{one.spec}" for one in drugs.look_up(known, asked.text))
