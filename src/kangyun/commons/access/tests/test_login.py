"""Logging in through the real pages: phones, passwords and second factors, locks, sessions and their end."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.base.errors import Problem
from kangyun.base.simulators import listening
from kangyun.commons.access import Write
from kangyun.commons.access.actions import accounts, passwords
from kangyun.commons.access.actions.accounts import Post
from kangyun.commons.access.actions.seconds import new_recovery_codes
from kangyun.commons.access.decisions.policy import role_start
from kangyun.commons.access.gateways.sms_simulator import Simulator
from kangyun.commons.access.queries.accounts import by_login, memberships, seconds
from kangyun.commons.access.tests.doors import (
    OPERATOR,
    PASSWORD,
    Browser,
    app_code,
    browser,
    later,
    log_in,
    staff,
    with_phones,
)


@pytest.fixture(scope="module")
def phones() -> Iterator[tuple[Simulator, str]]:
    simulator = Simulator(key=b"between us")
    with listening(simulator.app) as url:
        yield simulator, url


@pytest.fixture(scope="module")
def open_services(services: Services, phones: tuple[Simulator, str]) -> Services:
    return with_phones(services, phones[1], phones[0])


async def by_phone(simulator: Simulator, phone: str, at: Browser) -> None:
    sent = await at.post("/login", "/login/code", phone=phone)
    assert (sent.status_code, sent.headers["location"]) == (303, "/login/code")
    done = await at.post("/login/code", "/login/code/check", code=simulator.code(phone))
    assert done.status_code == 303, done.text


async def test_a_resident_comes_in_by_phone_and_sees_nothing_but_the_account(
    open_services: Services, phones: tuple[Simulator, str],
) -> None:
    async with browser(open_services) as at:
        asked = await at.get("/resident/card")
        assert asked.headers["location"] == "/login?next=%2Fresident%2Fcard"
        await by_phone(phones[0], "12900000001", at)
        assert at.session
        account = await at.get("/account")
        assert account.status_code == 200
        assert "Not verified yet" in account.text
        assert (await at.get("/resident/card")).status_code == 403
        assert (await at.get("/clinician/")).status_code == 403


async def test_a_code_is_good_once_and_five_wrong_ones_end_it(open_services: Services, phones: tuple[Simulator, str]) -> None:
    async with browser(open_services) as at:
        await at.post("/login", "/login/code", phone="129 0000 0002")
        right = phones[0].code("12900000002")
        wrong = f"{(int(right) + 1) % 10**6:06d}"
        for _ in range(5):
            assert (await at.post("/login/code", "/login/code/check", code=wrong)).status_code == 401
        assert (await at.post("/login/code", "/login/code/check", code=right)).status_code == 410
        assert at.session is None


async def test_another_code_must_wait_and_many_are_refused(open_services: Services, phones: tuple[Simulator, str]) -> None:
    async with browser(open_services) as at:
        for number in range(10):
            later(minutes=number * 2)
            assert (await at.post("/login", "/login/code", phone="12900000003")).status_code == 303
        assert (await at.post("/login", "/login/code", phone="12900000003")).status_code == 429
        later(minutes=60)
        assert (await at.post("/login", "/login/code", phone="12900000003")).status_code == 429
        later(days=1, minutes=1)
        assert (await at.post("/login", "/login/code", phone="12900000003")).status_code == 303
        assert len([one for one in phones[0].messages if one.to == "12900000003"]) == 11


async def test_when_the_gateway_fails_it_is_said_and_the_next_try_works(open_services: Services, phones: tuple[Simulator, str]) -> None:
    async with browser(open_services) as at:
        phones[0].failures.append(500)
        assert (await at.post("/login", "/login/code", phone="12900000004")).status_code == 503
        later(minutes=2)
        again = await at.post("/login", "/login/code", phone="12900000004")
        assert again.status_code == 303, again.text


async def test_the_simulator_refuses_what_is_not_signed(phones: tuple[Simulator, str]) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.post(f"{phones[1]}/messages", json={"to": "12900000005"})).status_code == 401


async def test_the_phone_is_nowhere_in_the_clear(open_services: Services, phones: tuple[Simulator, str]) -> None:
    async with browser(open_services) as at:
        await by_phone(phones[0], "12900000006", at)
    async with open_services.database.connection() as connection:
        rows = await connection.fetch("SELECT a::text FROM account a UNION ALL SELECT s::text FROM login_step s UNION ALL SELECT c::text FROM one_time_code c")
    assert rows
    assert not any("12900000006" in row[0] or b"12900000006".hex() in row[0] for row in rows)


async def test_an_invited_doctor_sets_everything_up(services: Services) -> None:
    token = await accounts.invite(services, OPERATOR, Post("hospital_doctor", "h-1", "p-1"))
    async with browser(services) as at:
        page = await at.get(f"/invitation/{token}")
        assert "hospital" in page.text.lower()
        weak = await at.post(f"/invitation/{token}", f"/invitation/{token}", name="dr_li", password="12345678")
        assert weak.status_code == 422
        done = await at.post(f"/invitation/{token}", f"/invitation/{token}", name="Dr_Li", password=PASSWORD)
        assert done.headers["location"] == "/login/enrol"
        assert at.session is None
        shown = await at.get("/login/enrol")
        found = re.search(r"entrance-secret\">([A-Z2-7]{32})<", shown.text)
        assert found
        codes = await at.post("/login/enrol", "/login/enrol", code=app_code(found[1]))
        assert codes.text.count("<li>") >= 10
        inside = await at.post("/login/second", "/login/enter")
        assert inside.headers["location"] == role_start("hospital_doctor")
        actor = await services.entries.actor(at.session or "")
        assert actor
        assert (actor.role, actor.institution, actor.practitioner) == ("hospital_doctor", "h-1", "p-1")
        assert (await at.get(f"/invitation/{token}")).status_code == 410


async def test_an_invitation_ends_after_its_hours(services: Services) -> None:
    token = await accounts.invite(services, OPERATOR, Post("nurse", "h-1"))
    async with browser(services) as at:
        later(hours=71)
        assert (await at.get(f"/invitation/{token}")).status_code == 200
        later(hours=73)
        assert (await at.get(f"/invitation/{token}")).status_code == 410


async def test_a_second_place_of_work_is_added_and_switched_to_with_a_new_secret(services: Services) -> None:
    account = await staff(services, "two_places", Post("nurse", "h-1"))
    token = await accounts.invite(services, OPERATOR, Post("clerk", "h-2"))
    async with browser(services) as at:
        await log_in(at, "two_places")
        before = at.session
        await at.post(f"/invitation/{token}", f"/invitation/{token}", **{"as": "me"})
        held = await memberships(services.database, account.id)
        assert [(one.role, one.institution) for one in held] == [("nurse", "h-1"), ("clerk", "h-2")]
        switched = await at.post("/account", "/account/switch", kind="membership", to=held[1].id)
        assert switched.status_code == 303
        assert at.session != before
        assert await services.entries.actor(before or "") is None
        actor = await services.entries.actor(at.session or "")
        assert actor
        assert (actor.role, actor.institution) == ("clerk", "h-2")
        assert (await at.post("/account", "/account/switch", kind="membership", to="somebody-elses")).status_code == 403


async def test_with_several_places_one_is_chosen_at_the_door(services: Services) -> None:
    await staff(services, "chooser", Post("nurse", "h-1"), Post("hospital_doctor", "h-2"))
    async with browser(services) as at:
        step = await log_in(at, "chooser")
        assert step.headers["location"] == "/login/choose"
        page = await at.get("/login/choose")
        chosen = re.findall(r'name="membership" value="(\w+)"', page.text)[1]
        await at.post("/login/choose", "/login/enter", membership=chosen)
        actor = await services.entries.actor(at.session or "")
        assert actor
        assert actor.role == "hospital_doctor"


async def test_the_second_factor_cannot_be_stepped_over(services: Services) -> None:
    await staff(services, "careful", Post("nurse", "h-1"))
    async with browser(services) as at:
        await at.post("/login", "/login/password/check", name="careful", password=PASSWORD)
        for path in ("/login/enter", "/login/enrol", "/login/password"):
            answer = await at.post("/login/second", path, code=app_code(), password="Other-9999")
            assert at.session is None, path
            assert answer.headers.get("location") in {"/login/second", "/login", None}
        assert (await at.get("/account")).headers["location"].startswith("/login")
        held = await by_login(services.database, "careful")
        assert held
        assert len(await seconds(services.database, held.id)) == 1


async def test_an_app_code_is_good_once(services: Services) -> None:
    await staff(services, "once", Post("nurse", "h-1"))
    code = app_code()
    async with browser(services) as at, browser(services) as other:
        await log_in(at, "once", code)
        assert at.session
        again = await log_in(other, "once", code)
        assert again.status_code == 401
        assert other.session is None


async def test_a_recovery_code_helps_once(services: Services) -> None:
    account = await staff(services, "lost_phone", Post("nurse", "h-1"))
    codes = await new_recovery_codes(services, account.id)
    async with browser(services) as at, browser(services) as other:
        assert (await log_in(at, "lost_phone", codes[3].upper())).headers["location"] == role_start("nurse")
        assert (await log_in(other, "lost_phone", codes[3])).status_code == 401


@pytest.mark.parametrize("name", ["locked_out", "nobody_at_all"])
async def test_five_failures_lock_a_name_whether_or_not_somebody_has_it(services: Services, name: str) -> None:
    if name == "locked_out":
        await staff(services, name, Post("nurse", "h-1"))
    async with browser(services) as at:
        for _ in range(5):
            wrong = await at.post("/login", "/login/password/check", name=name, password="Wrong-9999")
            assert wrong.status_code == 401
        assert (await at.post("/login", "/login/password/check", name=name, password=PASSWORD)).status_code == 429
        later(minutes=29)
        assert (await at.post("/login", "/login/password/check", name=name, password=PASSWORD)).status_code == 429
        later(minutes=31)
        after = await at.post("/login", "/login/password/check", name=name, password=PASSWORD)
        assert after.status_code == (303 if name == "locked_out" else 401)


async def test_many_at_once_get_no_more_tries(services: Services) -> None:
    await staff(services, "hasty", Post("nurse", "h-1"))
    async with browser(services) as at:
        answers = await asyncio.gather(*(
            at.post("/login", "/login/password/check", name="hasty", password="Wrong-9999") for _ in range(12)
        ))
    assert sorted(one.status_code for one in answers) == [401] * 5 + [429] * 7


async def test_four_failures_and_a_success_begin_anew(services: Services) -> None:
    await staff(services, "typist", Post("nurse", "h-1"))
    async with browser(services) as at:
        for _ in range(2):
            for _ in range(4):
                await at.post("/login", "/login/password/check", name="typist", password="Wrong-9999")
            assert (await at.post("/login", "/login/password/check", name="typist", password=PASSWORD)).status_code == 303


async def test_known_and_unknown_names_take_the_same_work(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    await staff(services, "known_name", Post("nurse", "h-1"))
    worked: list[bool] = []
    hasher = passwords._hasher()  # pyright: ignore[reportPrivateUsage]

    class Counting:
        def verify(self, kept: str, password: str) -> bool:
            worked.append(kept.startswith("$argon2id$"))
            return hasher.verify(kept, password)

        def hash(self, password: str) -> str:
            return hasher.hash(password)

    passwords._nobodys()  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(passwords, "_hasher", Counting)
    async with browser(services) as at:
        for name in ("known_name", "unknown_name"):
            answer = await at.post("/login", "/login/password/check", name=name, password="Wrong-9999")
            assert answer.status_code == 401
    assert worked == [True, True]


async def test_an_old_password_must_be_changed_and_none_of_the_last_comes_back(services: Services) -> None:
    await staff(services, "old_password", Post("nurse", "h-1"))
    async with browser(services) as at:
        later(days=91)
        step = await log_in(at, "old_password")
        assert step.headers["location"] == "/login/password"
        assert at.session is None
        same = await at.post("/login/password", "/login/password", password=PASSWORD)
        assert same.status_code == 422
        done = await at.post("/login/password", "/login/password", password="Another-2026")
        assert done.headers["location"] == role_start("nurse")
        assert at.session


async def test_a_new_password_logs_other_devices_out(services: Services) -> None:
    await staff(services, "devices", Post("nurse", "h-1"))
    async with browser(services) as one, browser(services) as two:
        await log_in(one, "devices")
        later(minutes=2)
        await log_in(two, "devices")
        page = await one.get("/account")
        assert page.text.count("Windows") == 2
        wrong = await one.post("/account", "/account/password", old="Wrong-9999", password="Another-2026")
        assert wrong.status_code == 401
        before = one.session
        done = await one.post("/account", "/account/password", old=PASSWORD, password="Another-2026")
        assert done.status_code == 303
        assert one.session != before
        assert (await one.get("/account")).status_code == 200
        assert (await two.get("/account")).status_code == 303


async def test_a_device_is_logged_out_from_another_and_strangers_are_not(services: Services) -> None:
    await staff(services, "far_away", Post("nurse", "h-1"))
    await staff(services, "stranger", Post("nurse", "h-1"))
    async with browser(services) as one, browser(services) as two, browser(services) as other:
        await log_in(one, "far_away")
        later(minutes=2)
        await log_in(two, "far_away")
        await log_in(other, "stranger")
        [entry] = re.findall(r'name="entry" value="(\w+)"', (await one.get("/account")).text)
        assert (await other.post("/account", "/account/devices/end", entry=entry)).status_code == 404
        assert (await two.get("/account")).status_code == 200
        assert (await one.post("/account", "/account/devices/end", entry=entry)).status_code == 303
        assert (await two.get("/account")).status_code == 303


async def test_logging_out_ends_this_session_and_everywhere_all(services: Services) -> None:
    await staff(services, "leaving", Post("nurse", "h-1"))
    async with browser(services) as one, browser(services) as two:
        await log_in(one, "leaving")
        later(minutes=2)
        await log_in(two, "leaving")
        secret = one.session
        assert (await one.post("/account", "/logout")).headers["location"] == "/login"
        assert await services.entries.actor(secret or "") is None
        assert (await two.get("/account")).status_code == 200
        later(minutes=4)
        await log_in(one, "leaving")
        await one.post("/account", "/logout/everywhere")
        assert (await two.get("/account")).status_code == 303


async def test_a_session_ends_when_it_is_not_used_and_after_its_time(services: Services) -> None:
    await staff(services, "idle", Post("nurse", "h-1"))
    async with browser(services) as at:
        await log_in(at, "idle")
        later(minutes=29)
        assert (await at.get("/account")).status_code == 200
        later(minutes=61)
        assert (await at.get("/account")).status_code == 303
        await log_in(at, "idle")
        for minutes in range(80, 61 + 12 * 60, 20):
            later(minutes=minutes)
            assert (await at.get("/account")).status_code == 200
            # A use is written down beside the request.
            await asyncio.gather(*services.entries._noting)  # pyright: ignore[reportPrivateUsage]
        later(minutes=62 + 12 * 60)
        assert (await at.get("/account")).status_code == 303


async def test_a_page_that_asks_by_itself_keeps_nobody_logged_in(services: Services) -> None:
    """The list of messages asks every two seconds; who has left it open is out after half an hour all the same."""
    await staff(services, "absent", Post("nurse", "h-1"))
    async with browser(services) as at:
        await log_in(at, "absent")
        for minutes in (10, 20, 29):
            later(minutes=minutes)
            assert (await at.client.get("/account", headers={"x-unattended": "1"})).status_code == 200
            await asyncio.gather(*services.entries._noting)  # pyright: ignore[reportPrivateUsage]
        later(minutes=31)
        assert (await at.get("/account")).status_code == 303


async def test_a_locked_account_is_out_at_once_and_comes_back(services: Services) -> None:
    account = await staff(services, "suspended", Post("nurse", "h-1"))
    async with browser(services) as at:
        await log_in(at, "suspended")
        await accounts.lock(services, OPERATOR, account)
        assert (await at.get("/account")).status_code == 303
        assert (await at.post("/login", "/login/password/check", name="suspended", password=PASSWORD)).status_code == 403
        locked = await by_login(services.database, "suspended")
        assert locked
        await accounts.unlock(services, OPERATOR, locked)
        assert (await at.post("/login", "/login/password/check", name="suspended", password=PASSWORD)).status_code == 303


async def test_a_role_that_is_taken_back_ends_its_sessions(services: Services) -> None:
    account = await staff(services, "moved_on", Post("nurse", "h-1"))
    async with browser(services) as at:
        await log_in(at, "moved_on")
        await accounts.withdraw(services, OPERATOR, account, "h-1")
        assert (await at.get("/account")).status_code == 303
        later(minutes=2)
        assert (await log_in(at, "moved_on")).headers["location"] == "/login/nothing"
        assert await services.entries.actor(at.session or "") is None


async def test_a_reset_second_factor_takes_the_password_with_it(services: Services) -> None:
    account = await staff(services, "phone_gone", Post("nurse", "h-1"))
    token = await accounts.reset(services, OPERATOR, account, second=True)
    async with browser(services) as at:
        assert (await at.post("/login", "/login/password/check", name="phone_gone", password=PASSWORD)).status_code == 401
        done = await at.post(f"/invitation/{token}", f"/invitation/{token}", **{"as": "password"}, password="Another-2026")
        assert done.headers["location"] == "/login/enrol"


async def test_three_administrators_are_three_persons(services: Services) -> None:
    account = await staff(services, "one_admin", Post("system_admin"))
    with pytest.raises(Problem, match="separate-persons"):
        await accounts.grant(services, OPERATOR, account, Post("audit_admin"))


@pytest.mark.parametrize("target", ["//evil.example/", "https://evil.example/", "/\\evil.example", "/login?next=/x"])
async def test_nobody_is_sent_elsewhere_after_a_login(services: Services, target: str) -> None:
    login = f"target{abs(hash(target)) % 10**6}"
    await staff(services, login, Post("nurse", "h-1"))
    async with browser(services) as at:
        await at.post("/login", "/login/password/check", name=login, password=PASSWORD, next=target)
        done = await at.post("/login/second", "/login/second", code=app_code())
        assert done.headers["location"] == role_start("nurse")


async def test_after_a_login_one_is_where_one_wanted_to_go(services: Services) -> None:
    await staff(services, "goes_on", Post("nurse", "h-1"))
    async with browser(services) as at:
        page = await at.get("/login?next=/clinician/?q=1")
        assert 'value="/clinician/?q=1"' in page.text
        await at.post("/login", "/login/password/check", name="goes_on", password=PASSWORD, next="/clinician/?q=1")
        done = await at.post("/login/second", "/login/second", code=app_code())
        assert done.headers["location"] == "/clinician/?q=1"
        cookie = next(value for value in done.headers.get_list("set-cookie") if value.startswith("kangyun_session"))
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()


async def test_what_happens_at_the_door_is_in_the_audit_trail(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[tuple[str, str, str]] = []
    note = services.trail.note
    monkeypatch.setattr(type(services.trail), "note", lambda _self, event: (noted.append((event.action, event.outcome, event.more)), note(event))[1])
    await staff(services, "audited", Post("nurse", "h-1"))
    noted.clear()
    async with browser(services) as at:
        await at.post("/login", "/login/password/check", name="audited", password="Wrong-9999")
        await log_in(at, "audited")
        await at.post("/account", "/logout")
    assert noted[:1] == [("login", "failed", "password")]
    assert ("login", "ok", "password totp") in noted
    assert ("logout", "ok", "") in noted


async def test_somebody_who_is_logged_in_is_named_on_every_page(services: Services) -> None:
    await staff(services, "visible", Post("nurse", "h-1"), Post("clerk", "h-2"))
    async with browser(services) as at:
        await log_in(at, "visible")
        page = await at.get("/login/choose")
        await at.post("/login/choose", "/login/enter", membership=re.findall(r'name="membership" value="(\w+)"', page.text)[0])
        start = await at.get("/")
        assert "visible" in start.text
        assert 'action="/account/switch"' in start.text
        assert 'action="/logout"' in start.text


async def test_another_app_is_added_with_the_password_and_replaces_the_lost_one(services: Services) -> None:
    account = await staff(services, "new_phone", Post("nurse", "h-1"))
    async with browser(services) as at:
        await log_in(at, "new_phone")
        secret = re.findall(r'entrance-secret">([A-Z2-7]{32})<', (await at.get("/account/app")).text)[0]
        assert (await at.post("/account/app", "/account/app", old="Wrong-9999", code=app_code(secret))).status_code == 401
        assert (await at.post("/account/app", "/account/app", old=PASSWORD, code="000000")).status_code == 422
        assert (await at.post("/account/app", "/account/app", old=PASSWORD, code=app_code(secret))).status_code == 303
        held = await seconds(services.database, account.id)
        assert (await at.post("/account", "/account/seconds/remove", credential=held[0].id)).status_code == 303
        assert (await at.post("/account", "/account/seconds/remove", credential=held[1].id)).status_code == 409


async def test_what_somebody_is_qualified_for_comes_from_the_record(services: Services) -> None:
    handle = services.gate.system("tests")
    [doctor] = await handle.commit([Write("create", "Practitioner", {
        "resourceType": "Practitioner", "name": [{"text": "周明"}], "qualification": [{"code": {"text": "执业医师（内科专业）"}}],
    })])
    await handle.commit([Write("create", "PractitionerRole", {
        "resourceType": "PractitionerRole", "practitioner": {"reference": f"Practitioner/{doctor.id}"}, "specialty": [{"text": "心血管内科"}],
    })])
    await staff(services, "qualified", Post("hospital_doctor", "h-1", doctor.id))
    async with browser(services) as at:
        await log_in(at, "qualified")
        page = (await at.get("/account")).text
        assert "执业医师（内科专业）" in page
        assert "心血管内科" in page
        assert "周明" in page
