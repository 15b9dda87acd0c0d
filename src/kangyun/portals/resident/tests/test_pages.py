"""The resident's pages over the real application."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.app.web import build
from kangyun.base import clock, web
from kangyun.base.settings import Settings
from kangyun.commons.access import SESSION_COOKIE, Actor, Write
from kangyun.commons.population import ID_NUMBER_SYSTEM, Cards, person_of, register
from kangyun.portals.resident.decisions.life import Entry, entries

HTML = {"accept": "text/html", "accept-language": "zh"}
NUMBER = "990101199001011018"


@pytest.fixture(scope="module")
def cards(services: Services) -> Cards:
    return Cards(services.gate.system("test"), services.keys)


@pytest.fixture(scope="module")
async def me(cards: Cards) -> str:
    identifier = [{"system": ID_NUMBER_SYSTEM, "value": NUMBER}]
    patient = {"resourceType": "Patient", "name": [{"text": "周秀兰"}], "gender": "female", "birthDate": "1990-01-01", "identifier": identifier}
    id_ = await register(cards.handle, patient, "his")
    visit = {
        "resourceType": "Encounter", "status": "finished", "class": {"code": "AMB"}, "subject": {"reference": f"Patient/{id_}"},
        "period": {"start": "2026-03-05T09:00:00+08:00"}, "reasonCode": [{"text": "感冒"}], "serviceProvider": {"display": "云州市中医医院"},
    }
    pressure = {
        "resourceType": "Observation", "status": "final", "code": {"text": "收缩压"}, "subject": {"reference": f"Patient/{id_}"},
        "effectiveDateTime": "2024-03-05", "valueQuantity": {"value": 152, "unit": "mm[Hg]"},
    }
    await cards.handle.commit([Write("create", "Encounter", visit), Write("create", "Observation", pressure)])
    return id_


@pytest.fixture
async def phone(api: httpx.AsyncClient, me: str) -> httpx.AsyncClient:
    api.cookies.clear()
    await post(api, "/resident/choose", patient=me)
    return api


async def post(api: httpx.AsyncClient, address: str, **fields: str) -> httpx.Response:
    page = await api.get("/resident/", headers=HTML)
    token = re.search(r'name="csrf" content="(\w+)"', page.text)
    assert token
    return await api.post(address, data={"csrf": token[1], **fields}, headers=HTML)


async def test_without_a_choice_one_is_asked_who_one_is(api: httpx.AsyncClient, me: str):
    api.cookies.clear()
    assert (await api.get("/resident/card", headers=HTML)).headers["location"] == "/resident/"
    page = await api.get("/resident/", headers=HTML)
    assert "只有本机可以这样选择居民" in page.text
    assert me in (await post(api, "/resident/", q=NUMBER)).text
    assert (await api.get("/resident/uses", headers=HTML)).status_code == 403
    assert (await post(api, "/resident/choose", patient="nobody")).status_code == 404


async def test_a_resident_gets_a_card_and_shows_it(phone: httpx.AsyncClient, cards: Cards, me: str):
    assert "申领电子健康卡" in (await phone.get("/resident/card", headers=HTML)).text
    assert (await post(phone, "/resident/card/issue")).status_code == 303
    page = await phone.get("/resident/card", headers=HTML)
    assert 'class="qr"' in page.text
    assert "data-pass" in page.text
    assert NUMBER not in page.text


async def test_the_code_is_renewed_when_it_was_used_or_ended(phone: httpx.AsyncClient, cards: Cards, me: str):
    page = await phone.get("/resident/card", headers=HTML)
    ends = re.search(r'data-ends="(\d+)"', page.text)
    assert ends
    address = f"/resident/card?part=code&ends={ends[1]}"
    assert (await phone.get(address, headers=HTML)).status_code == 204
    fresh = await phone.get(f"{address}&fresh=yes", headers=HTML)
    assert "<html" not in fresh.text
    now = clock.now()
    clock.set_source(lambda: now + timedelta(seconds=181))
    assert "data-ends" in (await phone.get(address, headers=HTML)).text
    for nonsense in ("x", "9" * 30, ""):
        assert "data-ends" in (await phone.get(f"/resident/card?part=code&ends={nonsense}", headers=HTML)).text


async def test_a_use_is_told_at_once_and_in_the_list(phone: httpx.AsyncClient, api: httpx.AsyncClient, cards: Cards, me: str):
    held = await cards.current(me)
    assert held
    shown = await cards.dynamic_code(held)
    place = {"step": "010106", "terminal": "YF-3", "channel": "05"}
    assert (await api.post("/card/scan", json={"code": shown.text, **place})).status_code == 200
    told = await phone.get(f"/resident/card?part=code&ends={int(shown.expires.timestamp())}", headers=HTML)
    assert "刚刚用于取药（YF-3）" in told.text
    assert (await api.post("/card/scan", json={"code": shown.text, **place, "terminal": "YF-9"})).status_code == 409
    uses = (await phone.get("/resident/uses", headers=HTML)).text
    assert "取药" in uses
    assert "YF-9" in uses


async def test_a_resident_freezes_unfreezes_and_reports_lost(phone: httpx.AsyncClient, cards: Cards, me: str):
    for event, text in (("freeze", "健康卡已冻结"), ("unfreeze", 'class="qr"'), ("report_lost", "健康卡已挂失")):
        assert (await post(phone, "/resident/card/change", event=event)).status_code == 303
        assert text in (await phone.get("/resident/card", headers=HTML)).text
    assert (await post(phone, "/resident/card/change", event="replace")).status_code == 409
    held = await cards.current(me)
    assert held
    await cards.replace(held)


async def test_a_strangers_card_is_not_shown(phone: httpx.AsyncClient, cards: Cards):
    other = await cards.issue_temporary("stranger", {"name": [{"text": "无名氏"}]})
    for address in ("/resident/card", "/resident/uses", "/resident/record"):
        assert (await phone.get(f"{address}?of={other.patient}", headers=HTML)).status_code == 403


async def test_the_record_lists_what_happened(phone: httpx.AsyncClient):
    page = (await phone.get("/resident/record", headers=HTML)).text
    assert "感冒" in page
    assert "云州市中医医院" in page
    assert "mmHg" in page
    assert "mm[Hg]" not in page
    assert "2024年3月5日" in page, "a result may be years old"


async def test_the_offline_page_knows_nobody(phone: httpx.AsyncClient):
    answer = await phone.get("/resident/pass", headers=HTML)
    assert answer.headers["x-kept-offline"] == "yes"
    assert "周秀兰" not in answer.text


async def test_from_the_network_nobody_chooses(services: Services):
    own = replace(services, settings=Settings(data=services.settings.data, access_local_role="clinician"))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(build(own, {})), base_url="http://x.test") as client:
        assert (await client.get("/resident/", headers=HTML)).status_code == 403


def test_entries_are_read_from_whatever_stands_in_them():
    assert entries([
        {"resourceType": "Immunization", "occurrenceDateTime": "2025", "vaccineCode": {"coding": [{"code": "1"}, {"display": "流感疫苗"}]}, "performer": [{"actor": {"display": "甲"}}]},
        {"resourceType": "Encounter", "status": "entered-in-error"},
        {"resourceType": "DocumentReference", "type": "x", "date": "2026"},
    ]) == [Entry("DocumentReference", "2026", "", ""), Entry("Immunization", "2025", "流感疫苗", "甲")]


def test_every_text_exists_in_both_languages():
    assert [fault for fault in web.catalogue_problems() if "resident." in fault] == []


async def test_a_summary_is_shared_by_a_link_and_taken_back(phone: httpx.AsyncClient) -> None:
    page = await phone.get("/resident/share", headers=HTML)
    token = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert token
    wish = {"csrf": token[1], "days": "7", "language": "en", "label": "日内瓦", "passcode": "2468"}
    made = await phone.post("/resident/share", data=wish, headers=HTML)
    assert made.status_code == 200
    assert "shlink:/" in made.text
    again = await phone.get("/resident/share", headers=HTML)
    assert "shlink:/" not in again.text
    assert "日内瓦" in again.text
    link = re.search(r'name="link" value="([^"]+)"', again.text)
    assert link
    assert (await phone.post("/resident/share/end", data={"csrf": token[1], "link": link[1]}, headers=HTML)).status_code == 303
    assert 'name="link"' not in (await phone.get("/resident/share", headers=HTML)).text
    refused = await phone.post("/resident/share", data={**wish, "passcode": "1"}, headers=HTML)
    assert refused.status_code == 422
    assert "至少 4 位" in refused.text


async def logged_in(services: Services, api: httpx.AsyncClient, actor: Actor) -> None:
    """Let the browser be a resident's own, as after a login."""
    api.cookies.clear()
    api.cookies.set(SESSION_COOKIE, await services.entries.issue(actor, kind="session", lasts=600))


async def test_a_resident_who_is_logged_in_applies_for_the_card(services: Services, api: httpx.AsyncClient, cards: Cards) -> None:
    told = {"resourceType": "Patient", "name": [{"text": "李梅"}], "identifier": [{"system": ID_NUMBER_SYSTEM, "value": "990101198506120462"}]}
    person = await person_of(cards.handle, await register(cards.handle, told, "his"))
    assert person is not None
    await logged_in(services, api, Actor("user/mei", "resident", person=str(person["id"]), account="mei"))
    assert (await post(api, "/resident/card/issue")).status_code == 303
    assert 'class="qr"' in (await api.get("/resident/card", headers=HTML)).text
    api.cookies.clear()
