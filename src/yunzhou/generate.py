"""Writes the messages of the city as files, one for each message, with the truth beside them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import BinaryIO

import msgspec

from yunzhou import sheets
from yunzhou.city import City
from yunzhou.messages import Message

FOLDERS = {"mllp": ("hl7", "hl7"), "fhir": ("fhir", "json"), "cda": ("cda", "xml")}


def generate(city: City, folder: Path) -> dict[str, int]:
    """Write `hl7/*.hl7`, `fhir/*.json`, `cda/*.xml`, `sheets/*`, `messages.ndjson` and `truth.ndjson`; return how many of each transport."""
    for name in ("hl7", "fhir", "cda", "sheets"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    counts = {"mllp": 0, "fhir": 0, "cda": 0, "sheet": 0}
    rows: list[Message] = []
    with (folder / "messages.ndjson").open("wb") as messages, (folder / "truth.ndjson").open("wb") as truth:
        for message in city.messages():
            counts[message.transport] += 1
            if message.transport == "sheet":
                rows.append(message)
            else:
                _write(message, folder, sum(counts.values()))
                _note(message, messages, truth)
        for sheet in sheets.of(rows, "1"):
            (folder / "sheets" / sheet.name).write_bytes(sheet.body)
            for message in sheet.messages:
                _note(message, messages, truth)
    return counts


def _note(message: Message, messages: BinaryIO, truth: BinaryIO) -> None:
    messages.write(msgspec.json.encode(_line(message)) + b"\n")
    truth.writelines(msgspec.json.encode(fact) + b"\n" for fact in [*message.every_fact(), message.fact()])


def _write(message: Message, folder: Path, number: int) -> None:
    """Name the file by its place in the order, so that a watched folder takes them in that order."""
    kind, ending = FOLDERS[message.transport]
    (folder / kind / f"{number:07d}-{message.id}.{ending}").write_bytes(message.body)


def _line(message: Message) -> dict[str, object]:
    """Return the message as a line; HL7 in base64, because not every hospital writes UTF-8."""
    text = message.transport in {"fhir", "sheet"}
    body: object = msgspec.Raw(message.body) if text else base64.b64encode(message.body).decode()
    return {**message.fact(), "body": body}
