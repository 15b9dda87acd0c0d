"""Residents say who they are, and act for children and old people, through the real pages."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from kangyun.app.services import Services
from kangyun.base import clock
from kangyun.base.web.display import written_date
from kangyun.commons.access import Write
from kangyun.commons.access.actions.accounts import Post
from kangyun.commons.access.gateways.sms_simulator import Simulator
from kangyun.commons.access.queries.guardians import guardianships
from kangyun.commons.access.tests.doors import bind, browser, enter, later, log_in, resident, said, staff

GRANDMA = ("陈凤兰", "990101193909220269", "1939-09-22")
MOTHER = ("王秀英", "990101198503040028", "1985-03-04")
CHILD = ("王小雨", "990101201405010021", "2014-05-01")
TEEN = ("王大雨", "990101201001010023", "2010-01-01")


@pytest.fixture(scope="module")
async def people(platform: Services) -> dict[str, str]:
    """The Person of each by name."""
    return {who[0]: (await resident(platform, *who))[0] for who in (GRANDMA, MOTHER, CHILD, TEEN)}


async def test_a_resident_is_bound_once_and_then_sees_the_own_pages(platform: Services, simulator: Simulator, people: dict[str, str]) -> None:
    async with browser(platform) as at, browser(platform) as other:
        await enter(at, simulator, "12900000101")
        before = at.session
        assert (await bind(at, GRANDMA)).status_code == 303
        assert at.session != before
        actor = await platform.entries.actor(at.session or "")
        assert actor
        assert (actor.role, actor.person) == ("resident", people["陈凤兰"])
        assert await platform.entries.actor(before or "") is None
        assert "陈凤兰" in (await at.get("/account")).text
        await enter(other, simulator, "12900000102")
        assert (await bind(other, GRANDMA)).status_code == 409


async def test_a_lost_phone_is_replaced_at_the_counter(platform: Services, simulator: Simulator) -> None:
    who = ("陈小凤", "990101195503040024", "1955-03-04")
    await resident(platform, *who)
    await staff(platform, "card_counter", Post("card_desk", "h-1"))
    async with browser(platform) as old, browser(platform) as new, browser(platform) as clerk:
        await enter(old, simulator, "12900000111")
        assert (await bind(old, who)).status_code == 303
        await log_in(clerk, "card_counter")
        wrong = await clerk.post("/access/guardians", "/access/guardians/release", name="某某", id=who[1])
        assert wrong.status_code == 422
        assert (await clerk.post("/access/guardians", "/access/guardians/release", name=who[0], id=who[1])).status_code == 200
        assert (await old.get("/account")).status_code == 303
        await enter(new, simulator, "12900000112")
        assert (await bind(new, who)).status_code == 303


async def test_an_account_follows_a_person_who_was_found_to_be_another(platform: Services, simulator: Simulator) -> None:
    first, _ = await resident(platform, "赵兰", "990101197703040021", "1977-03-04")
    second, patient = await resident(platform, "赵兰", "990101197703040048", "1977-03-04")
    async with browser(platform) as at:
        await enter(at, simulator, "12900000114")
        assert (await bind(at, ("赵兰", "990101197703040021", ""))).status_code == 303
        merged = {"resourceType": "Person", "id": first, "active": False, "link": [{"target": {"reference": f"Person/{second}"}}]}
        await platform.gate.system("tests").commit([Write("update", "Person", merged, first)])
        later(minutes=2)
        # The next page that says who is logged in finds it out, and ends the session.
        await at.get("/account")
        assert (await at.get("/account")).status_code == 303
        await enter(at, simulator, "12900000114")
        actor = await platform.entries.actor(at.session or "")
        assert actor
        assert (actor.role, actor.person) == ("resident", second)
    assert patient


async def test_a_number_that_its_operator_gave_to_somebody_else_opens_nothing(platform: Services, simulator: Simulator) -> None:
    who = ("林静", "990101196603040025", "1966-03-04")
    await resident(platform, *who)
    async with browser(platform) as hers, browser(platform) as his:
        await enter(hers, simulator, "12900000113")
        assert (await bind(hers, who)).status_code == 303
        later(days=89)
        await enter(hers, simulator, "12900000113")
        assert "林静" in (await hers.get("/account")).text
        later(days=89 + 91)
        await enter(his, simulator, "12900000113")
        page = (await his.get("/account")).text
        assert "Not verified yet" in page
        assert "林静" not in page
        assert await platform.entries.actor(hers.session or "") is None
        # She says who she is and has her record back.
        assert (await bind(his, who)).status_code == 303


async def test_a_wrong_name_and_an_unknown_number_look_the_same(platform: Services, simulator: Simulator, people: dict[str, str]) -> None:
    assert people
    async with browser(platform) as at:
        await enter(at, simulator, "12900000103")
        wrong = await bind(at, ("王小明", GRANDMA[1], ""))
        unknown = await bind(at, ("王小明", "990101193909220277", ""))
        assert wrong.status_code == unknown.status_code == 422
        assert said(wrong) == said(unknown) != ""
        assert ('value="王小明"' in wrong.text, f'value="{GRANDMA[1]}"' in wrong.text) == (True, True), "one wrong digit is mended, not all typed anew"


async def test_wrong_tries_are_limited_for_the_account_and_for_the_number(platform: Services, simulator: Simulator, people: dict[str, str]) -> None:
    assert people
    async with browser(platform) as at, browser(platform) as other:
        await enter(at, simulator, "12900000104")
        answers = [(await bind(at, ("某某", f"99010119390922{number:04d}", ""))).status_code for number in range(1000, 1006)]
        assert answers == [422] * 5 + [429]
        assert (await bind(at, MOTHER)).status_code == 429
        # Another account has tries of its own, the same number has not.
        await enter(other, simulator, "12900000105")
        assert [(await bind(other, ("某某", CHILD[1], ""))).status_code for _ in range(2)] == [422, 422]


async def test_a_child_has_no_login_of_its_own_before_a_guardian_is_there(platform: Services, simulator: Simulator, people: dict[str, str]) -> None:
    assert people
    async with browser(platform) as at:
        await enter(at, simulator, "12900000106")
        refused = await bind(at, CHILD)
        assert refused.status_code == 403
        assert "guardian" in said(refused)
        assert (await bind(at, TEEN)).status_code == 303


async def test_a_mother_acts_for_her_child_after_the_papers_were_seen(platform: Services, simulator: Simulator, people: dict[str, str]) -> None:
    await staff(platform, "counter", Post("clerk", "h-1"))
    async with browser(platform) as mother, browser(platform) as clerk:
        await enter(mother, simulator, "12900000107")
        assert (await bind(mother, MOTHER)).status_code == 303
        asked = {"name": CHILD[0], "number": CHILD[1], "proof": "B330000001"}
        refused = await mother.post("/account", "/account/wards", document="authorisation", **asked)
        assert (refused.status_code, all(f'value="{one}"' in refused.text for one in asked.values()), 'value="authorisation" selected' in refused.text) == (422, True, True)
        assert "choose a document that says “child”" in refused.text
        assert "birth certificate (child)" in refused.text, "the list tells for whom each is good"
        assert (await mother.post("/account", "/account/wards", document="birth_certificate", **asked)).status_code == 303
        page = await mother.get("/account")
        number = "".join(re.findall(r'class="identifier">(\d{4}) (\d{4})<', page.text)[0])
        assert (await mother.post("/account", "/account/switch", kind="ward", to=people[CHILD[0]])).status_code == 403

        await log_in(clerk, "counter")
        assert (await clerk.post("/access/guardians", "/access/guardians", number="00000000")).status_code == 404
        shown = await clerk.post("/access/guardians", "/access/guardians", number=number)
        assert all(text in shown.text for text in (MOTHER[0], CHILD[0], "B330000001"))
        assert (await clerk.post("/access/guardians", "/access/guardians/decide", number=number, verdict="attest")).status_code == 200

        await mother.post("/account", "/account/switch", kind="ward", to=people[CHILD[0]])
        actor = await platform.entries.actor(mother.session or "")
        assert actor
        assert (actor.role, actor.person) == ("guardian", people[CHILD[0]])
        acting = mother.session
        [held] = await guardianships(platform.database, actor.account or "")
        assert held.ends.astimezone(UTC).isoformat() == "2032-04-30T16:00:00+00:00"
        await mother.post("/account", "/account/switch", kind="ward", to="")
        assert await platform.entries.actor(acting or "") is None


async def test_an_old_woman_ends_what_she_has_allowed_and_it_ends_at_once(platform: Services, simulator: Simulator, people: dict[str, str]) -> None:
    later(days=2)
    async with browser(platform) as daughter, browser(platform) as grandma, browser(platform) as clerk:
        await enter(daughter, simulator, "12900000107")
        until = (clock.now() + timedelta(days=30)).date().isoformat()
        asked = await daughter.post("/account", "/account/wards", name=GRANDMA[0], number=GRANDMA[1], document="authorisation", proof="委2026-1", until=until)
        assert asked.status_code == 303
        number = "".join(re.findall(r'class="identifier">(\d{4}) (\d{4})<', (await daughter.get("/account")).text)[-1])
        await log_in(clerk, "counter")
        day = written_date("en", until)
        assert day in (await clerk.post("/access/guardians", "/access/guardians", number=number)).text, "the day that stands on the paper"
        await clerk.post("/access/guardians", "/access/guardians/decide", number=number, verdict="attest")
        await daughter.post("/account", "/account/switch", kind="ward", to=people[GRANDMA[0]])
        acting = daughter.session or ""
        home = (await daughter.get("/resident/")).text
        assert f"You are acting for {GRANDMA[0]}" in home
        assert "Back to myself" in home
        assert await platform.entries.actor(acting)
        await enter(grandma, simulator, "12900000101")
        assert "somebody may see your record and act for you" in (await grandma.get("/resident/notices")).text, "she is told, whoever brought the papers"
        page = await grandma.get("/account")
        assert MOTHER[0] in page.text
        assert f"to the end of {day}" in page.text
        [one] = re.findall(r'name="guardianship" value="(\w+)"', page.text)
        assert (await grandma.post("/account", "/account/wards/end", guardianship=one)).status_code == 303
        assert await platform.entries.actor(acting) is None


async def test_strangers_end_nothing_and_nobody_attests_without_the_permission(platform: Services, simulator: Simulator, people: dict[str, str]) -> None:
    assert people
    later(days=4)
    async with browser(platform) as mother, browser(platform) as stranger:
        await enter(mother, simulator, "12900000107")
        [one] = re.findall(r'name="guardianship" value="(\w+)"', (await mother.get("/account")).text)
        await enter(stranger, simulator, "12900000106")
        assert (await stranger.post("/account", "/account/wards/end", guardianship=one)).status_code == 404
        assert (await stranger.get("/access/guardians")).status_code == 403


async def test_a_guardianship_of_a_child_ends_on_the_eighteenth_birthday(platform: Services, simulator: Simulator, people: dict[str, str]) -> None:
    acting = ""
    async with browser(platform) as mother:
        birthday = datetime(2032, 4, 30, 16, tzinfo=UTC)
        for ahead, status in ((timedelta(minutes=-5), 303), (timedelta(minutes=5), 403)):
            clock.set_source(lambda ahead=ahead: birthday + ahead)
            await enter(mother, simulator, "12900000107")
            if status == 303:
                # After years the phone alone proves nothing; whom she acts for is known of her, not of the account.
                assert (await bind(mother, MOTHER)).status_code == 303
            switched = await mother.post("/account", "/account/switch", kind="ward", to=people[CHILD[0]])
            assert switched.status_code == status
            if status == 303:
                acting = mother.session or ""
                assert await platform.entries.actor(acting)
        assert await platform.entries.actor(acting) is None
