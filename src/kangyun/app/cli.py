"""The command `kangyun`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from kangyun.app.client_options import client_options
from kangyun.app.drugs_options import drugs_options
from kangyun.app.institution_options import institution_options
from kangyun.app.user_options import directory_options, user_options
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
    saving = _command(commands, "backup", _backup, "copy the running database, sealed, into a folder and verify the copy")
    saving.add_argument("to", type=Path, help="a folder that does not exist yet")
    saving.add_argument("--passphrase-file", type=Path, help="file with a passphrase that opens the backup too, and the keys that then lie in it")
    bringing = _command(commands, "restore", _restore, "put a backup into an empty data folder")
    bringing.add_argument("from_", metavar="from", type=Path, help="a folder made by backup")
    bringing.add_argument("--passphrase-file", type=Path, help="file with the passphrase of the backup, where the keys are lost")
    linking = _command(commands, "link", _link, "find residents that are one person among everybody; resumable")
    linking.add_argument("--dry-run", type=Path, metavar="RULES", help="only report what a rule file would change")
    linking.add_argument("--learn", type=Path, metavar="FILE", help="learn weights from the records into a proposed rule file")
    linking.add_argument("--memory", default="5GB", help="most memory of the comparison (default 5GB)")
    linking.add_argument("--processes", type=int, default=os.cpu_count() or 2)
    keys = _command(commands, "keys", _keys, "list keys, rotate one, seal anew, or bring in the card's keys of a region")
    keys.add_argument("act", choices=("list", "rotate", "reseal", "retire", "bring"),
                      help="reseal seals old data with the newest key, retire then removes the old ones, bring reads 32 hexadecimal digits from standard input")
    keys.add_argument("name", nargs="?", default="", help="purpose or name of the key, such as raw-messages or card-root")
    _command(commands, "verify-audit", _verify_audit, "examine the whole audit trail and name whatever was changed")
    _command(commands, "check-journeys", _check_journeys, "examine whether money, insurance and medicine of the internet hospital agree")
    client = _command(commands, "client", _client, "register apps and services that may ask for access tokens")
    client_options(client)
    institution_options(_command(commands, "institution", _institution, "let institutions move in, with their first administrator"))
    drugs_options(_command(commands, "drugs", _drugs, "the catalogue of drugs: load a region's own list, publish, find"))
    user_options(_command(commands, "user", _user, "staff who log in: add, roles, lock, reset"))
    directory_options(_command(commands, "directory", _directory, "hospitals' own directories that staff may log in at"))
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
        await services.close()
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

    return asyncio.run(backup(settings, asked.to, asked.passphrase_file))


def _restore(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app.backups import restore  # noqa: PLC0415

    return restore(settings, asked.from_, asked.passphrase_file)


def _link(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app.linking import run_link  # noqa: PLC0415

    return run_link(settings, asked.dry_run, asked.learn, asked.memory, asked.processes)


def _keys(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app import keys  # noqa: PLC0415

    if asked.act == "list":
        return keys.list_keys(settings)
    acts = {"rotate": keys.rotate_key, "reseal": keys.reseal_keys, "retire": keys.retire_key, "bring": keys.bring_key}
    return acts[asked.act](settings, asked.name)


def _verify_audit(settings: Settings, _asked: argparse.Namespace) -> int:
    from kangyun.app.auditing import verify_audit  # noqa: PLC0415

    return asyncio.run(verify_audit(settings))


def _check_journeys(settings: Settings, _asked: argparse.Namespace) -> int:
    from kangyun.app import journeys  # noqa: PLC0415

    return journeys.run(settings)


def _client(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app.clients import run_client  # noqa: PLC0415

    return run_client(settings, asked)


def _institution(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app.institutions import run_institution  # noqa: PLC0415

    return run_institution(settings, asked)


def _drugs(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app.drugs import run_drugs  # noqa: PLC0415

    return run_drugs(settings, asked)


def _user(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app.users import run_user  # noqa: PLC0415

    return run_user(settings, asked)


def _directory(settings: Settings, asked: argparse.Namespace) -> int:
    from kangyun.app.users import run_directory  # noqa: PLC0415

    return run_directory(settings, asked)


def _demo(settings: Settings, asked: argparse.Namespace) -> int:
    _share_metrics(settings)
    from kangyun.app.demo import demo  # noqa: PLC0415

    return _run(demo(settings, asked.residents, asked.years))


if __name__ == "__main__":
    sys.exit(main())
