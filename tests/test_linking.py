"""Linking everybody: accuracy on made-up people, hard pairs, SQL and Python judging alike, and the command over a store."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("splink", reason="splink is not installed")

from bench import linking_people
from bench.linking import quality
from bench.linking_store import city as city_of_patients
from bench.linking_store import fill

from kangyun.app import linking
from kangyun.app.services import Services, open_services
from kangyun.base.database import Database
from kangyun.base.settings import Settings
from kangyun.commons.access import Handle, Write, key_of
from kangyun.commons.population import beside, persons_of, prepare
from kangyun.commons.population.actions import batch_learn, batch_pages, batch_store, newcomers, reject
from kangyun.commons.population.actions.batch import Batch, Decisions, Record, link
from kangyun.commons.population.decisions import matching, placing
from kangyun.commons.population.decisions.matching.dialects import reached
from kangyun.commons.population.queries import placed
from kangyun.commons.records.actions.importing import create_resources

KANGYUN = Path(sys.executable).with_name("kangyun")

pytestmark = [
    # Splink and its parts warn of what only their authors can change.
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]


def records_of(patients: list[dict[str, Any]]) -> list[Record]:
    told = [matching.features(one) for one in patients]
    return [Record(place, matching.encode(one), matching.blocking_keys(one)) for place, one in enumerate(told)]


@pytest.fixture(scope="module")
def city() -> tuple[list[Record], list[int]]:
    rows = list(linking_people.records(11, 5000))
    return records_of([patient for _, patient in rows]), [person for person, _ in rows]


def test_people_are_found_again_and_not_confused(city: tuple[list[Record], list[int]]) -> None:
    records, truth = city
    linkage = link(records, matching.weights())
    precision, recall = quality(linkage, truth)
    assert precision >= 0.999
    assert recall >= 0.965
    assert quality(linkage, truth, linkage.doubts)[1] >= 0.985
    assert len(linkage.doubts) <= 0.005 * len(records)


def test_twins_namesakes_and_generations_are_never_linked() -> None:
    wrong = [
        kind for kind, one, other in linking_people.hard_pairs(5, 1200)
        if matching.verdict(matching.score(matching.features(one), matching.features(other))) == "link"
    ]
    assert wrong == []


def test_sql_judges_as_python_does(city: tuple[list[Record], list[int]]) -> None:
    records, _ = city
    by = matching.weights()
    batch = Batch(by)
    batch.add(records)
    batch.unfold()
    batch.block()
    columns = ", ".join(f"l.{name} AS {name}_l, r.{name} AS {name}_r" for name in matching.Features.__struct_fields__)
    levels = ", ".join(reached(one, "duckdb") for one in by.comparisons)
    rows = batch.connection.execute(
        f"SELECT a, b, {levels} FROM (SELECT join_key_l AS a, join_key_r AS b, {columns} FROM pair"
        " JOIN record l ON l.unique_id = join_key_l JOIN record r ON r.unique_id = join_key_r) LIMIT 2000"
    ).fetchall()
    assert len(rows) > 1000
    for a, b, *found in rows:
        evidence = matching.score(matching.decode(records[a].features), matching.decode(records[b].features))
        assert [field.level for field in evidence.fields] == found


def test_weights_are_learnt_without_labels(city: tuple[list[Record], list[int]]) -> None:
    batch = Batch(matching.weights())
    batch.add(city[0])
    batch.unfold()
    batch.block()
    learnt = batch_learn.learn(batch, most_pairs=2e5)
    m, u = learnt["sex"]["same"]
    assert (m or 0) > 0.95
    assert 0.4 < (u or 0) < 0.6


def test_what_humans_decided_is_kept() -> None:
    one = {"name": [{"text": "周秀兰"}], "birthDate": "1956-03-04", "gender": "female",
           "telecom": [{"system": "phone", "value": "13905741234"}], "address": [{"text": "东城区人民路街道幸福社区3组12号"}]}
    records = records_of([one, one, {**one, "name": [{"text": "吴桂英"}]}])
    assert link(records, matching.weights()).groups() == [[0, 1]]
    assert link(records, matching.weights(), Decisions(apart=[(0, 1)])).groups() == []
    found = link(records, matching.weights(), Decisions(together=[(0, 2)])).clusters
    assert found.of(0) == found.of(2)


HOME, OTHER_HOME = "石门县溪桥乡古高村8组94号", "石门县溪桥乡古高村3组1号"


def lodger(name: str, birth: str, phone: str, address: str) -> dict[str, Any]:
    return {"name": [{"text": name}], "birthDate": birth, "gender": "male",
            "telecom": [{"system": "phone", "value": phone}], "address": [{"text": address}]}


def joined(crowd: list[Record], *patients: dict[str, Any]) -> list[list[int]]:
    """Which of these Patients are one person, among a crowd in which a name is rare."""
    mine = [Record(len(crowd) + one.number, one.features, one.keys) for one in records_of(list(patients))]
    groups = link([*crowd, *mine], matching.weights()).groups()
    return [[one - len(crowd) for one in group] for group in groups if group[-1] >= len(crowd)]


def test_a_telephone_that_rings_at_the_other_ones_door_tells_a_resident_from_a_namesake_of_the_village(
    city: tuple[list[Record], list[int]],
) -> None:
    crowd = city[0][:1000]
    one, other = lodger("欧阳晓枫", "1961-03-04", "13905741234", "石门县溪桥乡古高村"), lodger("欧阳晓枫", "1961-03-04", "13705740001", HOME)
    child = lodger("欧阳小燕", "1990-05-06", "13905741234", HOME)
    assert joined(crowd, one, other) == []
    assert joined(crowd, one, other, child) == [[0, 1]]
    # It rings elsewhere, or it is only that of one more namesake of the same day.
    assert joined(crowd, one, other, {**child, "address": [{"text": OTHER_HOME}]}) == []
    assert [1, 2] not in joined(crowd, one, other, lodger("欧阳晓枫", "1961-03-04", "13905741234", OTHER_HOME))


async def brought(services: Services, patch: pytest.MonkeyPatch, number: int) -> list[list[str]]:
    """Residents whom two senders brought while nobody compared them; the ids of each one's two Patients."""
    handle = services.gate.system("test")
    chance = random.Random(number)
    found: list[list[str]] = []
    with patch.context() as patched:
        patched.setattr(placing, "verdict", lambda *_: "new")
        for one in linking_people.City(number).people(number):
            told = linking_people.Desk(chance, 0.0, missing_id=1.0).write(one)
            numbers = {source: [{"system": f"urn:{source}", "value": f"M{one.number}"}] for source in ("a", "b")}
            found.append([await bring(handle, {**told, "identifier": numbers[source]}, source) for source in ("a", "b")])
    return found


async def bring(handle: Handle, told: dict[str, Any], source: str) -> str:
    prepared = await prepare(handle, told, source)
    await handle.commit(prepared.writes, beside=beside(prepared.arrivals))
    return prepared.patient


async def one_each(handle: Handle, pairs: list[list[str]]) -> list[bool]:
    found = await persons_of(handle, [patient for pair in pairs for patient in pair])
    return [found[one]["id"] == found[other]["id"] for one, other in pairs]


async def test_the_command_links_over_the_store_and_goes_on_after_a_kill(
    services: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handle = services.gate.system("test")
    pairs = await brought(services, monkeypatch, 12)
    assert await one_each(handle, pairs) == [False] * 12
    await reject(handle, pairs[0][0], pairs[0][1], "anna")
    await linking.dry_run(services, tmp_path, matching.weights(), "500MB")
    assert '"persons_joined": 11' in capsys.readouterr().out

    calls = iter([None])

    async def killed(*given: Any) -> int:
        next(calls)
        return await unite(*given)

    unite = batch_store.unite
    monkeypatch.setattr(linking, "_PAGE", 4)
    with monkeypatch.context() as patched, pytest.raises(RuntimeError):  # noqa: PT012 - killed inside
        patched.setattr(batch_store, "unite", killed)
        await linking.link_all(services, tmp_path, "500MB")
    assert sum(await one_each(handle, pairs)) == 4

    with monkeypatch.context() as patched:
        patched.setattr(linking, "Batch", None)  # What was found is not looked for again.
        await linking.link_all(services, tmp_path, "500MB")
    assert await one_each(handle, pairs) == [False] + [True] * 11
    await linking.link_all(services, tmp_path, "500MB")
    assert "0 joins" in capsys.readouterr().out
    async with services.database.connection() as connection:
        assert await placed.queue(connection) == []


async def test_the_command_places_whom_nobody_has_placed_yet(services: Services, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After an import Patients wait for the reaction that places them; here it does not run at all."""
    handle = services.gate.system("test")
    desk = linking_people.Desk(random.Random(8), 0.0, missing_id=0.0)
    everybody = linking_people.City(8).people(40)
    known = await bring(handle, desk.write(everybody[0]), "a")
    twice = [{**desk.write(one), "id": f"{source}{one.number}"} for one in everybody for source in ("b", "c")]
    written = await handle.write([Write("update", "Patient", one, id=one["id"]) for one in twice])
    assert len(written) == 80
    await linking.link_all(services, tmp_path, "500MB")
    told = capsys.readouterr().out
    assert "80 of them not yet placed" in told
    assert "1 joins" in told  # Who stood alone before; the others were together from the beginning.
    pairs = [[f"b{one.number}", f"c{one.number}"] for one in everybody]
    assert await one_each(handle, pairs) == [True] * 40
    assert await one_each(handle, [[known, pairs[0][0]]]) == [True]
    persons = await persons_of(handle, [patient for pair in pairs for patient in pair])
    assert len({one["id"] for one in persons.values()}) == 40
    assert persons[pairs[5][0]]["birthDate"] == everybody[5].born.isoformat()
    # Whoever comes later is found by what was put down of them.
    later = [await bring(handle, desk.write(one), "e") for one in everybody[5:9]]
    assert await one_each(handle, [[new, old] for new, (old, _) in zip(later, pairs[5:9], strict=True)]) == [True] * 4
    await linking.link_all(services, tmp_path, "500MB")
    told = capsys.readouterr().out
    assert " 0 of them not yet placed" in told
    assert "\n0 joins" in told


async def test_records_placed_in_several_processes_come_out_the_same(
    services: Services, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    handle = services.gate.system("test")
    desk = linking_people.Desk(random.Random(9), 0.0, missing_id=0.0)
    everybody = linking_people.City(9).people(30)
    twice = [{**desk.write(one), "id": f"{source}{one.number}"} for one in everybody for source in ("b", "c")]
    await handle.write([Write("update", "Patient", one, id=one["id"]) for one in twice])
    monkeypatch.setattr(linking, "_WORTH", 0)
    monkeypatch.setattr(linking, "_TOGETHER", 10)
    await linking.link_all(services, tmp_path, "500MB", processes=2)
    assert "60 of 60 new records placed" in capsys.readouterr().out
    assert await one_each(handle, [[f"b{one.number}", f"c{one.number}"] for one in everybody]) == [True] * 30
    persons = await persons_of(handle, [one["id"] for one in twice])
    assert {one["meta"]["versionId"] for one in persons.values()} == {"1"}
    # Who placed whom stands in the audit trail, though another process did it.
    async with services.database.connection() as connection:
        told = await connection.fetch("SELECT residents FROM audit_event WHERE name = 'population.link' AND action LIKE '%create%'")
    assert {key_of("Patient", one["id"]) for one in twice} <= {resident for row in told for resident in row["residents"]}


async def test_pages_of_newcomers_hold_whole_groups_and_all_that_was_told(services: Services) -> None:
    handle = services.gate.system("test")
    desk = linking_people.Desk(random.Random(12), 0.0, missing_id=0.0)
    twice = [{**desk.write(one), "id": f"{source}{one.number}"} for one in linking_people.City(12).people(20) for source in ("p", "q")]
    await handle.write([Write("update", "Patient", one, id=one["id"]) for one in twice])
    found = [one async for page in newcomers.unplaced(handle) for one in newcomers.told(page)]
    batch = Batch(matching.weights(), "500MB")
    assert batch.receive(batch_pages.packed(found)) == 40
    linkage = batch.link()
    pages = [batch_pages.unpacked(page) for page in batch.newcomers(linkage, 7)]
    assert len(pages) > 3
    assert all(7 <= sum(map(len, page)) <= 8 for page in pages[:-1])
    groups = [group for page in pages for group in page]
    assert sorted(sorted(one.resident for one in group) for group in groups if len(group) > 1) == linkage.groups()
    assert sorted(one for group in groups for one in group) == sorted(found)
    for page in pages:
        await batch_store.settle(handle, page, create_resources)
    persons = await persons_of(handle, [one["id"] for one in twice])
    assert len({person["id"] for person in persons.values()}) == len(groups)


async def test_a_newcomer_that_changed_or_was_deleted_while_all_were_compared_is_left_to_the_reaction(services: Services) -> None:
    handle = services.gate.system("test")
    desk = linking_people.Desk(random.Random(10), 0.0, missing_id=0.0)
    patients = [{**desk.write(one), "id": f"d{one.number}"} for one in linking_people.City(10).people(4)]
    await handle.write([Write("update", "Patient", one, id=one["id"]) for one in patients])
    found = [one async for page in newcomers.unplaced(handle) for one in newcomers.told(page)]
    assert {one.patient for one in found} == {one["id"] for one in patients}
    changed, deleted = patients[0]["id"], patients[1]["id"]
    await handle.write([Write("update", "Patient", {**patients[0], "gender": "unknown"}, id=changed), Write("delete", "Patient", id=deleted)])
    await batch_store.settle(handle, [[one] for one in found], create_resources)
    assert set(await persons_of(handle, [one["id"] for one in patients])) == {one["id"] for one in patients[2:]}


def linking_command(data: Path, **options: bool) -> subprocess.Popen[str]:
    command = [str(KANGYUN), "link", "--data", str(data), "--processes", "2", "--memory", "500MB"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)  # pyright: ignore[reportCallIssue, reportArgumentType]


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_link_that_is_killed_while_it_places_goes_on_and_nobody_is_there_twice(tmp_path: Path) -> None:
    data = tmp_path / "data"
    settings = Settings(data=data)
    data.mkdir()
    opened = await open_services(settings)
    stored = await fill(opened, city_of_patients(3600, 6000))
    await opened.close()
    first = linking_command(data)
    assert first.stdout is not None
    for line in first.stdout:
        if "records placed" in line:
            break
    first.kill()  # It alone: its processes have to find out by themselves.
    first.stdout.read()  # Ends when the last of them has let go of it.
    first.stdout.close()
    first.wait()
    second = linking_command(data)
    told, _ = second.communicate(timeout=200)
    assert second.returncode == 0, told
    assert f"{stored} of them not yet placed" not in told
    database = await Database.open(settings)
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT patient, person FROM identity")
        persons = await connection.fetch("SELECT id, version, body FROM resource WHERE id = ANY($1)", [row["person"] for row in rows])
        every = await connection.fetchval("SELECT count(*) FROM resource")
    await database.close()
    await database.stop_server()
    groups = {row["person"] for row in rows}
    assert len(rows) == stored
    assert {row["id"] for row in persons} == groups
    assert every == stored + len(groups)
    assert sum(row["body"].count('"Patient/') for row in persons) == stored


def test_the_web_process_loads_nothing_of_the_batch() -> None:
    program = "import sys, kangyun.app.serving, kangyun.app.web; print(sorted({'splink', 'duckdb', 'pyarrow', 'pandas'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
