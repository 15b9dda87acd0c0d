"""Registration at the desk: wrong numbers are refused at their field, who is known is found, nobody gets two records."""

from __future__ import annotations

import re
from datetime import date

import httpx
import pytest

from kangyun.commons.population.decisions import desk

HTML = {"accept": "text/html", "accept-language": "en"}
TODAY = date(2026, 11, 22)
RIGHT = "11010519491231002X"


def test_an_id_number_gives_birth_date_and_sex() -> None:
    form = desk.read({"name": "王秀英", "number": "11010519491231002x"}, TODAY)
    assert form.faults == {}
    assert {"number": RIGHT, "born": "1949-12-31", "sex": "female"}.items() <= form.values.items()


@pytest.mark.parametrize(("given", "field"), [
    ({"name": "", "number": RIGHT}, "name"),
    ({"name": "王", "number": "110105194912310021"}, "number"),
    ({"name": "王", "number": RIGHT, "born": "1949-12-30"}, "born"),
    ({"name": "王", "number": RIGHT, "sex": "male"}, "sex"),
    ({"name": "王", "born": "2026-11-23"}, "born"),
    ({"name": "王", "born": "1949-13-01"}, "born"),
    ({"name": "王"}, "born"),
    ({"name": "😀", "number": RIGHT}, "name"),
    ({"name": "<b>王", "number": RIGHT}, "name"),
    ({"name": "王" * 61, "number": RIGHT}, "name"),
    ({"name": "王", "number": RIGHT, "phone": "at home"}, "phone"),
    ({"name": "王", "number": RIGHT, "phone": "1"}, "phone"),
    ({"name": "王", "number": RIGHT, "address": "街" * 201}, "address"),
])
def test_faults_stand_at_their_field(given: dict[str, str], field: str) -> None:
    assert set(desk.read(given, TODAY).faults) == {field}


async def post(api: httpx.AsyncClient, **fields: str) -> httpx.Response:
    page = await api.get("/population/register", headers=HTML)
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token
    return await api.post("/population/register", data={"csrf": token[1], **fields}, headers=HTML)


async def test_a_resident_is_looked_up_then_registered_once(api: httpx.AsyncClient) -> None:
    who = {"name": "诸葛秀英", "number": RIGHT, "phone": "13912345678"}
    looked = await post(api, **who)
    assert looked.status_code == 200
    assert "Nobody alike" in looked.text
    made = await post(api, **who, register="yes")
    assert made.status_code == 303
    again = await post(api, **who, register="yes")
    assert again.status_code == 200
    assert "This person is registered" in again.text
    found = await api.get("/fhir/Patient?identifier=" + RIGHT)
    assert len(found.json()["entry"]) == 1
    wrong = await post(api, name="诸葛秀英", number="110105194912310021")
    assert wrong.status_code == 422
    assert 'aria-describedby="number-error"' in wrong.text
