"""The command `yunzhou`: region, send, generate, senders, score, care."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from yunzhou import care, faults, region, senders
from yunzhou.access import Access, endpoint
from yunzhou.city import City, midnight, window
from yunzhou.generate import generate
from yunzhou.plans import CHINA
from yunzhou.run import Options, Run
from yunzhou.score import Reader, read_truth, score
from yunzhou.send import Target

SECRET = "YUNZHOU_CLIENT_SECRET"  # noqa: S105 - the name of a variable of the environment


class Arguments(argparse.Namespace):
    """What the command line says."""

    command: str
    residents: int
    seed: int
    years: int
    until: datetime
    faults: float
    demand: float
    mllp: tuple[str, int]
    fhir: str
    token: str
    client: str
    rate: float
    connections: int
    truth: Path | None
    folder: Path | None
    villages: int
    processes: int
    duplicated: float
    registrations: Path | None
    live: bool
    history: bool
    out: Path
    stage: Path


def main(argv: list[str] | None = None) -> int:
    """Run the command; return 0, or 1 if something was lost, doubled or refused without need."""
    given = sys.argv[1:] if argv is None else argv
    # `yunzhou --population N` is what the region is asked for with; the subcommand may be left out.
    given = ["region", *given] if given and given[0].startswith("--") and given[0] not in {"--help", "--version"} else given
    arguments = _parser().parse_args(given, namespace=Arguments())
    if arguments.command == "care":
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_care(arguments.stage))
        return 0
    since = window(arguments.years, arguments.until, arguments.faults)
    city = City(arguments.seed, arguments.residents, replace(since, demand=arguments.demand), arguments.villages)
    if arguments.command == "region":
        return _region(city, arguments)
    if arguments.command == "senders":
        print(senders.write(city, arguments.out))
        return 0
    if arguments.command == "generate":
        print(json.dumps(generate(city, arguments.out), ensure_ascii=False))
        return 0
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(_send(city, arguments) if arguments.command == "send" else _score(arguments))
    return 130


def _region(city: City, arguments: Arguments) -> int:
    """Write a region, or only its registrations."""
    if arguments.registrations:
        counts = region.register(city, arguments.registrations, arguments.duplicated, arguments.processes, _progress)
    else:
        counts = region.write(city, arguments.out, arguments.processes, _progress)
    print("\n" + json.dumps(counts), flush=True)
    return 0


def _progress(settlements: int, people: int, seconds: float) -> None:
    end = "\r" if sys.stderr.isatty() else "\n"
    if sys.stderr.isatty() or settlements % 50 == 0:
        print(f"{settlements:,} settlements, {people:,} people, {people / max(seconds, 0.001):,.0f} people/s  ", end=end, file=sys.stderr)


async def _send(city: City, arguments: Arguments) -> int:
    host, port = arguments.mllp
    target = Target(host, port, arguments.fhir, arguments.token, arguments.folder, arguments.connections, arguments.rate, _access(arguments))
    options = Options(history=arguments.history, live=arguments.live, truth=arguments.truth)
    run = Run(city, target, options)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, run.stop)
    return await run.run()


async def _care(stage: Path) -> None:
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await care.play(care.read(stage), stopped)


def _access(arguments: Arguments) -> Access | None:
    """The client that sends; its secret comes from the environment, since command lines are seen by everybody on a machine."""
    return Access(endpoint(arguments.fhir), arguments.client, os.environ.get(SECRET, "")) if arguments.client else None


async def _score(arguments: Arguments) -> int:
    if not arguments.truth:
        print("yunzhou score needs --truth FILE", file=sys.stderr)
        return 2
    access = _access(arguments)
    token = await access.token() if access else arguments.token
    result = await score(read_truth(arguments.truth), Reader(arguments.fhir, token))
    print(result.table())
    return 0 if result.perfect else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="yunzhou", description="The simulated city of Yunzhou 云州 / 模拟城市云州")
    commands = parser.add_subparsers(dest="command", required=True, metavar="region|send|generate|senders|score|care")
    _whole_region(commands.add_parser("region", help="write a whole region as files / 生成整个区域"))
    send = commands.add_parser("send", help="send the messages of the city over MLLP and FHIR / 发送消息")
    known = commands.add_parser("senders", help="write the rule files of the institutions / 生成发送方规则文件")
    known.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    files = commands.add_parser("generate", help="write the messages and the truth as files / 生成文件")
    read = commands.add_parser("score", help="read back over FHIR and compare with the truth / 对照真值评分")
    living = commands.add_parser("care", help="play the internet hospital of a demonstration / 让互联网医院运转")
    living.add_argument("--stage", type=Path, required=True, metavar="FILE", help="stage file that the demonstration has written")
    for command in (send, known, files, read):
        _city(command)
    files.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    send.add_argument(
        "--mllp", type=_address, default=("127.0.0.1", 2575), metavar="HOST:PORT", help="where HL7 v2 is received"
    )
    send.add_argument("--folder", type=Path, metavar="DIR",
                      help="folder that the platform watches for spreadsheets (default: they are posted to /exchange/tables)")  # fmt: skip
    send.add_argument("--rate", type=float, default=0.0, help="messages a second at most; 0: as fast as they are taken")
    send.add_argument("--connections", type=int, default=1, help="connections of each hospital (default 1)")
    send.add_argument("--live", action="store_true", help="go on with the visits of today until stopped")
    send.add_argument("--no-history", dest="history", action="store_false", help="begin with today")
    for command in (send, read):
        command.add_argument("--fhir", default="http://127.0.0.1:8000/fhir", metavar="URL", help="base of the FHIR API")
        command.add_argument("--token", default="", help="bearer token for the FHIR API")
        command.add_argument("--client", default="", metavar="ID", help=f"client of the platform; its secret is in {SECRET}")
        command.add_argument("--truth", type=Path, metavar="FILE", help="truth file (NDJSON)")
    return parser


def _whole_region(command: argparse.ArgumentParser) -> None:
    _city(command, "--population", "--residents")
    command.set_defaults(years=1, until=_last_new_year(), demand=faults.habits().demand)
    command.add_argument("--out", type=Path, default=Path("yunzhou-region"), metavar="DIR", help="folder to write to")
    command.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="processes (default: all cores)")
    command.add_argument("--registrations", type=Path, metavar="FILE",
                         help="write only source Patients for matching, and who they are to FILE.truth.ndjson")  # fmt: skip
    command.add_argument("--duplicated", type=float, default=0.18, help="share of registrations beyond a person's first")


def _last_new_year() -> datetime:
    """Return the beginning of this year, so that the years of a region are whole."""
    return datetime(datetime.now(CHINA).year, 1, 1, tzinfo=CHINA)


def _city(command: argparse.ArgumentParser, *names: str) -> None:
    command.add_argument(*(names or ("--residents", "--population")), dest="residents", type=int, default=300, metavar="N", help="residents (default 300)")
    command.add_argument("--seed", type=int, default=1, help="the same seed gives the same city (default 1)")
    command.add_argument("--years", type=int, default=3, help="calendar years of history (default 3)")
    command.add_argument("--until", type=_day, default=midnight(datetime.now(CHINA)), metavar="YYYY-MM-DD",
                         help="end of the history (default: today)")  # fmt: skip
    command.add_argument("--villages", type=int, default=0, help="village clinics (default: by the number of people)")
    command.add_argument("--demand", type=float, default=1.0, help="share of the visits that reach the systems")
    command.add_argument("--faults", type=float, default=1.0, help="factor on the share of wrong messages; 0: none")


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host or "127.0.0.1", int(port)


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=CHINA)


if __name__ == "__main__":
    sys.exit(main())
