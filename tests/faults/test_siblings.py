"""Several web processes on one port and a worker beside them: they share the work and the figures, and an accident of one is nobody else's."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import httpx
import psutil
import pytest

from tests.fhir import patient
from tests.serving import Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
# A busy machine may take longer than the five seconds that httpx waits.
PATIENCE = 30


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with two web processes."""
    running = Server(tmp_path_factory.mktemp("pair"), web_processes="2")
    running.start()
    _until(lambda: len(_answering(running)) == 2)
    yield running
    running.stop()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _answering(server: Server) -> set[str]:
    """The processes that answer: each numbers its answers with a mark of its own."""
    found: set[str] = set()
    for _ in range(24):
        try:
            answer = httpx.get(f"{server.url}/fhir/metadata?_elements=status", timeout=10)
        except httpx.TransportError:
            continue
        found.add(answer.headers["x-request-id"].partition("-")[0])
    return found


def _siblings(server: Server) -> list[psutil.Process]:
    return [psutil.Process(one) for one in server.siblings()]


def test_what_one_has_stored_every_other_shows_at_once(pair: Server) -> None:
    shown: set[str] = set()
    for _ in range(30):
        id_ = httpx.post(f"{pair.url}/fhir/Patient", json=patient(), timeout=PATIENCE).json()["id"]
        answer = httpx.get(f"{pair.url}/fhir/Patient/{id_}", timeout=PATIENCE)
        assert answer.status_code == 200
        shown.add(answer.headers["x-request-id"].partition("-")[0])
    assert len(shown) == 2


def test_the_figures_of_all_are_counted_together(pair: Server) -> None:
    def counted() -> float:
        lines = httpx.get(f"{pair.url}/metrics", timeout=PATIENCE).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines
                   if line.startswith("kangyun_http_requests_total") and 'status="404"' in line)

    before = counted()
    for number in range(20):
        httpx.get(f"{pair.url}/fhir/Patient/nobody-{number}", timeout=PATIENCE)
    assert [counted() for _ in range(6)] == [before + 20] * 6


def _held(process: psutil.Process, port: int) -> int:
    """How many connections to a port a process has."""
    return sum(one.laddr.port == port and one.status == psutil.CONN_ESTABLISHED for one in process.net_connections("tcp"))


@pytest.mark.parametrize("door", ["port", "mllp_port"])
def test_whoever_has_fewer_connections_takes_the_next(pair: Server, door: str) -> None:
    port: int = getattr(pair, door)
    first, [sibling] = psutil.Process(pair.pid), _siblings(pair)
    _until(lambda: not _held(first, port) + _held(sibling, port))
    connections: list[socket.socket] = []
    try:
        first.suspend()
        connections += [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(20)]
        # A process that hangs holds nobody up.
        _until(lambda: _held(sibling, port) == 20)
        first.resume()
        for _ in range(20):
            connections.append(socket.create_connection(("127.0.0.1", port), PATIENCE))
            time.sleep(0.05)
        _until(lambda: _held(first, port) + _held(sibling, port) == 40)
        assert _held(sibling, port) <= 25
    finally:
        first.resume()
        for one in connections:
            one.close()


def _message(number: int) -> bytes:
    pid = f"PID|1||S{number:03d}^^^SIB^MR||周秀兰{number}||1956{number % 12 + 1:02d}04|F"
    return f"MSH|^~\\&|HIS|SIB|KANGYUN|YUNZHOU|20260301080000+0800||ADT^A28|S{number}|P|2.5|||AL|NE|CHN|UNICODE UTF-8\r{pid}\r".encode()


def _answered(connection: socket.socket, number: int) -> bool:
    """Whether a message was sent and acknowledged with AA; False when the other end has gone."""
    try:
        connection.sendall(b"\x0b" + _message(number) + b"\x1c\r")
        told = b""
        while not told.endswith(b"\x1c\r"):
            if not (more := connection.recv(4096)):
                return False
            told += more
    except OSError:
        return False
    assert b"MSA|AA" in told
    return True


def test_every_process_takes_messages_and_the_end_of_one_loses_none_that_was_acknowledged(pair: Server) -> None:
    place = ("127.0.0.1", pair.mllp_port)
    [sibling] = _siblings(pair)
    connections: list[socket.socket] = []
    try:
        while not any(one.laddr.port == pair.mllp_port and one.status == psutil.CONN_ESTABLISHED for one in sibling.net_connections()):
            assert len(connections) < 200
            connections.append(socket.create_connection(place, PATIENCE))
            time.sleep(0.01)
        assert all(_answered(one, number) for number, one in enumerate(connections))
        sibling.kill()
        again = [number for number, one in enumerate(connections, len(connections)) if not _answered(one, number)]
        assert again  # Those whose connection the sibling had send once more, as every sender does.
        for number in again:
            with socket.create_connection(place, PATIENCE) as fresh:
                assert _answered(fresh, number)
    finally:
        for one in connections:
            one.close()
    for number in range(2 * len(connections)):
        answer = httpx.get(f"{pair.url}/fhir/Patient?identifier=S{number:03d}", timeout=PATIENCE).json()
        assert answer["total"] == 1, number
    _until(lambda: len(_answering(pair)) == 2)


def test_a_sibling_that_dies_is_replaced(pair: Server) -> None:
    [sibling] = _siblings(pair)
    sibling.kill()
    sibling.wait(PATIENCE)
    for _ in range(20):
        assert httpx.get(f"{pair.url}/fhir/metadata?_elements=status", timeout=PATIENCE).status_code == 200
    _until(lambda: len(_answering(pair)) == 2)
    assert _siblings(pair)[0].pid != sibling.pid


def test_what_follows_from_a_write_follows_though_the_worker_has_died(pair: Server) -> None:
    [worker] = [psutil.Process(one) for one in pair.workers()]
    worker.kill()
    worker.wait(PATIENCE)
    id_ = httpx.post(f"{pair.url}/fhir/Patient", json=patient(), timeout=PATIENCE).json()["id"]
    _until(lambda: _persons(pair, id_) == 1)
    [another] = pair.workers()
    assert another != worker.pid


def _persons(server: Server, patient_id: str) -> int:
    """How many Persons a Patient is under: the worker makes one."""
    return httpx.get(f"{server.url}/fhir/Person?patient={patient_id}", timeout=PATIENCE).json()["total"]


def test_a_worker_that_hangs_is_told_of(pair: Server) -> None:
    def checks() -> dict[str, str]:
        while True:
            found: dict[str, str] = httpx.get(f"{pair.url}/health/ready", timeout=PATIENCE).json()["checks"]
            if "worker" in found:
                return found

    _until(lambda: checks()["worker"] == checks()["reactions"] == "ok")
    [worker] = [psutil.Process(one) for one in pair.workers()]
    worker.suspend()
    try:
        _until(lambda: checks()["worker"] == checks()["reactions"] == "silent")
    finally:
        worker.resume()
    _until(lambda: checks()["worker"] == checks()["reactions"] == "ok")


def test_siblings_end_with_the_first_process_and_free_its_port(pair: Server) -> None:
    [sibling], others = _siblings(pair), [psutil.Process(one) for one in pair.workers()]
    pair.kill()
    pair.start()
    psutil.wait_procs([sibling, *others], timeout=30)
    assert not any(one.is_running() for one in [sibling, *others])
    _until(lambda: len(_answering(pair)) == 2)


def test_a_sibling_that_still_answers_does_not_keep_the_ports_from_the_next_server(pair: Server) -> None:
    [sibling] = _siblings(pair)
    half: list[socket.socket] = []
    try:
        while not _held(sibling, pair.port):
            assert len(half) < 200
            half.append(socket.create_connection(("127.0.0.1", pair.port), PATIENCE))
            half[-1].sendall(b"POST /fhir/Patient HTTP/1.1\r\nHost: a\r\nContent-Type: application/fhir+json\r\nContent-Length: 99\r\n\r\n{")
            time.sleep(0.05)
        time.sleep(1)  # It reads what came, and waits for the rest.
        pair.kill()
        pair.start()
    finally:
        for one in half:
            one.close()
    _until(lambda: len(_answering(pair)) == 2)
