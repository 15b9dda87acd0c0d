"""HL7 v2 over mutual TLS: who speaks for a sender shows the certificate that was registered for it; nobody else is heard."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from kangyun.app.services import Services
from kangyun.base import tls
from kangyun.commons.exchange import queries
from kangyun.commons.exchange.actions import joining, registering
from kangyun.commons.exchange.decisions import registrations
from kangyun.commons.exchange.decisions.registrations import registration
from kangyun.commons.exchange.listeners import MllpServer, listening
from tests.security.certificates import Authority, Identity
from tests.serving import free_port

MESSAGE = "MSH|^~\\&|HIS|{sender}|||20260301080000+0800||ADT^A28|{number}|P|2.5||||||UNICODE UTF-8\rEVN|A28|20260301\rPID|1||M{number}||周秀兰||19560304|F\r"
REFUSED = (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(autouse=True)
async def _empty(services: Services) -> AsyncGenerator[None]:
    joining.forget()
    registering.forget()
    async with services.database.connection() as connection:
        await connection.execute("TRUNCATE raw_message, sender_registration, resource, span, history, change, commit_once")
    yield
    registrations.use({})


@asynccontextmanager
async def mutual(services: Services, authority: Authority) -> AsyncGenerator[MllpServer]:
    """The listener of a platform that trusts the authority's senders."""
    own = authority.give("localhost", file="server")
    settings = replace(
        services.settings, mllp_port=free_port(), mllp_tls_certificate=str(own.certificate), mllp_tls_key=str(own.key),
        mllp_tls_authorities=str(authority.file))
    async with listening(replace(services, settings=settings)) as server:
        assert server
        yield server


def speaking(authority: Authority, identity: Identity | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.file))
    if identity:
        context.load_cert_chain(identity.certificate, identity.key)
    return context


async def say(port: int, context: ssl.SSLContext | None, sender: str, number: int) -> bytes:
    name = "localhost" if context else None
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name)
    try:
        writer.write(b"\x0b" + MESSAGE.format(sender=sender, number=number).encode() + b"\x1c\r")
        async with asyncio.timeout(20):
            return await reader.readuntil(b"\x1c\r")
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def states(services: Services) -> dict[str, int]:
    async with services.database.connection() as connection:
        return await queries.states(connection)


async def register(services: Services, sender: str, *certificates: str) -> None:
    await registering.register(services.database, registration(sender, {"certificates": certificates}), "security_admin")


async def test_a_sender_is_heard_with_its_own_certificate_only(services: Services, authority: Authority) -> None:
    one, other = authority.give("his.one.example"), authority.give("his.other.example")
    colons = ":".join(one.fingerprint[n : n + 2] for n in range(0, 64, 2)).upper()
    await register(services, "H1", colons)
    await register(services, "H2", "CN=his.other.example")
    async with mutual(services, authority) as server:
        assert b"MSA|AA|1" in await say(server.port, speaking(authority, one), "H1", 1)
        assert b"MSA|AA|2" in await say(server.port, speaking(authority, other), "H2", 2)
        for number, (identity, sender) in enumerate([(other, "H1"), (one, "H2"), (one, "H3")], 3):
            answer = await say(server.port, speaking(authority, identity), sender, number)
            assert f"MSA|AR|{number}".encode() in answer
            assert b"exchange.impostor" in answer
    assert await states(services) == {"stored": 2, "quarantined": 3}


async def test_nobody_is_heard_without_a_certificate_that_the_authority_vouches_for(
    services: Services, authority: Authority, tmp_path: Path,
) -> None:
    stranger = Authority(tmp_path, "Another authority").give("his.one.example")
    await register(services, "H1", stranger.fingerprint)
    async with mutual(services, authority) as server:
        for context in (speaking(authority, None), speaking(authority, stranger), None):
            with pytest.raises(REFUSED):
                await say(server.port, context, "H1", 1)
    assert await states(services) == {}


async def test_old_protocols_are_refused(services: Services, authority: Authority) -> None:
    context = speaking(authority, authority.give("his.one.example"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with mutual(services, authority) as server:
        with pytest.raises(REFUSED):
            await say(server.port, context, "H1", 1)


async def test_who_has_a_certificate_is_not_heard_without_it_on_a_plain_line(services: Services, authority: Authority) -> None:
    await register(services, "H1", authority.give("his.one.example").fingerprint)
    settings = replace(services.settings, mllp_port=free_port())
    async with listening(replace(services, settings=settings)) as server:
        assert server
        assert b"MSA|AR|1" in await say(server.port, None, "H1", 1)
        assert b"MSA|AA|2" in await say(server.port, None, "H2", 2)


@pytest.mark.parametrize(("plain", "address"), [(False, "127.0.0.1"), (True, "0.0.0.0")])
async def test_what_is_not_encrypted_stays_on_this_machine_unless_the_operator_says_so(
    services: Services, plain: bool, address: str,
) -> None:
    settings = replace(services.settings, host="0.0.0.0", mllp_port=free_port(), mllp_plain=plain)
    async with listening(replace(services, settings=settings)) as server:
        assert server
        assert server.host == address


async def test_a_new_certificate_is_shown_without_a_restart_and_a_broken_one_is_not(
    authority: Authority, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tls, "_LOOK_SECONDS", 0.02)
    own = authority.give("localhost", file="renewed")
    papers = tls.Papers(str(own.certificate), str(own.key))
    context = papers.context()
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    task = asyncio.create_task(tls.renew(context, papers))
    port = server.sockets[0].getsockname()[1]

    async def shown() -> str:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=speaking(authority, None), server_hostname="localhost")
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return tls.fingerprint(found)

    try:
        assert await shown() == own.fingerprint
        own.key.write_text("torn")
        await asyncio.sleep(0.1)
        assert await shown() == own.fingerprint
        fresh = authority.give("localhost", file="fresh")
        fresh.certificate.replace(own.certificate)
        fresh.key.replace(own.key)
        async with asyncio.timeout(20):
            while await shown() != fresh.fingerprint:
                pass
    finally:
        task.cancel()
        server.close()


def test_files_that_cannot_be_used_are_named(tmp_path: Path, authority: Authority) -> None:
    own = authority.give("localhost", file="named")
    with pytest.raises(ValueError, match="absent"):
        tls.Papers(str(tmp_path / "absent"), str(own.key)).context()
    with pytest.raises(ValueError, match="absent"):
        tls.Papers(str(own.certificate), str(own.key), str(tmp_path / "absent")).context()
    with pytest.raises(ValueError, match=r"named\.crt"):
        tls.Papers(str(own.certificate), str(authority.give("x").key)).context()
