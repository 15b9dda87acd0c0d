"""`kangyun backup`, `restore` and `import`, with accidents: what was acknowledged before is there afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from kangyun.base.database.embedded import EmbeddedServer
from tests.faults.storm import Known, Storm
from tests.fhir import patient
from tests.serving import COMMAND, Server, environment, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


async def test_a_backup_made_while_writing_holds_everything_acknowledged_before(
    server: Server, tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("copies")
    known = Known()
    storm = Storm(server, random.Random(5), known, clients=3)
    await storm.rage(40)
    before = {id_: version for id_, (version, _) in known.stored.items()}
    saved = await asyncio.to_thread(run, "backup", "--data", server.data, folder / "saved")
    await storm.end()
    assert "verified" in saved.stdout
    again = await asyncio.to_thread(run, "backup", "--data", server.data, folder / "saved", check=False)
    assert again.returncode == 1
    assert "exists already" in again.stderr
    onto = await asyncio.to_thread(run, "restore", "--data", server.data, folder / "saved", check=False)
    assert onto.returncode == 1
    assert "already holds a database" in onto.stderr
    stranger = await asyncio.to_thread(run, "restore", "--data", folder / "restored", folder / "saved", check=False)
    assert stranger.returncode == 1
    assert "put the keys of the installation" in stranger.stderr
    shutil.copytree(server.data / "keys", folder / "keys")
    shutil.copytree(folder / "keys", folder / "restored" / "keys", dirs_exist_ok=True)
    await asyncio.to_thread(run, "restore", "--data", folder / "restored", folder / "saved")
    second = Server(folder / "restored")
    await asyncio.to_thread(second.start)
    try:
        await _all_there(second, before)
    finally:
        second.stop()
    await asyncio.to_thread(_damaged_backups_are_refused, folder)


async def _all_there(server: Server, before: dict[str, int]) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
        for id_, version in before.items():
            answer = await http.get(f"/fhir/Basic/{id_}")
            assert answer.status_code == 200, f"{id_} was acknowledged before the backup and is not in it"
            assert int(answer.json()["meta"]["versionId"]) >= version
            assert (await http.get(f"/fhir/Basic/{id_}/_history")).json()["total"] >= version
        assert (await http.post("/fhir/Patient", json=patient())).status_code == 201
    print(f"{len(before)} acknowledged resources found in the restored platform")


def _damaged_backups_are_refused(folder: Path) -> None:
    sealed = folder / "saved" / "database.sealed"
    content = bytearray(sealed.read_bytes())
    content[len(content) // 2] ^= 0xFF
    sealed.write_bytes(content)
    shutil.copytree(folder / "keys", folder / "from-damaged" / "keys")
    refused = run("restore", "--data", folder / "from-damaged", folder / "saved", check=False)
    assert refused.returncode != 0
    assert "Traceback" not in refused.stderr
    assert not (folder / "from-damaged" / "postgres" / "pgdata").exists()
    (folder / "saved" / "kangyun-backup.json").unlink()
    assert run("restore", "--data", folder / "from-damaged", folder / "saved", check=False).returncode == 1


def people(number: int, **more: Any) -> str:
    """NDJSON of so many people with ids."""
    return "".join(json.dumps(patient(id=f"import-{n}", **more)) + "\n" for n in range(number))


async def test_an_import_that_was_killed_goes_on_and_stores_everything_once(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("import")
    text = [{"text": "x" * 900}]
    (folder / "people.ndjson").write_text(people(6000, name=text))
    (folder / "more.ndjson").write_text(
        people(10, gender="male") + '{"resourceType":"Patient","gender":"nonsense"}\n{"resourceType":"Nonsense"}\n\nnot json\n'
        + json.dumps(patient()) + "\n" + json.dumps(patient(id="import-1", gender="other")))
    files = [folder / "people.ndjson", folder / "more.ndjson"]
    killed = await asyncio.to_thread(_kill_an_import, folder, files)
    answer = await asyncio.to_thread(run, "import", "--data", folder / "data", "--processes", "1", *files, check=False)
    assert answer.returncode == 1, "lines were refused"
    assert "were loaded before" in answer.stdout or not killed
    assert "3 refused" in answer.stdout
    refusals = [json.loads(line) for line in (folder / "more.ndjson.refused").read_text().splitlines()]
    assert [one["line"] for one in refusals] == [10, 11, 13]
    assert refusals[0]["outcome"]["issue"][0]["expression"] == ["Patient.gender"]
    again = await asyncio.to_thread(run, "import", "--data", folder / "data", "--processes", "1", *files, check=False)
    assert "0 stored" in again.stdout
    await _nothing_left_to_do(folder / "data")
    await _imported(Server(folder / "data"))


def _kill_an_import(folder: Path, files: list[Path]) -> bool:
    """kill -9 of a first attempt and its helpers when some of it is done; whether it was still at work."""
    process = subprocess.Popen(
        [COMMAND, "import", "--data", folder / "data", "--processes", "1", *files], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env=environment(), start_new_session=True,
    )
    assert process.stdout
    process.stdout.readline()
    working = process.poll() is None
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    return working


async def _nothing_left_to_do(data: Path) -> None:
    """What was imported is labelled and sorted in: whoever comes first need not wait for either."""
    database = EmbeddedServer(data / "postgres")
    await asyncio.to_thread(database.ensure_running)
    connection = await asyncpg.connect(database.dsn())
    assert await connection.fetchval("SELECT done FROM access_labelling")
    assert not await connection.fetchval("SELECT gin_clean_pending_list('resource_tokens') + gin_clean_pending_list('resource_strings')")
    await connection.close()
    await asyncio.to_thread(database.stop)


async def _imported(server: Server) -> None:
    await asyncio.to_thread(server.start)
    try:
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
            assert (await http.get("/fhir/Patient?_summary=count")).json()["total"] == 6001
            versions = {n: (await http.get(f"/fhir/Patient/import-{n}")).json()["meta"]["versionId"] for n in (0, 1, 9, 10, 5999)}
            assert versions == {0: "2", 1: "3", 9: "2", 10: "1", 5999: "1"}
            assert (await http.get("/fhir/Patient/import-1")).json()["gender"] == "other"
            assert len((await http.get("/fhir/Patient?gender=male")).json()["entry"]) == 9
    finally:
        server.stop()


async def test_the_worker_alone_can_follow_a_database(tmp_path_factory: pytest.TempPathFactory) -> None:
    own = EmbeddedServer(tmp_path_factory.mktemp("worker"), "32MB")
    await asyncio.to_thread(own.ensure_running)
    process = await asyncio.create_subprocess_exec(
        COMMAND, "worker", env=environment(database_url=own.dsn("postgres")), stderr=asyncio.subprocess.DEVNULL)
    try:
        await asyncio.to_thread(_brought_up_to_date, own.dsn("postgres"))
        assert process.returncode is None
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
        own.stop()


def _brought_up_to_date(dsn: str) -> None:
    """Wait until the last migration stands in the database: then the worker runs, however slow the machine."""
    wanted = len(list(Path(str(files("kangyun"))).rglob("migrations/*.sql")))
    deadline = time.monotonic() + 120
    while asyncio.run(_migrations(dsn)) < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.1)


async def _migrations(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    try:
        begun = await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL")
        return int(await connection.fetchval("SELECT count(*) FROM migration")) if begun else 0
    finally:
        await connection.close()
