"""Writes a whole region as files, settlement by settlement, in several processes and little memory.

Every settlement is drawn on its own, and what its people bring about in any institution goes into files of its own. So the bytes do not depend on the
number of processes, and no process holds more than one settlement.
"""

from __future__ import annotations

import gc
import io
import json
import multiprocessing
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from yunzhou import institutions, registrations, sheets
from yunzhou.city import City
from yunzhou.messages import Fact, Message

# Files of the same messages shall be the same bytes, whenever they are written.
_WHEN = (2026, 1, 1, 0, 0, 0)
Told = Callable[[int, int, float], None]


@dataclass(frozen=True, slots=True)
class Job:
    """What a process has to know: the city, which settlement, the folder, and the wanted share of duplicates."""

    city: City
    index: int
    folder: Path = Path()
    duplicated: float = 0.0


def write(city: City, folder: Path, processes: int, told: Told) -> dict[str, int]:
    """Write the region; `told` hears settlements done, people done and seconds. Returns counts of people and of each transport.

    `hl7/<institution>/<settlement>.hl7` has messages one after the other, `fhir/.../*.ndjson` a bundle a line, `cda/.../*.zip` a document an entry,
    `sheets/` the spreadsheets, `truth/<settlement>.ndjson` the facts.
    """
    for name in ("hl7", "fhir", "cda", "sheets", "truth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    jobs = [Job(city, index, folder) for index in range(len(city.region.settlements))]
    counts: Counter[str] = Counter()
    began = time.monotonic()
    for number, found in enumerate(_in_processes(write_settlement, jobs, processes), 1):
        counts.update(found)
        told(number, counts["people"], time.monotonic() - began)
    _write_directory(city, folder)
    return dict(counts)


def _in_processes(work: Callable[[Job], Counter[str]], jobs: list[Job], processes: int) -> Iterator[Counter[str]]:
    if processes == 1:
        yield from map(work, jobs)
        return
    # Hardly anything here refers to itself, so that reference counts free it; looking for cycles costs a tenth of the time.
    with multiprocessing.get_context("fork").Pool(processes, gc.disable) as pool:
        yield from pool.imap_unordered(work, jobs)


def write_settlement(job: Job) -> Counter[str]:
    """Write the files of one settlement and return what was counted."""
    settlement = job.city.region.settlements[job.index]
    messages = job.city.settlement(settlement)
    part = settlement.code
    for (key, transport), found in _by_institution(messages).items():
        mnemonic = institutions.institution(key).mnemonic
        WRITERS[transport](job.folder / FOLDERS[transport] / mnemonic, part, found)
    rows = _write_sheets(job.folder / "sheets", messages, part)
    others = [message for message in messages if message.transport != "sheet"]
    _write_truth(job.folder / "truth" / f"{part}.ndjson", [*others, *rows])
    counts = Counter(message.transport for message in messages)
    counts["people"] = settlement.people
    return counts


def _by_institution(messages: Iterable[Message]) -> dict[tuple[int, str], list[Message]]:
    found: dict[tuple[int, str], list[Message]] = {}
    for message in messages:
        if message.transport != "sheet":
            found.setdefault((message.institution, message.transport), []).append(message)
    return found


def _write_hl7(folder: Path, part: str, messages: list[Message]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{part}.hl7").write_bytes(b"".join([message.body for message in messages]))


def _write_fhir(folder: Path, part: str, messages: list[Message]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{part}.ndjson").write_bytes(b"".join([message.body + b"\n" for message in messages]))


def _write_documents(folder: Path, part: str, messages: list[Message]) -> None:
    folder.mkdir(exist_ok=True)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as pack:
        for message in messages:
            entry = zipfile.ZipInfo(f"{message.id}.xml", _WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            pack.writestr(entry, message.body)
    (folder / f"{part}.zip").write_bytes(out.getvalue())


FOLDERS = {"mllp": "hl7", "fhir": "fhir", "cda": "cda"}
WRITERS: dict[str, Callable[[Path, str, list[Message]], None]] = {
    "mllp": _write_hl7,
    "fhir": _write_fhir,
    "cda": _write_documents,
}


def _write_sheets(folder: Path, messages: list[Message], part: str) -> list[Message]:
    """Write the spreadsheets; return their messages, among which some rows cannot be taken."""
    told: list[Message] = []
    for sheet in sheets.of(messages, part):
        (folder / sheet.name).write_bytes(sheet.body)
        told += sheet.messages
    return told


def _write_truth(path: Path, messages: list[Message]) -> None:
    """Write who is who and what happened; of a resident the last word only, of a message only if it must be refused."""
    residents: dict[object, Fact] = {}
    with path.open("wb") as out:
        for message in messages:
            for fact in message.facts:
                if fact["fact"] == "resident":
                    residents[fact["id"]] = _joined(residents.get(fact["id"]), fact)
                elif fact["fact"] != "result":
                    out.write(msgspec.json.encode({**fact, "institution": message.institution}) + b"\n")
            if message.expected != "stored":
                out.write(msgspec.json.encode(message.fact()) + b"\n")
        out.writelines(msgspec.json.encode(fact) + b"\n" for fact in residents.values())


def _joined(before: Fact | None, fact: Fact) -> Fact:
    """Return the later fact of a resident with the record numbers of both."""
    if before is None:
        return fact
    both = {name: list(dict.fromkeys([*_pairs(before, name), *_pairs(fact, name)])) for name in ("identifiers", "records")}
    return {**fact, **both}


def _pairs(fact: Fact, name: str) -> list[tuple[str, str]]:
    return msgspec.convert(fact[name], list[tuple[str, str]])


def _write_directory(city: City, folder: Path) -> None:
    """Write which institutions there are, what they speak and from which file name on their messages come."""
    with (folder / "institutions.ndjson").open("w", encoding="utf-8") as out:
        for key in institutions.keys(city.region):
            house = institutions.institution(key)
            out.write(json.dumps({
                "key": house.mnemonic, "name": house.name, "level": house.level, "speaks": house.speaks,
                "version": house.version, "charset": house.encoding, "root": house.oid, "county": house.county,
            }, ensure_ascii=False) + "\n")  # fmt: skip


def register(city: City, path: Path, duplicated: float, processes: int, told: Told) -> dict[str, int]:
    """Write registrations to `path` and who they are to `<path>.truth.ndjson`; returns counts of people and records."""
    counts = {"people": 0, "records": 0}
    began = time.monotonic()
    jobs = [Job(city, index, duplicated=duplicated) for index in range(len(city.region.settlements))]
    aside = path.with_name(f"{path.name}.truth.ndjson")
    with path.open("wb") as records, aside.open("wb") as truth, multiprocessing.get_context("fork").Pool(processes) as pool:
        for number, lines in enumerate(pool.imap(_registered, jobs, chunksize=2), 1):
            records.write(lines.records)
            truth.write(lines.truth)
            counts["people"] += lines.people
            counts["records"] += lines.number
            told(number, counts["people"], time.monotonic() - began)
    return counts


def _registered(job: Job) -> registrations.Lines:
    city = job.city
    return registrations.of_settlement(city.seed, city.region, city.region.settlements[job.index], job.duplicated)
