"""A resident takes the account to another phone: only the holder, only to a phone at hand, and the former phone hears of it."""

from __future__ import annotations

from kangyun.app.services import Services
from kangyun.commons.access.actions.accounts import Post
from kangyun.commons.access.gateways.sms_simulator import Simulator
from kangyun.commons.access.tests.doors import Browser, bind, browser, enter, later, log_in, resident, said, staff

WANG = ("王素云", "990101195806170023", "1958-06-17")
LI = ("李青山", "990101196102110037", "1961-02-11")


def texts_to(simulator: Simulator, phone: str) -> list[str]:
    return [one.text for one in simulator.messages if one.to == phone]


async def person_of(platform: Services, at: Browser) -> str | None:
    actor = await platform.entries.actor(at.session or "")
    return actor.person if actor else None


async def test_the_account_goes_to_the_new_phone_with_everything(platform: Services, simulator: Simulator) -> None:
    person, _ = await resident(platform, *WANG)
    async with browser(platform) as at, browser(platform) as tablet, browser(platform) as new:
        await enter(at, simulator, "12900000301")
        assert (await bind(at, WANG)).status_code == 303
        simulator.messages.clear()
        asked = await at.post("/account", "/account/phone", name=WANG[0], number=WANG[1], phone="12900000302")
        assert (asked.status_code, asked.headers["location"]) == (303, "/account/phone")
        page = (await at.get("/account/phone")).text
        assert "129****0302" in page
        assert "12900000302" not in page
        assert (await at.post("/account/phone", "/account/phone/check", code="000000")).status_code == 401
        before = at.session
        done = await at.post("/account/phone", "/account/phone/check", code=simulator.code("12900000302"))
        assert (done.status_code, done.headers["location"]) == (303, "/account")
        assert at.session != before
        assert "129****0302" in (await at.get("/account")).text
        assert any("换绑" in one for one in texts_to(simulator, "12900000301"))
        later(minutes=2)
        await enter(new, simulator, "12900000302")
        assert await person_of(platform, new) == person
        # Whoever gets the former number begins with nothing.
        await enter(tablet, simulator, "12900000301")
        assert await person_of(platform, tablet) is None


async def test_other_devices_are_logged_out(platform: Services, simulator: Simulator) -> None:
    async with browser(platform) as at, browser(platform) as other:
        await enter(at, simulator, "12900000311")
        other.client.cookies.update(at.client.cookies)
        entered = await other.get("/account")
        assert entered.status_code == 200
        await at.post("/account", "/account/phone", phone="12900000312")
        assert (await at.post("/account/phone", "/account/phone/check", code=simulator.code("12900000312"))).status_code == 303
        assert (await at.get("/account")).status_code == 200
        assert (await other.get("/account")).status_code == 303


async def test_a_finder_of_an_open_phone_cannot_take_the_account_away(platform: Services, simulator: Simulator) -> None:
    await resident(platform, *LI)
    async with browser(platform) as at:
        await enter(at, simulator, "12900000321")
        assert (await bind(at, LI)).status_code == 303
        simulator.messages.clear()
        wrong = await at.post("/account", "/account/phone", name=WANG[0], number=WANG[1], phone="12900000322")
        assert wrong.status_code == 422
        assert said(wrong)
        assert not texts_to(simulator, "12900000322")
        assert (await at.post("/account", "/account/phone/check", code="123456")).status_code == 410


async def test_the_phone_of_another_resident_is_not_taken(platform: Services, simulator: Simulator) -> None:
    first, second = ("赵明", "990101196506120055", "1965-06-12"), ("钱华", "990101196607130028", "1966-07-13")
    await resident(platform, *first)
    person, _ = await resident(platform, *second)
    async with browser(platform) as at, browser(platform) as other:
        await enter(other, simulator, "12900000331")
        assert (await bind(other, second)).status_code == 303
        await enter(at, simulator, "12900000332")
        assert (await bind(at, first)).status_code == 303
        same = await at.post("/account", "/account/phone", name=first[0], number=first[1], phone="12900000332")
        assert (same.status_code, said(same)) == (422, "This is the phone that you have now.")
        # Even a code that its holder reads out to somebody takes nothing from the holder.
        later(minutes=2)
        asked = await at.post("/account", "/account/phone", name=first[0], number=first[1], phone="12900000331")
        assert asked.status_code == 303
        taken = await at.post("/account/phone", "/account/phone/check", code=simulator.code("12900000331"))
        assert (taken.status_code, "another resident" in said(taken)) == (409, True)
        assert await person_of(platform, other) == person


async def test_staff_have_no_phone_to_move(platform: Services) -> None:
    await staff(platform, "no_phone", Post("nurse", "h-1"))
    async with browser(platform) as at:
        await log_in(at, "no_phone")
        assert (await at.post("/account", "/account/phone", phone="12900000341")).status_code == 403
