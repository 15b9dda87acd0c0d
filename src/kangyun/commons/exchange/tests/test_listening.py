from __future__ import annotations

import asyncio
import datetime as dt
import os
import ssl
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.base.waiting import until

from kangyun.base import clock
from kangyun.base.database import Database
from kangyun.base.keys import FileKeys
from kangyun.base.settings import Settings
from kangyun.commons.access import Gate
from kangyun.commons.exchange import queries
from kangyun.commons.exchange.actions import Intake, joining
from kangyun.commons.exchange.actions.intake import key_of
from kangyun.commons.exchange.decisions import registrations
from kangyun.commons.exchange.decisions.batches import messages
from kangyun.commons.exchange.listeners import Folder, following, listening
from kangyun.commons.exchange.queries.senders import sql
from kangyun.commons.records import Store

GOOD = "MSH|^~\\&|HIS|H1|||20260301080000+0800||ADT^A28|{}|P|2.5||||||UNICODE UTF-8\rEVN|A28|20260301\rPID|1||{}||周秀兰||19560304|F\r"


@pytest.fixture
async def services(database: Database, tmp_path: Path) -> SimpleNamespace:
    joining.forget()
    async with database.connection() as connection:
        await connection.execute("TRUNCATE raw_message, resource, span, history, change, commit_once")
    return SimpleNamespace(database=database, gate=Gate(Store(database)), keys=FileKeys(tmp_path / "keys"), settings=Settings())


async def states(database: Database) -> dict[str, int]:
    async with database.connection() as connection:
        return await queries.states(connection)


async def ask(port: int, body: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    try:
        writer.write(b"\x0b" + body + b"\x1c\r")
        async with asyncio.timeout(20):
            return await reader.readuntil(b"\x1c\r")
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


async def test_a_message_over_a_real_connection_becomes_a_record(services: SimpleNamespace):
    services.settings = Settings(mllp_port=free_port())
    async with listening(services) as server:
        assert server is not None
        answer = await ask(server.port, GOOD.format("1", "M1").encode())
        assert b"MSA|AA|1" in answer
    assert await states(services.database) == {"stored": 1}


async def test_hostile_messages_over_a_real_connection_name_their_fault(services: SimpleNamespace):
    services.settings = Settings(mllp_port=free_port(), mllp_max_bytes=12 << 20)
    million = GOOD.format("2", "M1").encode() + b"NTE|1||x\r" * 1_000_000
    async with listening(services) as server:
        assert server is not None
        answer = await ask(server.port, million)
        assert b"MSA|AR|2" in answer
        assert b"ERR||NTE" in answer
        answer = await ask(server.port, GOOD.format("3", "M1").encode() + b"x" * (13 << 20))
        assert b"MSA|AR|3" in answer
        answer = await ask(server.port, GOOD.format("4", "M\0").encode())
        assert b"MSA|AR|4" in answer
        assert b"ERR||PID^1^3" in answer
        answer = await ask(server.port, GOOD.format("5", "M1").encode("utf-16-le"))
        assert b"MSA|AR" in answer
        assert b"MSA|AA|6" in await ask(server.port, GOOD.format("6", "M1").encode())
    assert await states(services.database) == {"quarantined": 4, "stored": 1}


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    form = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    (folder / "cert.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return folder / "cert.pem", folder / "key.pem"


async def test_tls_is_spoken_when_a_certificate_is_set(services: SimpleNamespace, tmp_path: Path):
    cert, key = certificate(tmp_path)
    services.settings = Settings(mllp_port=free_port(), mllp_tls_certificate=str(cert), mllp_tls_key=str(key))
    trusting = ssl.create_default_context(cafile=str(cert))
    trusting.check_hostname = False
    async with listening(services) as server:
        assert server is not None
        assert b"MSA|AA|1" in await ask(server.port, GOOD.format("1", "M1").encode(), trusting)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await ask(server.port, GOOD.format("2", "M1").encode())


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir() if one.is_file())


def put(folder: Path, name: str, body: bytes) -> None:
    (folder / name).write_bytes(body)
    settled = time.time() - 5
    os.utime(folder / name, (settled, settled))


async def test_a_watched_folder_takes_files_and_sorts_them(services: SimpleNamespace, tmp_path: Path):
    folder = Folder(tmp_path, Intake(services.database, services.gate, services.keys))
    put(tmp_path, "good.hl7", GOOD.format("1", "M1").encode())
    put(tmp_path, "bad.hl7", GOOD.format("2", "M2").replace("|F", "|Z").encode())
    put(tmp_path, "lines.ndjson", b'{"resourceType":"Patient","id":"n1"}\n{"resourceType":"Patient","id":"n2"}\n')
    put(tmp_path, "one.json", b'{"resourceType":"Bundle","type":"transaction","entry":[{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient"}}]}')
    put(tmp_path, "broken.json", b"{")
    put(tmp_path, "ignored.txt", b"x")
    (tmp_path / "growing.hl7").write_bytes(b"MSH|")
    assert await folder.look() == 5
    assert names(tmp_path / "processed") == ["good.hl7", "lines.ndjson", "one.json"]
    failed = {one.name: one for one in (tmp_path / "failed").iterdir()}
    assert sorted(failed) == ["bad.hl7", "bad.hl7.reason.txt", "broken.json", "broken.json.reason.txt"]
    assert "PID-8" in failed["bad.hl7.reason.txt"].read_text("utf-8")
    assert names(tmp_path) == ["growing.hl7", "ignored.txt"]
    assert await states(services.database) == {"stored": 3, "quarantined": 2}


async def test_what_a_crash_left_in_work_is_taken_again(services: SimpleNamespace, tmp_path: Path):
    (tmp_path / "working").mkdir()
    put(tmp_path / "working", "left.hl7", GOOD.format("1", "M1").encode())
    assert await Folder(tmp_path, Intake(services.database, services.gate, services.keys)).look() == 1
    assert names(tmp_path / "processed") == ["left.hl7"]


async def test_the_listening_folder_runs_by_itself(services: SimpleNamespace, tmp_path: Path):
    services.settings = Settings(mllp_port=0, folder_in=str(tmp_path))
    put(tmp_path, "good.hl7", GOOD.format("1", "M1").encode())
    async with listening(services) as server:
        assert server is None
        await until((tmp_path / "processed" / "good.hl7").exists, 30)


def test_a_batch_is_cut_into_messages():
    batch = b"FHS|^~\\&|A\rBHS|^~\\&|A\r" + b"".join(GOOD.format(n, "M").encode() for n in range(3)) + b"BTS|3\rFTS|1\r"
    found = messages(batch)
    assert len(found) == 3
    assert all(one.startswith(b"MSH") and b"BTS" not in one for one in found)
    assert messages(b"\x0bMSH|^~\\&|A\x1c\r\x0bMSH|^~\\&|B\x1c\r") == [b"MSH|^~\\&|A\r", b"MSH|^~\\&|B\r"]


async def test_who_follows_knows_what_is_registered_on_the_pages_of_another_process(services: SimpleNamespace) -> None:
    async with following(services):
        assert not registrations.registered("ELSEWHERE").name
        async with services.database.connection() as connection:
            await connection.execute(sql.register, key_of("ELSEWHERE"), "ELSEWHERE", '{"name": "别处的医院"}', clock.now(), "somebody")
        await until(lambda: registrations.registered("ELSEWHERE").name == "别处的医院")
