"""The card desk and the scanning page over the real application."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.base import clock
from kangyun.base.settings import Settings
from kangyun.base.web.display import CHINA
from kangyun.commons.access import Actor
from kangyun.commons.population.actions.cards import Cards
from kangyun.commons.population.actions.residents import register
from kangyun.commons.population.model import ID_NUMBER_SYSTEM

HTML = {"accept": "text/html", "accept-language": "zh"}
NUMBER = "990101199001011018"


@pytest.fixture(scope="module")
def cards(services: Services) -> Cards:
    return Cards(services.gate.system("test"), services.keys)


async def somebody(cards: Cards, name: str, number: str) -> str:
    identifier = [{"system": ID_NUMBER_SYSTEM, "value": number}]
    patient = {"resourceType": "Patient", "name": [{"text": name}], "gender": "female", "birthDate": "1990-01-01", "identifier": identifier}
    return await register(cards.handle, patient, "his")


@pytest.fixture(scope="module")
async def resident(cards: Cards) -> str:
    return await somebody(cards, "周秀兰", NUMBER)


async def post(api: httpx.AsyncClient, address: str, **fields: str) -> httpx.Response:
    page = await api.get("/population/cards", headers=HTML)
    token = re.search(r'name="csrf" content="(\w+)"', page.text)
    assert token
    return await api.post(address, data={"csrf": token[1], **fields}, headers=HTML)


async def test_a_clerk_looks_up_issues_and_prints(api: httpx.AsyncClient, cards: Cards, resident: str):
    found = await post(api, "/population/cards?part=found", q=NUMBER)
    assert "周秀兰" in found.text
    assert "未发卡" in found.text
    assert NUMBER not in found.text.replace(f'value="{NUMBER}"', "")
    weak = await post(api, f"/population/cards/{resident}/issue", pin="123456")
    assert (weak.status_code, "口令需要 6 位数字" in weak.text) == (422, True)
    done = await post(api, f"/population/cards/{resident}/issue", pin="240517")
    assert done.status_code == 303
    (card,) = await cards.of(resident)
    page = await api.get(f"/population/cards/{resident}", headers=HTML)
    assert "第几次发卡" in page.text
    assert NUMBER not in page.text
    paper = await api.get(f"/population/cards/{card.patient}/card.pdf")
    assert paper.content.startswith(b"%PDF")
    assert paper.headers["content-type"] == "application/pdf"


async def test_a_clerk_freezes_and_replaces(api: httpx.AsyncClient, cards: Cards, resident: str):
    (card,) = await cards.of(resident)
    address = f"/population/cards/{card.patient}/change"
    for event, state in (("freeze", "frozen"), ("unfreeze", "active"), ("report_lost", "lost"), ("replace", "active")):
        assert (await post(api, address, event=event, pin="771204")).status_code == 303
        assert (await cards.of(resident))[0].state == state
    assert (await post(api, address, event="unfreeze")).status_code == 409
    assert (await post(api, address, event="set-pin", pin="582931")).status_code == 303
    assert (await cards.of(resident))[0].issue == 2


async def test_a_newborn_gets_a_card_that_the_mother_shows(api: httpx.AsyncClient, cards: Cards, resident: str):
    today = clock.now().astimezone(CHINA).date()
    for wrong in (today + timedelta(days=1), today - timedelta(days=61), "2026-02-31", "yesterday"):
        refused = await post(api, f"/population/cards/{resident}/newborn", sex="male", born=str(wrong))
        assert (refused.status_code, "60 天" in refused.text) == (422, True)
    done = await post(api, f"/population/cards/{resident}/newborn", sex="male", born=today.isoformat())
    assert done.status_code == 303
    child = done.headers["location"].rpartition("/")[2]
    page = await api.get(done.headers["location"], headers=HTML)
    assert "周秀兰之新生儿" in page.text
    assert await cards.may_show(resident, child)
    assert (await api.get(f"/population/cards/{child}/card.pdf?lang=en")).content.startswith(b"%PDF")


async def test_a_stranger_gets_a_card_that_is_joined_later(api: httpx.AsyncClient, cards: Cards, resident: str):
    done = await post(api, "/population/cards/stranger", name="", sex="male")
    stranger = done.headers["location"].rpartition("/")[2]
    assert (await post(api, f"/population/cards/{stranger}/join", q="nobody")).status_code == 422
    assert (await post(api, f"/population/cards/{stranger}/join", q=NUMBER)).status_code == 303
    assert (await cards.of(stranger))[-1].state == "joined"


async def test_a_button_that_is_pressed_twice_gives_one_temporary_card(api: httpx.AsyncClient, resident: str):
    today = clock.now().astimezone(CHINA).date().isoformat()
    for page, form, said in (
        ("/population/cards", "/population/cards/stranger", {"name": "桥下的老人", "sex": "male"}),
        (f"/population/cards/{resident}", f"/population/cards/{resident}/newborn", {"sex": "female", "born": today}),
    ):
        key = re.search(r'name="key" value="(\w+)"', (await api.get(page, headers=HTML)).text)
        assert key
        answers = await asyncio.gather(*(post(api, form, **said, key=key[1]) for _ in range(3)))
        assert {one.status_code for one in answers} == {303}
        assert len({one.headers["location"] for one in answers}) == 1
        another = re.search(r'name="key" value="(\w+)"', (await api.get(page, headers=HTML)).text)
        assert another
        twin = await post(api, form, **said, key=another[1])
        assert twin.headers["location"] != answers[0].headers["location"], "who looks at the form anew means somebody else"


async def test_family_is_recorded_with_proof(api: httpx.AsyncClient, cards: Cards, resident: str):
    parent = await somebody(cards, "周建国", "990101196501010019")
    fields = {"q": "990101196501010019", "relation": "3", "proof": "household-register", "number": "H1", "until": "2099-01-01"}
    assert (await post(api, f"/population/cards/{resident}/entrust", **{**fields, "until": "2001-01-01"})).status_code == 422
    assert (await post(api, f"/population/cards/{resident}/entrust", **fields)).status_code == 303
    assert await cards.may_show(parent, resident)
    assert "户口簿" in (await api.get(f"/population/cards/{parent}", headers=HTML)).text


async def test_the_scanning_page_tells_who_or_why_not(api: httpx.AsyncClient, cards: Cards, resident: str):
    page = await api.get("/population/scan", headers=HTML)
    assert "camera=(self)" in page.headers["permissions-policy"]
    assert "camera=()" in (await api.get("/population/cards", headers=HTML)).headers["permissions-policy"]
    place = {"step": "010101", "channel": "01", "terminal": "T1"}
    (card, *_) = await cards.of(resident)
    code = (await cards.dynamic_code(card)).text
    assert "周秀兰" in (await post(api, "/population/scan", code=code, **place)).text
    again = await post(api, "/population/scan", code=code, **place)
    assert "已经用过" in again.text
    assert "<html" not in again.text
    asked = await post(api, "/population/scan", code=cards.printed_code(card), **place)
    assert 'name="pin"' in asked.text
    assert "已识别" in (await post(api, "/population/scan", code=cards.printed_code(card), pin="582931", **place)).text


async def test_a_clerk_may_do_all_of_it_and_no_more(services: Services):
    settings = Settings(data=services.settings.data, access_local_role="clerk")
    own = replace(services, settings=settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(build(own, {})), base_url="http://desk.test") as desk:
        cards = Cards(services.gate.open(Actor("clerk-1", "clerk"), "care"), services.keys)
        person = await somebody(cards, "吴芳", "990101199001012002")
        assert (await post(desk, f"/population/cards/{person}/issue", pin="240517")).status_code == 303
        done = await post(desk, "/population/cards/stranger", name="", sex="female")
        assert (await post(desk, f"{done.headers['location']}/join", q="990101199001012002")).status_code == 303
        for address in ("/clinician/", "/resident/", "/metrics"):
            assert (await desk.get(address, headers=HTML)).status_code == 403
