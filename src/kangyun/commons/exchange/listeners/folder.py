"""A watched folder: files that are put into it are taken, handled, and moved to processed/ or failed/.

A file is taken by renaming it into working/, so that of two processes one gets it. A file that still grows is left
alone. What a crash leaves in working/ is taken again; messages that were handled already are known by their content.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import structlog

from kangyun.base import errors
from kangyun.commons.exchange.actions import Intake
from kangyun.commons.exchange.decisions import batches
from kangyun.commons.exchange.decisions.cda.peeking import peek
from kangyun.commons.exchange.decisions.tables import naming
from kangyun.commons.exchange.model import Outcome, Reason

log = structlog.get_logger()

KINDS = {".hl7", ".json", ".ndjson", ".xml", *naming.SUFFIXES}
_SETTLED_SECONDS = 1.0


class Folder:
    """One watched folder; `await watch()` runs until it is cancelled."""

    def __init__(self, path: Path, intake: Intake, *, every: float = 1.0, max_bytes: int = 64 << 20) -> None:
        self._path = path
        self._intake = intake
        self._every = every
        self._max_bytes = max_bytes

    async def watch(self) -> None:
        """Look again and again; a fault with one file stops nothing."""
        self._prepare()
        while True:
            try:
                await self.look()
            except OSError as error:
                log.warning("folder.unreadable", error=type(error).__name__)
            await asyncio.sleep(self._every)

    async def look(self) -> int:
        """Handle what lies there now; returns how many files."""
        taken = await asyncio.to_thread(self._collect)
        for path in taken:
            await self._handle(path)
        return len(taken)

    def _prepare(self) -> None:
        for name in ("working", "processed", "failed"):
            (self._path / name).mkdir(parents=True, exist_ok=True)

    def _collect(self) -> list[Path]:
        """What was left in working/, then what is new, each by name, registers before the sheets that tell of their residents."""
        self._prepare()
        left = sorted((self._path / "working").iterdir(), key=_order)
        return [*left, *(taken for path in self._fresh() if (taken := self._take(path)))]

    def _fresh(self) -> Iterator[Path]:
        """What is new and whole; a sheet waits while one of its sender that comes before it still grows."""
        growing: dict[str | None, int] = {}
        for path in sorted(self._path.iterdir(), key=_order):
            sheet = path.suffix.lower() in naming.SUFFIXES and path.is_file()
            sender, turn = naming.sender_in(path.name), _order(path)[0]
            if _ready(path):
                if not sheet or growing.get(sender, turn) >= turn:
                    yield path
            elif sheet:
                growing.setdefault(sender, turn)

    def _take(self, path: Path) -> Path | None:
        target = self._path / "working" / path.name
        try:
            # link and unlink instead of rename: a name that is being worked on must not be overwritten.
            os.link(path, target)
            path.unlink()
        except (FileExistsError, FileNotFoundError):
            return None
        return target

    async def _handle(self, path: Path) -> None:
        body = await asyncio.to_thread(self._read, path)
        if body is None:
            params = {"bytes": f">{self._max_bytes}", "limit": str(self._max_bytes)}
            self._finish(path, [Reason("exchange.too-large", "", params)])
            return
        outcomes = await self._outcomes(path, body)
        if any(outcome.retry for outcome in outcomes):
            return
        reasons = [outcome.reason for outcome in outcomes if outcome.reason]
        lack = batches.shortfall(body) if path.suffix.lower() == ".hl7" else None
        self._finish(path, [*reasons, *([Reason(lack.key, lack.place, lack.params)] if lack else [])])

    def _read(self, path: Path) -> bytes | None:
        return path.read_bytes() if path.stat().st_size <= self._max_bytes else None

    async def _outcomes(self, path: Path, body: bytes) -> list[Outcome]:
        if path.suffix.lower() in naming.SUFFIXES:
            sender = naming.sender_in(path.name) or f"folder:{self._path.name}"
            return [await self._intake.take_file(body, sender, "table", naming.shown(naming.kind_in(path.name)))]
        if path.suffix.lower() == ".xml":
            keeper, shown = peek(body)
            return [await self._intake.take_file(body, keeper, "cda", shown)]
        if path.suffix.lower() != ".hl7":
            return [await self._intake.take_file(body, f"folder:{self._path.name}")]
        return [(await self._intake.take(message)).outcome for message in batches.messages(body)]

    def _finish(self, path: Path, reasons: list[Reason]) -> None:
        target = _free(self._path / ("failed" if reasons else "processed") / path.name)
        path.rename(target)
        if reasons:
            target.with_name(target.name + ".reason.txt").write_text("\n".join(map(_told, reasons)) + "\n", "utf-8")
        log.info("folder.done", state="failed" if reasons else "processed")


def _ready(path: Path) -> bool:
    try:
        state = path.stat()
    except OSError:
        return False
    hidden = path.name.startswith((".", "~"))
    return path.suffix.lower() in KINDS and path.is_file() and not hidden and time.time() - state.st_mtime >= _SETTLED_SECONDS


def _order(path: Path) -> tuple[int, Path]:
    return naming.turn_of(path.name) if path.suffix.lower() in naming.SUFFIXES else 0, path


def _free(path: Path) -> Path:
    number = 1
    found = path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found


def _told(reason: Reason) -> str:
    issue = errors.Issue("processing", reason.key, reason.params)
    place = f"{reason.place}: " if reason.place else ""
    return f"{place}{errors.text(issue, 'zh')} | {errors.text(issue, 'en')}"
