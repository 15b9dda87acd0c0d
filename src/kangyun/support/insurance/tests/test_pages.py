"""What residents, institutions and the insurer see and do, through the pages."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from kangyun.app.services import Services
from kangyun.app.web import build as application
from kangyun.base.errors import Problem
from kangyun.commons.access import SESSION_COOKIE, Actor
from kangyun.commons.population import person_of
from kangyun.support import insurance
from kangyun.support.insurance import Line
from kangyun.support.insurance.actions.auditing import accept, decide, judge, lapse
from kangyun.support.insurance.actions.sending import send
from kangyun.support.insurance.queries import seen
from kangyun.support.insurance.tests.region import DAY, TABLETS, VISIT, Region, build, region_of


@pytest.fixture(scope="module")
async def region(services: Services) -> AsyncIterator[Region]:
    with region_of(services) as (with_insurer, simulator):
        made = await build(with_insurer, simulator)
        await insurance.ask_eligibility(made.platform, with_insurer.insurer, made.woman)
        yield made


@asynccontextmanager
async def logged_in(region: Region, role: str, institution: str | None = None, person: str | None = None) -> AsyncGenerator[httpx.AsyncClient]:
    """A browser in which somebody of a role is logged in."""
    actor = Actor(f"user/{role}", role, institution, person=person, account=role)
    secret = await region.services.entries.issue(actor, kind="session", lasts=600)
    transport = httpx.ASGITransport(application(region.services, {}), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://kangyun.test", cookies={SESSION_COOKIE: secret}) as client:
        client.headers.update({"accept": "text/html", "accept-language": "en"})
        yield client


async def post(client: httpx.AsyncClient, page: str, fields: dict[str, str], action: str = "") -> httpx.Response:
    """Fill in the form of a page and send it."""
    token = re.search(r'name="csrf" value="([0-9a-f]+)"', (await client.get(page)).text)
    assert token
    return await client.post(action or page, data={"csrf": token[1], **fields})


async def settled(region: Region, key: str, lines: tuple[Line, ...] = (TABLETS, VISIT)) -> str:
    """A settlement that the insurer has confirmed and the audit has looked at."""
    made = await insurance.settle(region.platform, region.bill(*lines), key=key)
    await send(region.services, {"id": made.id})
    await judge(region.services, {"id": made.id})
    return made.id


async def test_a_resident_sees_what_each_part_is_and_why(region: Region) -> None:
    id_ = await settled(region, "page/1")
    person = await person_of(region.platform, region.woman)
    assert person
    async with logged_in(region, "resident", person=person["id"]) as client:
        home = (await client.get("/resident/insurance")).text
        assert "Employees&#39; insurance · retired" in home
        assert "¥134.98 / ¥10,000.00" in home, "the year's use of the chronic scheme"
        one = (await client.get(f"/resident/insurance/{id_}")).text
        assert "¥134.98" in one
        assert "Of the ¥158.80 within the range the basic insurance pays 85 %." in one
        assert "First payment of class B" in one
        assert 'class="pay-fund"' in one
        asked = await post(client, "/resident/insurance", {}, "/resident/insurance/refresh")
        assert asked.status_code == 303
    other = await person_of(region.platform, region.man)
    assert other
    async with logged_in(region, "resident", person=other["id"]) as client:
        assert (await client.get(f"/resident/insurance/{id_}")).status_code == 404
        assert "Your insurance is not known yet" in (await client.get("/resident/insurance")).text


async def test_a_finding_is_appealed_against_and_decided(region: Region) -> None:
    id_ = await settled(region, "page/2", lines=(replace(TABLETS, dose=15, unit="mg"), VISIT))
    async with region.services.database.connection() as connection:
        finding = await connection.fetchval("SELECT id FROM insurance_finding WHERE settlement = $1 AND rule = 'dose_over_label'", id_)
    async with logged_in(region, "hospital_doctor", region.hospital) as doctor:
        listed = (await doctor.get("/insurance/findings")).text
        assert "Dose above the label" in listed
        page = f"/insurance/findings/{finding}"
        assert "苯磺酸氨氯地平片: 15 mg a day, the label says 10 mg at most." in (await doctor.get(page)).text
        assert (await post(doctor, page, {"event": "appeal", "reason": " "})).status_code == 422
        assert (await post(doctor, page, {"event": "appeal", "reason": "血压难以控制，已与患者说明"})).status_code == 303
        assert (await doctor.post(page, data={"csrf": "x"})).status_code == 403
    async with logged_in(region, "hospital_doctor", region.clinic) as stranger:
        assert (await stranger.get(page)).status_code == 404
        assert "Dose above the label" not in (await stranger.get("/insurance/findings")).text
    async with logged_in(region, "insurer", region.insurer) as auditor:
        page = f"/insurer/findings/{finding}"
        assert "血压难以控制" in (await auditor.get(page)).text
        assert (await post(auditor, page, {"event": "withdraw", "reason": "理由成立"})).status_code == 303
        assert "Withdrawn" in (await auditor.get(page)).text
    task = await region.platform.read("Task", f"apl-{finding}")
    assert task
    assert (task["status"], task["owner"]["reference"]) == ("completed", f"Organization/{region.insurer}")


async def test_the_insurer_sees_what_was_claimed_from_it_and_nobody_elses(region: Region) -> None:
    id_ = await settled(region, "page/3")
    async with logged_in(region, "insurer", region.insurer) as auditor:
        assert id_ in (await auditor.get("/insurer")).text
        one = (await auditor.get(f"/insurer/claims/{id_}")).text
        assert "苯磺酸氨氯地平片" in one
        assert "周秀兰" not in one, "the insurer knows the member's number"
        for page in ("/insurer/members", "/insurer/rules", "/insurer/statistics", "/insurer/clearing"):
            assert (await auditor.get(page)).status_code == 200, page
        assert "P" in (await auditor.get("/insurer/members?q=M1001")).text
    async with logged_in(region, "insurer", region.clinic) as other:
        assert (await other.get(f"/insurer/claims/{id_}")).status_code == 404
        assert id_ not in (await other.get("/insurer")).text
    async with logged_in(region, "hospital_doctor", region.hospital) as doctor:
        assert (await doctor.get("/insurer")).status_code == 403


async def test_the_clearing_shows_what_differs_until_it_is_mended(region: Region) -> None:
    made = await insurance.settle(region.platform, region.bill(), key="page/4")
    region.simulator.faults.append("wrong")
    await send(region.services, {"id": made.id})
    async with logged_in(region, "insurer", region.insurer) as auditor:
        page = "/insurer/clearing"
        assert (await post(auditor, page, {"event": "clear", "day": DAY.isoformat()})).status_code == 303
        assert "Figures differ" in (await auditor.get(page)).text
        # The insurer mends its books; asked again, both agree.
        entry = region.simulator.books[made.id]
        entry.figures = made.settlement.figures
        again = {"event": "again", "day": DAY.isoformat(), "settlement": made.id, "kind": "amount"}
        assert (await post(auditor, page, again)).status_code == 303
        assert "mended" in (await auditor.get(page)).text
        for never in ("never", "9999-12-31", "0001-01-01", ""):
            wrong = await post(auditor, page, {"event": "clear", "day": never})
            assert (wrong.status_code, "today or one before it" in wrong.text, "error-page" in wrong.text) == (422, True, False)


async def test_whoever_says_nothing_has_agreed_and_an_insurer_decides_its_own_only(region: Region) -> None:
    id_ = await settled(region, "page/5", lines=(replace(TABLETS, dose=15, unit="mg"), replace(TABLETS, code="x", atc="C08CA05"), VISIT))
    async with region.services.database.connection() as connection:
        found = {row["rule"]: row["id"] for row in await connection.fetch("SELECT id, rule FROM insurance_finding WHERE settlement = $1", id_)}
        assert {"dose_over_label", "same_class"} <= found.keys()
        await connection.execute("UPDATE insurance_finding SET made = now() - interval '20 days' WHERE id = $1", found["same_class"])
    async with logged_in(region, "insurer", region.clinic) as other:
        assert (await other.get(f"/insurer/findings/{found['dose_over_label']}")).status_code == 404
    with pytest.raises(Problem) as refusal:
        await decide(region.actor("insurer", region.clinic), found["dose_over_label"], "withdraw", "x")
    assert refusal.value.status == 404
    await lapse(region.services, {})
    async with logged_in(region, "hospital_doctor", region.hospital) as doctor:
        assert "Agreed" in (await doctor.get(f"/insurance/findings/{found['same_class']}")).text
        late = await post(doctor, f"/insurance/findings/{found['dose_over_label']}", {"event": "accept"})
        assert late.status_code == 303
        with pytest.raises(Problem) as twice:
            await accept(region.actor("hospital_doctor", region.hospital), found["dose_over_label"])
        assert twice.value.status == 409


async def test_the_same_settlement_is_judged_once(region: Region) -> None:
    id_ = await settled(region, "page/6", lines=(replace(TABLETS, dose=15, unit="mg"), VISIT))
    await judge(region.services, {"id": id_})
    async with region.services.database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM insurance_finding WHERE settlement = $1 AND rule = 'dose_over_label'", id_) == 1


async def test_the_gate_judges_what_the_lists_show(region: Region) -> None:
    id_ = await settled(region, "page/7")
    async with logged_in(region, "insurer", region.insurer) as auditor:
        assert id_ in (await auditor.get("/insurer")).text
    handle = region.actor("insurer", region.insurer)
    assert await seen(handle, "Claim", [f"clm-{id_}", "clm-nobody"]) == {f"clm-{id_}"}
    assert await seen(region.actor("insurer", region.clinic), "Claim", [f"clm-{id_}"]) == set()
