"""A summary is shared by a link: only its holder can read it, the owner sees who opened it and can take it back."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc import jwe
from joserfc.jwk import OctKey

from kangyun.app.services import Services
from kangyun.base import clock, errors
from kangyun.base.errors import Problem
from kangyun.base.keys import KeyStore
from kangyun.commons.access import Handle, Write
from kangyun.commons.population.actions.sharing import Shared, Wish, end, share
from kangyun.commons.population.queries.sharing import links

errors.register("kangyun.commons.population")
ADDRESS = "http://kangyun.test"


@pytest.fixture(scope="module")
def handle(services: Services) -> Handle:
    return services.gate.system("test")


@pytest.fixture(scope="module")
def keys(services: Services) -> KeyStore:
    return services.keys


@pytest.fixture(scope="module")
async def patient(handle: Handle) -> str:
    [written] = await handle.commit([Write("create", "Patient", {"resourceType": "Patient", "name": [{"text": "周秀兰"}]})])
    return written.id


def said(shared: Shared) -> dict[str, Any]:
    text = shared.text.removeprefix("shlink:/")
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def read(content: str, key: str) -> dict[str, Any]:
    raw = base64.urlsafe_b64decode(key + "=")
    found = jwe.decrypt_compact(content, OctKey.import_key(raw), algorithms=["dir", "A256GCM", "DEF"]).plaintext
    assert found is not None
    return json.loads(found)


async def test_a_link_without_passcode_gives_the_file(api: httpx.AsyncClient, handle: Handle, keys: KeyStore, patient: str) -> None:
    told = said(await share(handle, keys, patient, Wish(7, "en", "Zhou"), ADDRESS))
    assert {"flag": "U", "label": "Zhou", "v": 1}.items() <= told.items()
    answer = await api.get(told["url"], params={"recipient": "Hôpital de Genève"})
    assert answer.headers["content-type"] == "application/jose"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert read(answer.text, told["key"])["type"] == "document"
    found = next(one for one in await links(handle, patient) if one.label == "Zhou")
    assert found.openings == 1
    assert (await api.get(told["url"])).status_code == 400


async def test_the_table_holds_nothing_readable(services: Services, handle: Handle, keys: KeyStore, patient: str) -> None:
    await share(handle, keys, patient, Wish(1, "zh", "x", "4711"), ADDRESS)
    async with services.database.connection() as connection:
        rows = await connection.fetch("SELECT l::text AS row FROM shared_link l")
    assert rows
    assert not any("周秀兰" in row["row"] or "4711" in row["row"] for row in rows)


async def test_a_passcode_is_asked_for_and_closes_the_link_after_five_wrong_ones(
    api: httpx.AsyncClient, handle: Handle, keys: KeyStore, patient: str
) -> None:
    told = said(await share(handle, keys, patient, Wish(7, "zh", "", "2468"), ADDRESS))
    assert told["flag"] == "P"
    assert (await api.get(told["url"], params={"recipient": "x"})).status_code == 401
    right = await api.post(told["url"], json={"recipient": "Dr. Li", "passcode": "2468"})
    [file] = right.json()["files"]
    assert read(file["embedded"], told["key"])["entry"][0]["resource"]["title"] == "国际患者摘要"
    remaining = [(await api.post(told["url"], json={"recipient": "x", "passcode": "1"})).json()["remainingAttempts"] for _ in range(4)]
    assert remaining == [3, 2, 1, 0]
    closed = await api.post(told["url"], json={"recipient": "x", "passcode": "2468"})
    assert closed.status_code == 404


async def test_a_link_that_is_taken_back_or_over_is_as_if_it_never_was(
    api: httpx.AsyncClient, handle: Handle, keys: KeyStore, patient: str
) -> None:
    first, second = [await share(handle, keys, patient, Wish(1, "zh"), ADDRESS) for _ in range(2)]
    await end(handle, patient, first.id)
    gone = await api.get(said(first)["url"], params={"recipient": "x"})
    with pytest.raises(Problem) as again:
        await end(handle, patient, first.id)
    assert again.value.status == 404
    now = clock.now()
    clock.set_source(lambda: now + timedelta(days=1, seconds=1))
    over = await api.get(said(second)["url"], params={"recipient": "x"})
    never = await api.get(f"{ADDRESS}/shl/nobody", params={"recipient": "x"})
    assert {gone.status_code, over.status_code, never.status_code} == {404}
    assert gone.text == over.text == never.text


@pytest.mark.parametrize("wish", [Wish(365, "zh"), Wish(7, "fr"), Wish(7, "zh", "x" * 81), Wish(7, "zh", "", "12")])
async def test_what_the_rules_do_not_allow_is_refused(handle: Handle, keys: KeyStore, patient: str, wish: Wish) -> None:
    with pytest.raises(Problem) as refused:
        await share(handle, keys, patient, wish, ADDRESS)
    assert refused.value.status == 422
