"""The whole web application, as a browser finds its way in it."""

from __future__ import annotations

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.app.web import build

PAGE = {"accept": "text/html"}


@pytest.mark.parametrize(("form", "above"), [
    ("/account/wards", "/account"),
    ("/population/cards/x1/issue", "/population/cards/x1"),
    ("/exchange/quarantine/runs/3/stop", "/exchange/quarantine"),
    ("/payments/desk/refunds/r1?lang=en", "/payments/desk?lang=en"),
    ("/logout/everywhere", "/"),
])
async def test_the_address_of_a_form_leads_to_the_page_above_it(api: httpx.AsyncClient, form: str, above: str) -> None:
    answer = await api.get(form, headers=PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, above)
    assert (await api.put(form, headers=PAGE)).status_code == 405


async def test_whoever_is_not_logged_in_any_more_is_told_that_nothing_is_lost(services: Services) -> None:
    network = httpx.ASGITransport(build(services, {}), client=("192.0.2.7", 1))
    async with httpx.AsyncClient(transport=network, base_url="http://kangyun.test", headers=PAGE) as client:
        answer = await client.post("/account/wards", data={"name": "周秀兰"})
    assert answer.status_code == 401
    assert "填写的内容还没有保存，也没有丢失" in answer.text
    assert 'href="/login" target="_blank"' in answer.text, "the form stays open beside it"
