"""The whole web application, as a browser finds its way in it."""

from __future__ import annotations

import re

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.app.web import build, route_table
from kangyun.base.errors import refuse
from kangyun.commons.access import SESSION_COOKIE

PAGE = {"accept": "text/html"}


@pytest.mark.parametrize(("form", "above"), [
    ("/account/wards", "/account"),
    ("/population/cards/x1/issue", "/population/cards/x1"),
    ("/exchange/quarantine/runs/3/stop", "/exchange/quarantine"),
    ("/payments/desk/refunds/r1?lang=en", "/payments/desk?lang=en"),
    ("/logout/everywhere", "/"),
    # Another page's address has a parameter in this place.
    ("/population/cards/stranger", "/population/cards"),
    ("/prescriptions/change?lang=en", "/prescriptions?lang=en"),
    ("/resident/insurance/refresh", "/resident/insurance"),
    ("/payments/reconciliation/differences/7", "/payments/reconciliation"),
])
async def test_the_address_of_a_form_leads_to_the_page_above_it(api: httpx.AsyncClient, form: str, above: str) -> None:
    answer = await api.get(form, headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, above)
    assert (await api.put(form, headers=PAGE)).status_code == 405
    assert (await api.get(form, headers={"accept": "application/json"})).status_code == 405


async def test_no_address_of_a_form_is_taken_for_another_page(api: httpx.AsyncClient) -> None:
    shown = {entry.path for entry in route_table() if "GET" in (entry.methods or set())}
    only = {entry.path for entry in route_table() if entry.path not in shown and entry.methods == {"POST"} and not entry.path.startswith("/fhir")}
    assert len(only) > 80
    for path in only:
        answer = await api.get(re.sub(r"\{\w+(:\w+)?\}", "7", path), headers=PAGE)
        assert answer.status_code == 303, path


async def test_whoever_is_logged_in_keeps_the_menu_where_nothing_is(api: httpx.AsyncClient) -> None:
    answer = await api.get("/nothing/here", headers=PAGE)
    assert answer.status_code == 404
    assert 'class="navigation"' in answer.text
    assert 'href="/clinician/"' in answer.text


async def test_while_the_database_is_away_what_is_not_there_is_still_not_found(
    api: httpx.AsyncClient, services: Services, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise refuse(503, "transient", "base.database-away")

    monkeypatch.setattr(services.entries, "actor", away)
    answer = await api.get("/nothing/here", headers=PAGE | {"cookie": f"{SESSION_COOKIE}=ks_0123456789"})
    assert answer.status_code == 404


async def test_whoever_is_not_logged_in_any_more_is_told_that_nothing_is_lost(services: Services) -> None:
    network = httpx.ASGITransport(build(services, {}), client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=network, base_url="http://kangyun.test", headers=PAGE) as client:
        answer = await client.post("/account/wards", data={"name": "周秀兰"})
    assert answer.status_code == 401
    assert "填写的内容还没有保存，也没有丢失" in answer.text
    assert 'href="/login" target="_blank"' in answer.text, "the form stays open beside it"
