"""A woman of 68 with hypertension sees her doctor by phone; her prescription is reviewed, paid with insurance in one payment, delivered."""

from __future__ import annotations

import pytest

from tests.journeys.playing import cast_of, verdict
from tests.journeys.world import World
from yunzhou.actors import parameter
from yunzhou.journey import Cast, Journey
from yunzhou.prescribing import standing

pytestmark = pytest.mark.timeout(180)

_PACKAGE, _DELIVERY = 1260, 800


async def test_she_pays_one_figure_once_and_has_her_medicine_at_the_door(world: World) -> None:
    cast: Cast = await cast_of(world)
    mother = await world.resident(world.people[0])
    journey = Journey(cast, mother, 1)
    number = await journey.run()
    figure = journey.figure
    assert figure is not None
    # One package of a drug of class A and the way to her door: insurance knows the first only.
    assert figure.total == _PACKAGE + _DELIVERY
    assert figure.fund + figure.account + figure.cash == figure.total
    assert figure.cash >= _DELIVERY
    assert parameter(await standing(mother, number), "state") == "settled"
    orders = await mother.find("Invoice", {"status": "balanced"})
    assert len(orders) == 2, "a fee and a prescription, each paid once"
    benefits = await mother.find("ExplanationOfBenefit", {})
    assert [one["outcome"] for one in benefits] == (["complete"] if figure.fund else [])
    found = await verdict(world)
    assert found.faults == []
    assert found.number("medicine", "closed") >= 1


async def test_what_she_sees_says_how_it_went(world: World) -> None:
    mother = await world.resident(world.people[0])
    notices = await mother.find("Communication", {"category": "urn:kangyun:notice|", "_count": "100"})
    told = {one["category"][0]["coding"][0]["code"] for one in notices}
    assert {"drugs.notice.passed", "drugs.notice.packed", "drugs.notice.delivered"} <= told
    record = await mother.find("Composition", {})
    assert record
    assert record[0]["status"] == "final"
