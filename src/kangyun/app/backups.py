"""`kangyun backup` and `kangyun restore`: a full online copy by PostgreSQL's own tools, sealed on its way, verified file by file.

Nothing of the database touches the disk of the backup in clear. The key of a backup is new for each; it stands in the note
under the installation's key `backup` and, where a passphrase was given, under that. With a passphrase the files of the
keys are in the backup, too, under the passphrase alone: then it is all that a recovery needs.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shutil
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import asyncpg

from kangyun.app.envelope import opened_stream, passphrase_key, seal_stream
from kangyun.base import clock
from kangyun.base.database.embedded import EmbeddedServer, give, let_through
from kangyun.base.keys import Unopenable, open_keys
from kangyun.base.keys.sealing import opened, seal
from kangyun.base.settings import Settings

PURPOSE = "backup"
_NOTE, _DATABASE, _KEYS = "kangyun-backup.json", "database.sealed", "keys.sealed"
_SHORTEST_PASSPHRASE = 16
_NO_ID = bytes(4)


async def backup(settings: Settings, to: Path, passphrase_file: Path | None = None) -> int:
    """Copy the database while it works; returns 1 with a reason when that is not possible."""
    if settings.database_url:
        return _refused("This installation uses its own PostgreSQL; back it up with pg_basebackup or pgBackRest.")
    if to.exists():  # noqa: ASYNC240 - a command line, nothing else waits
        return _refused(f"{to} exists already; name a new folder.")
    try:
        passphrase = _passphrase(passphrase_file)
    except ValueError as error:
        return _refused(str(error))
    server = EmbeddedServer(settings.data / "postgres", settings.database_shared_buffers)
    was_running = server.running()
    await asyncio.to_thread(server.ensure_running)
    connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(server.dsn("postgres"))
    try:
        # The log that the copy will need at its end stays, however long it takes; the slot goes with this connection.
        await connection.execute("SELECT pg_create_physical_replication_slot($1, true, true)", f"kangyun_backup_{os.getpid()}")
        await asyncio.to_thread(_copy, settings, server, to, passphrase)
    finally:
        await connection.close()
        if not was_running:
            await asyncio.to_thread(server.stop)
    print(f"backed up, sealed and verified: {to}")
    return 0


def _refused(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1


def _passphrase(file: Path | None) -> str:
    """The first line of a file; raises ValueError for one that could be guessed."""
    text = file.read_text("utf-8").split("\n", 1)[0].strip() if file else ""
    if file and len(text) < _SHORTEST_PASSPHRASE:
        raise ValueError(f"a passphrase has at least {_SHORTEST_PASSPHRASE} characters")
    return text


def _copy(settings: Settings, server: EmbeddedServer, to: Path, passphrase: str) -> None:
    to.mkdir(parents=True)
    key = os.urandom(32)
    try:
        with (to / _DATABASE).open("wb") as target, server.tool_output(
            "pg_basebackup", "-h", str(server.socket), "-U", "postgres", "-D", "-", "-F", "tar", "-X", "fetch", "-c", "fast",
            "--manifest-checksums=SHA256",
        ) as source:
            seal_stream(source, target, key, settings.keys_sealing)
            target.flush()
            os.fsync(target.fileno())
        with (to / _DATABASE).open("rb") as made:
            _verify(opened_stream(made, key))
        (to / _NOTE).write_text(json.dumps(_note(settings, to, key, passphrase), indent=1) + "\n")
    except (RuntimeError, OSError, Unopenable):
        shutil.rmtree(to)
        raise


def _note(settings: Settings, to: Path, key: bytes, passphrase: str) -> dict[str, Any]:
    note: dict[str, Any] = {"kangyun": version("kangyun"), "made": clock.instant(clock.now()), "algorithm": settings.keys_sealing}
    keys = open_keys(settings)
    note["key"] = keys.seal(PURPOSE, key, _NOTE.encode()).hex()
    if passphrase:
        salt = os.urandom(16)
        inside = passphrase_key(passphrase, salt)
        note["passphrase"] = {"salt": salt.hex(), "key": seal(settings.keys_sealing, (_NO_ID, inside), key, PURPOSE, _NOTE.encode()).hex()}
        _keep_keys(keys.folder, to / _KEYS, inside, settings.keys_sealing)
    return note


def _keep_keys(folder: Path, to: Path, key: bytes, algorithm: str) -> None:
    text = json.dumps({path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.json"))})
    to.write_bytes(seal(algorithm, (_NO_ID, key), text.encode(), PURPOSE, _KEYS.encode()))


def _verify(stream: IO[bytes]) -> None:
    """Compare every file with the manifest that PostgreSQL made of what it read; raises RuntimeError."""
    found: dict[str, str] = {}
    manifest: dict[str, Any] = {}
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            content = archive.extractfile(member)
            name = member.name.removeprefix("./")
            if content is None:
                continue
            if name == "backup_manifest":
                manifest = json.loads(content.read())
            else:
                found[name] = hashlib.file_digest(content, "sha256").hexdigest()  # pyright: ignore[reportArgumentType] - a stream of bytes
    stated = {one["Path"]: one["Checksum"] for one in manifest.get("Files", [])}
    wrong = [path for path, checksum in stated.items() if found.get(path) != checksum]
    if not stated or wrong:
        raise RuntimeError(f"the copy is not what PostgreSQL read: {wrong[:3] or 'no manifest'}")


def restore(settings: Settings, source: Path, passphrase_file: Path | None = None) -> int:
    """Put a backup into a data folder that has no database yet; returns 1 with a reason for a damaged one or a wrong key."""
    server = EmbeddedServer(settings.data / "postgres", settings.database_shared_buffers)
    if not (source / _NOTE).exists():
        return _refused(f"{source} is not a backup made by kangyun backup.")
    if server.pgdata.exists():
        return _refused(f"{settings.data} already holds a database; restore into an empty data folder.")
    try:
        note = json.loads((source / _NOTE).read_text("utf-8"))
        key = _key(settings, source, note, _passphrase(passphrase_file)) if "key" in note else None
        _bring(server, source, key)
    except (OSError, RuntimeError, ValueError, Unopenable, tarfile.TarError) as error:
        shutil.rmtree(server.pgdata, ignore_errors=True)
        return _refused(f"{source} cannot be restored: {error}")
    server.ensure_running()
    server.stop()
    print(f"restored into {settings.data}; start it with: kangyun serve --data {settings.data}")
    return 0


def _key(settings: Settings, source: Path, note: dict[str, Any], passphrase: str) -> bytes:
    """The key of the backup; raises Unopenable with what is missing."""
    if passphrase:
        inside = passphrase_key(passphrase, bytes.fromhex(note.get("passphrase", {}).get("salt", "")))
        try:
            key = opened(inside, bytes.fromhex(note.get("passphrase", {}).get("key", "")), PURPOSE, _NOTE.encode())
        except Unopenable:
            raise Unopenable("the passphrase is not that of this backup") from None
        _bring_keys(settings, opened(inside, (source / _KEYS).read_bytes(), PURPOSE, _KEYS.encode()))
        return key
    keys = open_keys(settings)
    try:
        return keys.open(PURPOSE, bytes.fromhex(note["key"]), _NOTE.encode())
    except Unopenable as error:
        raise Unopenable(f"{error}; put the keys of the installation that made it into {keys.folder}, or give its passphrase") from None


def _bring_keys(settings: Settings, text: bytes) -> None:
    """Put the keys of the backup where there are none; those that are there stay."""
    folder = open_keys(settings).folder
    for name, content in json.loads(text).items():
        path = folder / Path(name).name
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(content)


def _bring(server: EmbeddedServer, source: Path, key: bytes | None) -> None:
    """Unpack, then verify what was unpacked; without a key a backup of an older version, which was not sealed."""
    server.folder.mkdir(parents=True, exist_ok=True)
    let_through(server.folder)
    if key is None:
        shutil.copytree(source / "pgdata", server.pgdata, symlinks=True)
    else:
        with (source / _DATABASE).open("rb") as sealed, tarfile.open(fileobj=opened_stream(sealed, key), mode="r|") as archive:
            archive.extractall(server.pgdata, filter="data")
    server.pgdata.chmod(0o700)
    for path in (server.pgdata, *server.pgdata.rglob("*")):
        give(path)
    server.run_tool("pg_verifybackup", "-q", str(server.pgdata))
    for lock in server.pgdata.glob(".s.PGSQL.*"):
        lock.unlink()  # Of the running server that was copied: the new one would take it for alive.
