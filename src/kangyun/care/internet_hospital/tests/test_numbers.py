"""The pages on which a resident takes a number, sees how long it is held, and goes on to pay it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import time, timedelta

import pytest

from kangyun.base import clock
from kangyun.base.web.display import CHINA
from kangyun.care.internet_hospital.actions import numbers
from kangyun.care.internet_hospital.tests.scene import ID_NUMBERS, Scene, Somebody
from kangyun.commons.access import Actor, Write
from kangyun.support import appointments
from kangyun.support.appointments import Part, Schedule, Template, add_template, arrange


@pytest.fixture(autouse=True)
def channels() -> Iterator[None]:
    """Somebody takes money."""
    appointments.paid_at(numbers.place, lambda _settings: True)
    yield
    appointments.paid_at(numbers.place, numbers.is_open)


async def sitting(scene: Scene, fee: int) -> str:
    work, day = scene.services.gate.system("test"), clock.now().astimezone(CHINA).date() + timedelta(days=2)
    of = await arrange(work, Schedule("", scene.hospital, "outpatient", "03.04", "", "心血管内科门诊", fee=fee))
    await add_template(work, of.id, Template(day.isoweekday(), Part(time(8), 10, 3), day, day))
    return f"{of.id}.{day:%y%m%d}0800"


async def known(scene: Scene, name: str, number: str) -> Actor:
    """A resident with a real name, which the pool asks for."""
    who, named = await scene.resident(name), {"identifier": [{"system": ID_NUMBERS, "value": number}]}
    person = await scene.platform.read("Person", who.person or "")
    await scene.platform.commit([Write("update", "Person", {**(person or {}), **named}, who.person)])
    return who


async def posted(who: Somebody, page: str, **fields: str) -> str:
    """Send the form of a page; where it leads."""
    shown = await who.page.get(page)
    csrf = re.search(r'name="csrf" value="([^"]+)"', shown.text)
    assert csrf, shown.text[:500]
    answer = await who.page.post(page, data={"csrf": csrf[1], **fields})
    assert answer.status_code == 303, answer.text[:500]
    return answer.headers["location"]


async def test_a_number_is_held_with_its_clock_and_leads_to_one_payment(scene: Scene) -> None:
    of = await sitting(scene, 1500)
    async with scene.at(await known(scene, "周秀兰", "990101195803040246")) as mine, scene.at(await scene.resident("路人甲")) as other:
        page = f"/appointments/sitting/{of}"
        assert "held for 15 minutes" in (await mine.page.get(page)).text
        fee = await posted(mine, page, event="hold")
        assert re.fullmatch(r"/consult/number/[\w-]+", fee)
        shown = (await mine.page.get(fee)).text
        assert "15 minutes left" in shown
        assert "15.00" in shown
        ahead = (await mine.page.get("/appointments/mine")).text
        assert "Held until" in ahead
        assert f'href="{fee}"' in ahead
        order = await posted(mine, fee)
        assert order.startswith("/payments/orders/")
        assert await posted(mine, fee) == order, "pressed twice it is one payment"
        assert "15.00" in (await mine.page.get(order)).text
        assert (await other.page.get(fee)).status_code == 404, "what another holds is not there"


async def test_what_is_not_held_any_more_is_not_paid(scene: Scene) -> None:
    of = await sitting(scene, 1500)
    async with scene.at(await known(scene, "林秀英", "990101195803040262")) as mine:
        fee = await posted(mine, f"/appointments/sitting/{of}", event="hold")
        id_ = fee.rpartition("/")[2]
        assert (await mine.do(f"Appointment/{id_}/$cancel")).status_code == 200
        answer = await mine.page.get(fee)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/appointments/mine#{id_}")
        assert (await mine.do(f"Appointment/{id_}/$checkout")).status_code == 409
        assert f'href="{fee}"' not in (await mine.page.get("/appointments/mine")).text


async def test_where_nobody_takes_money_a_number_is_paid_at_the_hospital(scene: Scene) -> None:
    appointments.paid_at(numbers.place, numbers.is_open)
    async with scene.at(await known(scene, "郑玉兰", "990101195803040246")) as mine:
        shown = (await mine.page.get(f"/appointments/sitting/{await sitting(scene, 1500)}")).text
        assert 'value="book"' in shown
        assert 'value="hold"' not in shown


async def test_where_nothing_is_to_be_paid_a_number_is_simply_booked(scene: Scene) -> None:
    async with scene.at(await known(scene, "吴桂英", "990101195803040289")) as mine:
        page = f"/appointments/sitting/{await sitting(scene, 0)}"
        assert 'value="hold"' not in (await mine.page.get(page)).text
        assert (await posted(mine, page, event="book")).startswith("/appointments/mine#")
