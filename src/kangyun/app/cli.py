"""The command `kangyun`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from kangyun.base import logs
from kangyun.base.settings import Settings, load


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    parser = build_parser()
    asked = parser.parse_args(arguments)
    try:
        settings = _settings(asked)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    logs.set_up(settings.log_format, settings.log_level)
    try:
        return int(asked.run(settings, asked) or 0)
    except (OSError, RuntimeError) as error:
        # A port in use, a folder that may not be written, a database that does not start: for people, not for a debugger.
        print(f"kangyun: {error}", file=sys.stderr)
        return 1


def _settings(asked: argparse.Namespace) -> Settings:
    given: dict[str, Any] = {k: v for k, v in vars(asked).items() if k in Settings.__dataclass_fields__}
    return load(asked.settings, given)


def build_parser() -> argparse.ArgumentParser:
    """The commands and their options; the reference is written from it."""
    parser = argparse.ArgumentParser(prog="kangyun", description="An open regional health cloud.")
    parser.add_argument("--settings", type=Path, help="TOML file of settings")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = _command(commands, "serve", _serve, "run web, worker and listeners together")
    serve.add_argument("--host", help="address to listen on (default 127.0.0.1)")
    serve.add_argument("--port", type=int, help="port of pages and FHIR API (default 8080)")
    serve.add_argument("--mllp-port", type=int, help="port of the HL7 v2 listener, 0 for none (default 2575)")
    serve.add_argument("--folder-in", help="folder watched for .hl7, .json and .ndjson files")
    worker = _command(commands, "worker", _worker, "run background jobs and reactions only")
    del worker
    _command(commands, "migrate", _migrate, "bring the database up to date and end")
    taking = _command(commands, "import", _import, "load NDJSON files of resources, validated and indexed; resumable")
    taking.add_argument("files", nargs="+", type=Path, help="one resource a line")
    taking.add_argument("--processes", type=int, default=os.cpu_count() or 2)
    sheets = _command(commands, "sheets", _sheets, "load a folder of spreadsheets of clinics, row by row checked; resumable")
    sheets.add_argument("folder", type=Path, help="files named <sender>_<kind>_<part>.csv, .tsv, .xlsx or .dbf")
    sheets.add_argument("--processes", type=int, default=os.cpu_count() or 2)
    saving = _command(commands, "backup", _backup, "copy the running database into a folder and verify the copy")
    saving.add_argument("to", type=Path, help="a folder that does not exist yet")
    bringing = _command(commands, "restore", _restore, "put a backup into an empty data folder")
    bringing.add_argument("from_", metavar="from", type=Path, help="a folder made by backup")
    linking = _command(commands, "link", _link, "find residents that are one person among everybody; resumable")
    linking.add_argument("--dry-run", type=Path, metavar="RULES", help="only report what a rule file would change")
    linking.add_argument("--learn", type=Path, metavar="FILE", help="learn weights from the records into a proposed rule file")
    linking.add_argument("--memory", default="5GB", help="most memory of the comparison (default 5GB)")
    keys = _command(commands, "keys", _keys, "list keys, rotate one, or bring in the card's keys of a region")
    keys.add_argument("act", choices=("list", "rotate", "bring"), help="bring reads 32 hexadecimal digits from standard input")
    keys.add_argument("name", nargs="?", default="", help="purpose or name of the key, such as raw-messages or card-root")
    demo = _command(commands, "demo", _demo, "serve with the simulated city sending messages")
    demo.add_argument("--port", type=int)
    demo.add_argument("--mllp-port", type=int)
    demo.add_argument("--residents", type=int, default=300)
    demo.add_argument("--years", type=int, default=2, help="calendar years of history that the city tells (default 2)")
    return parser


def _command(commands: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.add_argument("--data", type=Path, help="data folder (default ./data)")
    parser.set_defaults(run=run)
    return parser


def _run(work: Any) -> int:
    import uvloop  # noqa: PLC0415 - commands that do not serve need no event loop

    uvloop.run(work)
    return 0


def _share_metrics(settings: Settings) -> None:
    from kangyun.app import siblings  # noqa: PLC0415

    if siblings.count(settings) > 1:
        siblings.share_metrics(settings)


def _serve(settings: Settings, _asked: argparse.Namespace) -> int:
    _share_metrics(settings)
    from kangyun.app.serving import serve  # noqa: PLC0415 - `kangyun --help` must not load the platform

    return _run(serve(settings))


def _worker(settings: Settings, _asked: argparse.Namespace) -> int:
    from kangyun.app.serving import work  # noqa: PLC0415

    return _run(work(settings))


def _migrate(settings: Settings, _asked: argparse.Namespace) -> int:
    from kangyun.app.services import open_services  # noqa: PLC0415

    async def migrate() -> None:
        services = await open_services(settings)
        await services.database.close()
        await services.database.stop_server()

    return _run(migrate())


def _import(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app.importing import run_import  # noqa: PLC0415

    return run_import(settings, asked.files, asked.processes)


def _sheets(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app.sheets import run_sheets  # noqa: PLC0415

    return run_sheets(settings, asked.folder, asked.processes)


def _backup(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app.backups import backup  # noqa: PLC0415

    return asyncio.run(backup(settings, asked.to))


def _restore(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app.backups import restore  # noqa: PLC0415

    return restore(settings, asked.from_)


def _link(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app.linking import run_link  # noqa: PLC0415

    return run_link(settings, asked.dry_run, asked.learn, asked.memory)


def _keys(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app.keys import bring_key, list_keys, rotate_key  # noqa: PLC0415

    if asked.act == "list":
        return list_keys(settings)
    return rotate_key(settings, asked.name) if asked.act == "rotate" else bring_key(settings, asked.name)


def _demo(settings: Settings, asked: argparse.Namespace) -> int:
    _share_metrics(settings)
    from kangyun.app.demo import demo  # noqa: PLC0415

    return _run(demo(settings, asked.residents, asked.years))


if __name__ == "__main__":
    sys.exit(main())
