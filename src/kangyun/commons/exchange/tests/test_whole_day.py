"""Every type and event that hospitals send in a day, over a real MLLP connection: what each says is found in the record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from kangyun.app.services import Services
from kangyun.base.settings import Settings
from kangyun.commons.access import Handle
from kangyun.commons.exchange.actions import joining, order
from kangyun.commons.exchange.decisions.message import parse
from kangyun.commons.exchange.decisions.translate import supported
from kangyun.commons.exchange.listeners import listening
from kangyun.commons.exchange.tests.test_listening import free_port

CASES: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "whole_day.yaml").read_text())["cases"]
MSH = "MSH|^~\\&|HIS|WD{case}|KANGYUN|YUNZHOU|20260301080000+0800||{kind}|{control}|P|{version}||||||UNICODE UTF-8"
# Not sent once more here: they share their rule, structure and meaning with one that is.
ALIKE = {
    "ADT^A30", "ADT^A36", "ADT^A39", "ADT^A41", "ADT^A42", "ADT^A43", "ADT^A46", "ADT^A48", "ADT^A49", "ADT^A51", "ADT^A52",
    "ADT^A53", "ADT^A55", "ADT^A61", "ADT^A62", "OML^O35", "OMI^O23", "OMP^O09", "ORU^R32", "MDM^T01", "MDM^T04", "MDM^T05",
    "MDM^T07", "MDM^T08", "MDM^T09", "MFN^M09", "MFN^M10", "MFN^M11", "PPR^PC3", "RDE^O25", "RDS^O01", "REF^I14", "REF^I15",
    "SIU^S16", "SIU^S18", "SIU^S19", "SIU^S20", "SIU^S21", "SIU^S22", "SIU^S24",
}  # fmt: skip


@asynccontextmanager
async def hospital(services: Services) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    joining.forget()
    order.forget()
    async with services.database.connection() as connection:
        await connection.execute("TRUNCATE raw_message, message_note, resource, span, history, change, commit_once, identity, candidate")
    own = SimpleNamespace(database=services.database, gate=services.gate, keys=services.keys, settings=Settings(mllp_port=free_port()))
    async with listening(own) as server:
        assert server is not None
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        try:
            yield reader, writer
        finally:
            writer.close()


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, message: str) -> str:
    writer.write(b"\x0b" + message.encode() + b"\x1c\r")
    async with asyncio.timeout(30):
        return (await reader.readuntil(b"\x1c\r"))[1:-2].decode()


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case["name"] for case in CASES])
async def test_what_a_message_says_is_found_in_the_record(services: Services, number: int):
    case = CASES[number]
    async with hospital(services) as (reader, writer):
        for control, (kind, *segments) in enumerate(case["messages"]):
            header = MSH.format(case=number, kind=kind, control=control + 1, version=case["version"])
            answer = await ask(reader, writer, "\r".join([header, *segments]))
            msa = parse(answer).first("MSA")
            assert msa is not None
            assert msa.text(1) == "AA", answer
    handle = services.gate.system("test")
    for type_, paths in case["expect"].items():
        await found(handle, type_, paths)


async def found(handle: Handle, type_: str, paths: dict[str, Any]) -> None:
    """Fails unless a resource has all that is expected; tells what there is instead."""
    resources = (await handle.search(type_.partition("#")[0], [("_count", "100")])).resources
    told = [{path: at(one, path) for path in paths} for one in resources]
    assert any(all(fits(one[path], wanted) for path, wanted in paths.items()) for one in told), (type_, paths, told)


def at(node: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(node, list):
            node = node[int(step)] if int(step) < len(node) else None
        else:
            node = node.get(step) if isinstance(node, dict) else None
    return node


def fits(told: Any, wanted: Any) -> bool:
    if isinstance(wanted, str) and wanted.startswith("*"):
        return told is not None and (str(told).startswith(wanted[1:]) or (isinstance(told, list) and wanted[1:] in str(told)))
    return told == wanted or (isinstance(wanted, str) and str(told) == wanted)


def test_each_event_that_is_supported_is_sent_once():
    sent = {"^".join(kind.split("^")[:2]) for case in CASES for kind, *_ in case["messages"]}
    assert set(supported()) == sent | ALIKE
    assert not sent & ALIKE
