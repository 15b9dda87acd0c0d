"""Writes the messages of the city as files, with the truth beside them."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec

from yunzhou.city import City
from yunzhou.messages import Message


def generate(city: City, folder: Path) -> dict[str, int]:
    """Write `hl7/*.hl7`, `fhir/*.json`, `messages.ndjson` and `truth.ndjson`; return how many of each transport."""
    for name in ("hl7", "fhir"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    counts = {"mllp": 0, "fhir": 0}
    with (folder / "messages.ndjson").open("wb") as messages, (folder / "truth.ndjson").open("wb") as truth:
        for message in city.messages():
            counts[message.transport] += 1
            _write(message, folder, sum(counts.values()))
            messages.write(msgspec.json.encode(_line(message)) + b"\n")
            truth.writelines(msgspec.json.encode(fact) + b"\n" for fact in [*message.facts, message.fact()])
    return counts


def _write(message: Message, folder: Path, number: int) -> None:
    """Name the file by its place in the order, so that a watched folder takes them in that order."""
    kind, ending = ("hl7", "hl7") if message.transport == "mllp" else ("fhir", "json")
    (folder / kind / f"{number:07d}-{message.id}.{ending}").write_bytes(message.body)


def _line(message: Message) -> dict[str, object]:
    """Return the message as a line; HL7 in base64, because not every hospital writes UTF-8."""
    body: object = msgspec.Raw(message.body) if message.transport == "fhir" else base64.b64encode(message.body).decode()
    return {**message.fact(), "body": body}
