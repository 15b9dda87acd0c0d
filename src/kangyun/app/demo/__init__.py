"""`make demo`: the platform with the simulated city Yunzhou sending to it over real connections."""

from __future__ import annotations

import asyncio
import socket
import sys
from dataclasses import replace
from pathlib import Path

from kangyun.app.services import Services
from kangyun.app.serving import serve
from kangyun.base.settings import Settings

_WELCOME = """
  康云 Kangyun is running.

    Doctor's page      {url}/clinician/          find a resident: 王, wang, wxm, a phone or ID number
    Messages, live     {url}/exchange/messages
    FHIR R4 API        {url}/fhir/metadata
    HL7 v2 over MLLP   {host}:{mllp}
    CDA documents      {url}/exchange/cda           (posted)
    Spreadsheets       {inbox}           (watched folder)
    Health             {url}/health/ready

  No login is needed on this machine; callers from elsewhere are refused.
  The simulated city is sending the history of {residents} residents now, then goes on living. Ctrl-C ends everything.
"""


async def demo(settings: Settings, residents: int, years: int) -> None:
    """Serve on free ports and let the city send until we are stopped."""
    inbox = _inbox(settings)
    settings = replace(settings, port=_free(settings.host, settings.port),
                       mllp_port=_free(settings.host, settings.mllp_port), folder_in=str(inbox))

    async def announce(services: Services) -> None:
        await _until_open(settings.host, settings.port)
        await _city(services, residents, years)

    await serve(settings, announce)


def _inbox(settings: Settings) -> Path:
    """The watched folder, made where it is absent."""
    folder = Path(settings.folder_in or settings.data / "inbox")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _free(host: str, port: int) -> int:
    """The wanted port, or the next one that nobody uses."""
    for candidate in range(port, port + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError:
                continue
            return candidate
    raise OSError(f"no free port from {port} on")


async def _until_open(host: str, port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


async def _city(services: Services, residents: int, years: int) -> None:
    settings = services.settings
    url = f"http://{settings.host}:{settings.port}"
    print(_WELCOME.format(url=url, host=settings.host, mllp=settings.mllp_port,
                          inbox=settings.folder_in, residents=residents), flush=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "yunzhou.cli", "send", "--mllp", f"{settings.host}:{settings.mllp_port}",
        "--fhir", f"{url}/fhir", "--folder", settings.folder_in, "--residents", str(residents), "--years", str(years), "--live",
    )
    try:
        await process.wait()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
