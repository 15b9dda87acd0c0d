"""The pages: found, booked in three taps, cancelled; the week laid out; received, called, and on the screen."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.commons.access import Actor
from kangyun.commons.population import Cards
from kangyun.support.appointments.tests.clinic import (
    DOCTOR,
    HOSPITAL,
    OTHER,
    Somebody,
    World,
    at,
    in_china,
    opened,
    today,
)


@pytest.fixture(scope="module")
async def world(services: Services) -> World:
    return await opened(services)


def browser(world: World, who: Somebody):
    return world.client(Actor(f"user/{who.person}", "resident", person=who.person, account=who.person), "session")


def staff(world: World, role: str, institution: str | None = HOSPITAL):
    return world.client(Actor(f"user/{role}", role, institution=institution, account=f"{role}-{institution}"), "session")


async def post(client: httpx.AsyncClient, page: str, to: str = "", **fields: str) -> httpx.Response:
    """Fill in a form of a page and send it."""
    shown = (await client.get(page)).text
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', shown)
    assert token, shown[:300]
    return await client.post(to or page, data={"csrf": token[1], **fields})


async def test_a_resident_finds_books_and_cancels(world: World) -> None:
    sitting, who = await world.sitting(3, schedule=await world.schedule(title="高血压专病门诊")), await world.resident()
    async with browser(world, who) as phone:
        found = await post(phone, "/appointments", q="wjg", kind="outpatient")
        assert found.status_code == 200, found.text
        assert "王建国" in found.text
        assert "高血压专病门诊" in (await post(phone, "/appointments", q="血压高", kind="outpatient")).text
        led = await post(phone, "/appointments", q="突然胸痛", kind="outpatient")
        assert "120" in led.text
        days = await phone.get(f"/appointments/schedule/{sitting.schedule}")
        assert f"/appointments/sitting/{sitting.id}" in days.text
        done = await post(phone, f"/appointments/sitting/{sitting.id}", event="book", number=f"{sitting.id}.2", key="k1")
        assert done.status_code == 303, done.text
        mine = (await phone.get("/appointments/mine")).text
        assert "高血压专病门诊" in mine
        booking = done.headers["location"].partition("#")[2]
        # The same form once more: the same booking, and not a second one.
        again = await post(phone, f"/appointments/sitting/{sitting.id}", event="book", number=f"{sitting.id}.2", key="k1")
        assert again.headers["location"].endswith(booking)
        assert (await post(phone, f"/appointments/sitting/{sitting.id}", event="book", key="k2")).status_code == 409
        assert (await post(phone, "/appointments/mine", f"/appointments/booking/{booking}/cancel")).status_code == 303
        assert "已取消" in (await phone.get("/appointments/mine")).text
    # The number does not come back to whoever stands ready for it.
    async with browser(world, await world.resident("吴桂英")) as other:
        assert f"{sitting.id}.2" not in (await other.get(f"/appointments/sitting/{sitting.id}")).text


async def test_searching_puts_no_text_into_an_address(world: World) -> None:
    async with browser(world, await world.resident()) as phone:
        form = re.search(r'<form[^>]*action="/appointments"[^>]*>', (await phone.get("/appointments")).text)
        assert form
        assert 'method="post"' in form[0]
        assert "geolocation=(self)" in (await phone.get("/appointments")).headers["permissions-policy"]


async def test_a_scheduler_lays_out_a_week_and_stops_a_day(world: World) -> None:
    day = today() + timedelta(days=3)
    async with staff(world, "institution_admin") as desk:
        made = await post(desk, "/appointments/calendar/clinic", institution=HOSPITAL, kind="outpatient", department="03.07", title="糖尿病门诊", practitioner=DOCTOR, fee="15")
        assert made.status_code == 303, made.text
        wrong = await post(desk, "/appointments/calendar/clinic", institution=HOSPITAL, kind="outpatient", department="03.07", title="门诊", fee="十五元")
        assert (wrong.status_code, 'value="十五元"' in wrong.text) == (422, True)
        home = made.headers["location"]
        added = await post(desk, home, event="template", weekday=str(day.isoweekday()), begins="14:00", minutes="10", numbers="6", **{"quota-on_site": "2"})
        assert added.status_code == 303, added.text
        over = (await post(desk, home, event="template", weekday=str(day.isoweekday()), begins="14:30", minutes="15", numbers="7", **{"quota-web": "3"})).text
        assert "重叠" in over
        for kept in ('name="begins" type="time" value="14:30"', 'value="15"', 'value="7"', 'name="quota-web" type="number" min="0" max="500" value="3"', f'value="{day.isoweekday()}" selected'):
            assert kept in over, "what was typed stands there still"
        template = re.search(r'name="template" value="(\d+)"', over)
        assert template
        for last, reason in (("9999-12-31", "退休"), ("0001-01-01", "退休"), (day.isoformat(), " ")):
            assert (await post(desk, home, event="end", template=template[1], last=last, reason=reason)).status_code == 422
        assert 'name="template"' in (await desk.get(home)).text, "what was refused has ended nothing"
        assert (await post(desk, home, event="closed", day="9999-12-31", reason="假")).status_code == 422
        assert (await post(desk, home, event="template", weekday="1", begins="14:30", minutes="10", numbers="6", **{"quota-web": "9"})).status_code == 422
        week = (await desk.get(f"/appointments/calendar?week={day}")).text
        assert "14:00–15:00" in week
        assert "0/6" in week
        sitting = re.search(rf"/appointments/calendar/([0-9a-f]+\.{day:%y%m%d}1400)", week)
        assert sitting
        who = await world.resident()
        async with browser(world, who) as phone:
            assert (await post(phone, f"/appointments/sitting/{sitting[1]}", event="book", key="a")).status_code == 303
        assert (await post(desk, f"/appointments/calendar/{sitting[1]}", event="stop", reason="")).status_code == 422
        stopped = await post(desk, f"/appointments/calendar/{sitting[1]}", event="stop", reason="医生外出会诊")
        assert "已通知 1 位" in stopped.text
        async with browser(world, who) as phone:
            assert "已取消" in (await phone.get("/appointments/mine")).text
    async with staff(world, "institution_admin", OTHER) as stranger:
        for page in (home, f"/appointments/calendar/{sitting[1]}"):
            assert (await stranger.get(page)).status_code == 404
        assert (await post(stranger, "/appointments/calendar/clinic", institution=HOSPITAL, kind="outpatient", department="03.07", title="别家")).status_code in {404, 422}
    async with browser(world, await world.resident()) as phone:
        assert (await phone.get("/appointments/calendar")).status_code == 403


async def test_the_card_receives_the_queue_calls_and_the_screen_shows_no_name(world: World) -> None:
    sitting, first, second = await world.sitting(4, ahead=2), await world.resident("周秀兰"), await world.resident("欧阳建国", sex="male")
    cards = Cards(world.services.gate.system("test"), world.services.keys)
    held = [await cards.issue(one.patient) for one in (first, second)]
    for one in (first, second):
        async with browser(world, one) as phone:
            assert (await post(phone, f"/appointments/sitting/{sitting.id}", event="book", key="k")).status_code == 303
    at(in_china(sitting.day, 7, 50))
    async with staff(world, "clerk") as desk:
        for n, card in enumerate(held):
            received = await post(desk, "/appointments/desk", "/appointments/desk/card", code=(await cards.dynamic_code(card)).text)
            assert f"data-place>{n + 1}<" in received.text, received.text
        assert "今天在本机构没有" in (await post(desk, "/appointments/desk", "/appointments/desk/card", code=(await cards.dynamic_code(await cards.issue((await world.resident("路人")).patient))).text)).text
        queue = f"/appointments/desk/queue/{sitting.id}"
        assert (await post(desk, queue, event="next")).status_code == 303
        part = await desk.get(f"{queue}?part=queue")
        assert (part.status_code, "<html" in part.text, "周秀兰" in part.text) == (200, False, True)
        link = re.search(r'href="(/appointments/screen/[^"]+)"', (await desk.get("/appointments/calendar")).text)
        assert link
    async with httpx.AsyncClient(transport=world.transport, base_url="http://kangyun.test", headers={"accept": "text/html"}) as hall:
        screen = await hall.get(link[1])
        assert screen.status_code == 200
        assert "周**" in screen.text
        assert "周秀兰" not in screen.text
        assert "欧阳建国" not in (await hall.get(f"{link[1]}?part=live")).text
        assert (await hall.get(link[1][:-2] + "00")).status_code == 404
        assert (await hall.get(link[1].replace(HOSPITAL, OTHER))).status_code == 404


async def test_the_clerk_books_for_whom_is_at_the_window(world: World) -> None:
    sitting, who = await world.sitting(3, ahead=0 if in_china(today(), 8) > in_china(today(), 23) else 1), await world.resident("孙凤英")
    async with staff(world, "clerk") as desk:
        assert "还没有选择" in (await desk.get(f"/appointments/sitting/{sitting.id}")).text
        found = await post(desk, "/appointments/desk", "/appointments/desk/find", q="孙凤英")
        assert who.patient in found.text
        assert (await post(desk, "/appointments/desk", "/appointments/desk/for", patient=who.patient)).status_code == 303
        assert (await post(desk, f"/appointments/sitting/{sitting.id}", event="book", key="w")).status_code == 303
        assert "孙凤英" in (await desk.get("/appointments/mine")).text
    elsewhere = await world.sitting(2, ahead=3, schedule=await world.schedule(institution=OTHER, department="15", title="心理门诊"))
    async with browser(world, who) as phone:
        assert (await post(phone, f"/appointments/sitting/{elsewhere.id}", event="book", key="e")).status_code == 303
        assert "心理门诊" in (await phone.get("/appointments/mine")).text
    async with staff(world, "clerk") as desk:
        await post(desk, "/appointments/desk", "/appointments/desk/for", patient=who.patient)
        told = (await desk.get("/appointments/mine")).text
        assert ("心血管内科门诊" in told, "心理门诊" in told) == (True, False)


@pytest.mark.parametrize("page", ["/appointments", "/appointments/mine", "/appointments/desk", "/appointments/calendar", "/appointments/calendar/clinic"])
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_page_opens_in_both_languages(world: World, page: str, language: str) -> None:
    async with staff(world, "clerk") as desk:
        shown = await desk.get(page, headers={"accept-language": language})
        assert shown.status_code == 200
        assert "appointments." not in re.sub(r'(href|src|action|id|hx-get)="[^"]*"', "", shown.text)
