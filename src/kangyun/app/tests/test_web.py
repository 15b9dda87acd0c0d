"""The whole web application, as a browser finds its way in it."""

from __future__ import annotations

import httpx
import pytest

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
