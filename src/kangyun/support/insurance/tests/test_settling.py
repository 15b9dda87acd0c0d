"""Settled exactly once, whatever the insurer and the callers do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from kangyun.app.services import Services
from kangyun.base.errors import Problem
from kangyun.support import insurance
from kangyun.support.insurance.actions.clearing import clear
from kangyun.support.insurance.actions.sending import send
from kangyun.support.insurance.gateways.insurer_simulator import Simulator, bring, keep
from kangyun.support.insurance.model import SoFar
from kangyun.support.insurance.queries import by_id, insured_of_patient, used
from kangyun.support.insurance.tests.region import DAY, TABLETS, VISIT, Region, build, region_of


@pytest.fixture(scope="module")
async def region(services: Services) -> AsyncIterator[Region]:
    with region_of(services) as (with_insurer, simulator):
        made = await build(with_insurer, simulator)
        for patient in (made.woman, made.man):
            await insurance.ask_eligibility(made.platform, with_insurer.insurer, patient)
        yield made


async def spent(region: Region, patient: str = "") -> SoFar:
    """What somebody has used this year."""
    insured = await insured_of_patient(region.platform, patient or region.woman)
    assert insured
    async with region.services.database.connection() as connection:
        return await used(connection, insured, DAY.year)


async def state(region: Region, id_: str) -> str:
    async with region.services.database.connection() as connection:
        found = await by_id(connection, id_)
    assert found
    return found.state


async def outcome(region: Region, id_: str) -> str:
    response = await region.platform.read("ClaimResponse", f"clr-{id_}")
    assert response
    return str(response["outcome"])


async def test_the_insurer_says_how_somebody_is_insured(region: Region) -> None:
    insured = await insured_of_patient(region.platform, region.woman)
    assert insured
    assert (insured.kind, insured.person, insured.chronic, insured.insurer) == ("employee", "retired", ("I10",), region.insurer)
    assert (await spent(region)).account == 120_000
    answers = await region.platform.search("CoverageEligibilityResponse", [("patient", f"Patient/{region.woman}")])
    assert answers.resources[0]["insurance"][0]["inforce"] is True


async def test_one_figure_is_shown_and_settled_and_confirmed(region: Region) -> None:
    before = await spent(region)
    counted = await insurance.estimate(region.platform, region.bill(), region.services.insurer)
    # 112.00 of B with 10 % first = 11.20; (100.80 + 58.00) * 85 % = 134.98; the account pays 35.02, nothing is left to pay.
    assert (counted.settlement.fund, counted.settlement.account, counted.cash, counted.asked) == (13498, 3502, 0, True)
    assert await spent(region) == before, "an estimate changes nothing"
    made = await insurance.settle(region.platform, region.bill(), key="order/1", cash=counted.cash)
    assert (made.state, await outcome(region, made.id)) == ("pending", "queued")
    assert (await spent(region)).chronic_fund == before.chronic_fund + 13498
    await send(region.services, {"id": made.id})
    assert (await state(region, made.id), await outcome(region, made.id)) == ("confirmed", "complete")
    benefit = await region.platform.read("ExplanationOfBenefit", f"eob-{made.id}")
    assert benefit
    assert next(str(one["amount"]["value"]) for one in benefit["total"] if one["category"]["coding"][0]["code"] == "fund") == "134.98"
    assert region.simulator.books[made.id].figures["fund"] == 13498


async def test_an_insurer_that_is_started_again_knows_its_members_and_its_books(region: Region, tmp_path: Path) -> None:
    made = await insurance.settle(region.platform, region.bill(VISIT), key="books/1")
    await send(region.services, {"id": made.id})
    keep(region.simulator, tmp_path / "books.json")
    again = Simulator(region.simulator.ours)
    bring(again, tmp_path / "books.json")
    assert again.books == region.simulator.books != {}
    assert (again.members, again.used, again.undone) == (region.simulator.members, region.simulator.used, region.simulator.undone)
    bring(again, tmp_path / "none.json")


async def test_the_same_key_is_the_same_settlement_also_at_the_same_moment(region: Region) -> None:
    before = await spent(region)
    made = await asyncio.gather(*(insurance.settle(region.platform, region.bill(), key="order/2") for _ in range(6)))
    assert len({one.id for one in made}) == 1
    assert (await spent(region)).chronic_fund == before.chronic_fund + 13498


async def test_those_who_settle_at_once_use_up_the_year_one_after_another(region: Region) -> None:
    bill = region.bill(replace(VISIT, unit_price=30_000), patient=region.man, diagnoses=("J06.9",))
    made = await asyncio.gather(*(insurance.settle(region.platform, bill, key=f"race/{number}") for number in range(8)))
    # Level 3: 100 of deductible once, then 30 %: 60 for the first, 90 for each other, until the cap of 600 is reached.
    assert sorted(one.settlement.fund for one in made) == [6000, *[9000] * 6, 0] or sum(one.settlement.fund for one in made) == 60_000
    assert sum(one.settlement.deductible for one in made) == 10_000
    assert (await spent(region, region.man)).outpatient_fund == 60_000
    for one in made:
        await send(region.services, {"id": one.id})
        assert await state(region, one.id) in {"confirmed", "differs"}


async def test_another_figure_than_the_one_shown_is_not_settled(region: Region) -> None:
    before = await spent(region)
    with pytest.raises(Problem) as refusal:
        await insurance.settle(region.platform, region.bill(), key="order/3", cash=1)
    assert (refusal.value.status, refusal.value.issues[0].key) == (409, "insurance.changed")
    assert await spent(region) == before


@pytest.mark.parametrize("fault", ["late", "lost", "never", "forged"])
async def test_an_answer_that_does_not_come_is_asked_for_and_never_doubled(region: Region, fault: str) -> None:
    made = await insurance.settle(region.platform, region.bill(), key=f"fault/{fault}")
    region.simulator.faults.append(fault)
    try:
        await send(region.services, {"id": made.id})
    except Problem as problem:
        assert problem.status == 503  # noqa: PT017 - the job is tried again
        await send(region.services, {"id": made.id})
    assert await state(region, made.id) == "confirmed"
    assert [one for one in region.simulator.books if one == made.id] == [made.id]
    await send(region.services, {"id": made.id})


async def test_what_the_insurer_settles_otherwise_is_seen_and_found_by_the_clearing(region: Region) -> None:
    made = await insurance.settle(region.platform, region.bill(), key="fault/wrong")
    region.simulator.faults.append("wrong")
    await send(region.services, {"id": made.id})
    assert (await state(region, made.id), await outcome(region, made.id)) == ("differs", "partial")
    found = await clear(region.services, region.insurer, DAY)
    assert ("amount", made.id) in {(one.kind, one.settlement) for one in found}


async def test_what_the_insurer_refuses_is_given_back(region: Region) -> None:
    before = await spent(region)
    made = await insurance.settle(region.platform, region.bill(), key="fault/refuse")
    region.simulator.faults.append("refuse")
    await send(region.services, {"id": made.id})
    assert (await state(region, made.id), await outcome(region, made.id)) == ("refused", "error")
    assert await spent(region) == before


async def test_a_reversal_gives_everything_back_once(region: Region) -> None:
    before = await spent(region)
    made = await insurance.settle(region.platform, region.bill(), key="back/1")
    await send(region.services, {"id": made.id})
    backs = await asyncio.gather(*(insurance.reverse(region.platform, made.id) for _ in range(3)))
    assert {one.state for one in backs} == {"reversing"}
    assert await spent(region) == before
    claim = await region.platform.read("Claim", made.claim)
    assert claim
    assert claim["status"] == "cancelled"
    await send(region.services, {"id": made.id, "back": True, "known": True})
    assert (await state(region, made.id), region.simulator.books[made.id].state) == ("reversed", "cancelled")
    assert (await insurance.reverse(region.platform, made.id)).state == "reversed"


async def test_what_was_reversed_before_the_insurer_heard_of_it_is_never_settled_there(region: Region) -> None:
    made = await insurance.settle(region.platform, region.bill(), key="back/2")
    await insurance.reverse(region.platform, made.id)
    await send(region.services, {"id": made.id, "back": True})
    assert await state(region, made.id) == "reversed"
    # The message of the settlement, delayed on its way, comes now.
    assert made.id in region.simulator.undone
    assert made.id not in region.simulator.books


async def test_nobody_insures_a_stranger(region: Region) -> None:
    counted = await insurance.estimate(region.platform, replace(region.bill(), patient=region.hospital))
    assert (counted.insured, counted.cash) == (None, 17_000)
    with pytest.raises(Problem):
        await insurance.settle(region.platform, replace(region.bill(TABLETS), patient="nobody"), key="x")
