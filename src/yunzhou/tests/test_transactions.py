"""The FHIR client: it sends again what did not arrive, and gives up on what is refused."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from yunzhou import transactions
from yunzhou.access import Access, endpoint
from yunzhou.mllp import Answer
from yunzhou.transactions import FhirLink


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "FIRST_PAUSE", 0.0001)
    monkeypatch.setattr(transactions, "LONGEST_PAUSE", 0.0001)


async def _send(answer: Callable[[int], httpx.Response]) -> tuple[Answer, FhirLink]:
    calls = [0]

    def handle(request: httpx.Request) -> httpx.Response:
        assert request.headers["Content-Type"] == "application/fhir+json"
        calls[0] += 1
        return answer(calls[0])

    link = FhirLink("http://platform/fhir/", transport=httpx.MockTransport(handle))
    try:
        return await link.send("B1", b'{"resourceType":"Bundle"}'), link
    finally:
        await link.close()


async def test_it_sends_again_when_the_server_was_busy() -> None:
    answer, link = await _send(lambda call: httpx.Response(503 if call < 4 else 200))
    assert answer.stored
    assert link.sent == 4


async def test_it_sends_again_when_the_connection_broke() -> None:
    def answer(call: int) -> httpx.Response:
        if call < 30:
            raise httpx.ReadError("broken")
        return httpx.Response(200)

    found, link = await _send(answer)
    assert found.stored
    assert link.reconnects == 29


async def test_it_gives_up_on_what_stays_refused() -> None:
    answer, link = await _send(lambda _: httpx.Response(409, text="a conflict"))
    assert (answer.code, answer.text, answer.stored) == ("409", "B1: a conflict", False)
    assert link.sent == transactions.MOST


async def test_it_does_not_repeat_what_is_wrong() -> None:
    answer, link = await _send(lambda _: httpx.Response(422, text="invalid"))
    assert not answer.stored
    assert link.sent == 1


async def test_a_client_gets_a_token_and_another_one_when_it_is_over() -> None:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            asked.append(request.headers["authorization"])
            return httpx.Response(200, json={"access_token": f"t{len(asked)}"})
        return httpx.Response(200 if request.headers["authorization"] == "Bearer t2" else 401)

    transport = httpx.MockTransport(handle)
    access = Access(endpoint("http://platform/fhir"), "city", "secret", transport)
    link = FhirLink("http://platform/fhir", transport=transport, access=access)
    answer = await link.send("B1", b"{}")
    await link.close()
    assert answer.stored
    assert len(asked) == 2
    assert asked[0].startswith("Basic ")
