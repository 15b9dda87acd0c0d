"""`make demo`: the platform with the simulated city Yunzhou sending to it over real connections."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from kangyun.app.demo import hospital, logins, outside, people, schedules, stage, stock, today
from kangyun.app.demo.outside import Around, free
from kangyun.app.demo.residents import Known
from kangyun.app.demo.staff import FILE, Kept
from kangyun.app.services import Services
from kangyun.app.serving import serve
from kangyun.base import logs
from kangyun.base.settings import Settings
from kangyun.care.internet_hospital.gateways import coturn

_WELCOME = """
  康云 Kangyun is running: {url}

    Log in as            user name                 password
{logins}
{residents_who}

    Codes of telephones and of authenticator apps: {phones}
    Payers' phones: {bank}    The insurer's books: {insurer}
    These accounts are made up for this demonstration; they are kept in {kept}.

    FHIR R4 API        {url}/fhir/metadata     (system client: kangyun client add NAME --scope "system/*.cruds")
    The clinic today   {url}/appointments/desk      (clerk, nurse, doctor: two residents wait, two are expected; operations: the call screen)
    HL7 v2 over MLLP   {host}:{mllp}
    Spreadsheets       {inbox}           (watched folder)
    Health             {url}/health/ready
    Log                {log}

  The simulated city is sending the history of {residents} residents now, then goes on living. Ctrl-C ends everything.
"""

_CITY_DOCTORS = 3


async def demo(settings: Settings, residents: int, years: int) -> None:
    """Serve on free ports with simulated telephones, and let the city send until we are stopped."""
    inbox = _inbox(settings)
    with calm(settings) as log, outside.running(settings, usual_ports=True) as around, coturn.running() as relay:
        turn = {"turn_url": relay.url, "turn_key_file": str(relay.key_file)} if relay else {}
        settings = replace(
            settings, port=free(settings.host, settings.port), mllp_port=free(settings.host, settings.mllp_port), folder_in=str(inbox), **around.settings, **turn)

        async def announce(services: Services) -> None:
            await _until_open(settings.host, settings.port)
            made = await logins.prepare(services)
            kept = Kept.of(settings.data)
            opened = await hospital.settle(services, kept, made.places["hospital_doctor"], more=_CITY_DOCTORS)
            await schedules.settle(services, kept, made.places["hospital_doctor"], opened)
            await stock.fill(services, [made.places["retail_pharmacist"], made.places["pharmacist"]])
            known = await people.settle(services, made)
            await today.settle(services, made.places["hospital_doctor"], opened.doctors[0].practitioner, known)
            staged = await stage.write(services, kept, made, opened, around)
            around.phones.authenticators.update(kept.authenticators)
            _welcome(settings, made, known, around, residents=residents, log=log)
            await asyncio.gather(_city(settings, made, residents, years), _run("care", "--stage", str(staged)))

        await serve(settings, announce)


@contextmanager
def calm(settings: Settings) -> Generator[str]:
    """On a terminal the log lines of all processes go to a file, whose path this gives: they would push away whom to log in as."""
    if not sys.stderr.isatty():
        yield "standard error"
        return
    path = settings.data / "demo.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    terminal = os.dup(2)
    with path.open("ab") as file:
        os.dup2(file.fileno(), 2)
    logs.set_up(settings.log_format, settings.log_level)
    try:
        yield str(path)
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def _welcome(settings: Settings, made: logins.Prepared, known: list[Known], around: Around, *, residents: int, log: str) -> None:
    url = f"http://{settings.host}:{settings.port}"
    lines = "\n".join(f"    {one.role:20} {one.name:25} {one.password}" for one in made.logins)
    named = "\n".join(f"    {one.who.role:20} telephone {one.who.phone}     {one.who.name}" for one in known)
    print(_WELCOME.format(
        url=url, logins=lines, residents_who=named, phones=around.phones_url, bank=around.bank_url, insurer=around.settings["insurer_url"], kept=settings.data / FILE, host=settings.host,
        mllp=settings.mllp_port, inbox=settings.folder_in, residents=residents, log=log), flush=True)


def _inbox(settings: Settings) -> Path:
    """The watched folder, made where it is absent."""
    folder = Path(settings.folder_in or settings.data / "inbox")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def _until_open(host: str, port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


async def _city(settings: Settings, made: logins.Prepared, residents: int, years: int) -> None:
    url = f"http://{settings.host}:{settings.port}"
    await _run(
        "send", "--mllp", f"{settings.host}:{settings.mllp_port}", "--client", made.client, "--fhir", f"{url}/fhir", "--folder", settings.folder_in,
        "--residents", str(residents), "--years", str(years), "--live", YUNZHOU_CLIENT_SECRET=made.secret)


async def _run(*arguments: str, **environment: str) -> None:
    """Let the city do something in a process of its own, until we are stopped."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "yunzhou.cli", *arguments, env=os.environ | environment)
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
