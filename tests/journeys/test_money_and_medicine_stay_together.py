"""What must not happen on the way: forged words, old figures, expired papers, empty shelves. Refused clearly; money and medicine agree."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace

import asyncpg
import httpx
import pytest

from kangyun.support.payments.gateways.simulator import Faults
from tests.faults.storm import dsn
from tests.journeys.playing import cast_of, verdict
from tests.journeys.world import World
from yunzhou import consulting, paying, prescribing
from yunzhou.actors import Actor, RefusalError, parameter
from yunzhou.journey import Cast, Doctor, Journey, LostError

pytestmark = pytest.mark.timeout(180)


@dataclass
class Stage:
    """A world with its cast, and how many journeys were begun in it."""

    world: World
    cast: Cast
    begun: list[int] = field(default_factory=list[int])
    elsewhere: Actor | None = None
    """The same doctor on another device."""

    async def journey(self) -> Journey:
        """A journey of one of the residents with a doctor of its own, not yet begun."""
        login = self.world.open.doctors[2 + len(self.begun)]
        self.begun.append(len(self.begun))
        patient = await self.world.resident(self.world.people[1 + len(self.begun) % 4])
        here, self.elsewhere = await self.world.devices(login, 2)
        doctor = Doctor(here, login.practitioner, self.world.authenticator(login))
        return Journey(replace(self.cast, doctors=[doctor]), patient, 1000 + len(self.begun))

    async def reviewed(self) -> Journey:
        """A journey whose prescription a pharmacist has passed."""
        journey = await self.journey()
        await journey.ask()
        await journey.consult()
        await journey.review()
        return journey

    async def chosen(self) -> tuple[Journey, paying.Figure]:
        """A journey with a way chosen, and the figure that it comes to."""
        journey = await self.reviewed()
        way = prescribing.Way("courier", self.cast.pharmacy, self.cast.courier, "周秀兰", "云州市东湖区梧桐里8号", "13800001958")
        await prescribing.choose(journey.patient, journey.number, way)
        return journey, await paying.estimate(journey.patient, journey.number)

    async def paid(self) -> Journey:
        """A journey that is paid and settled; the pharmacy may dispense."""
        journey = await self.reviewed()
        await journey.check_out()
        return journey

    async def database(self, statement: str, *values: object) -> object:
        """Change something behind the platform's back, as time would; the first value that the statement returns."""
        connection = await asyncpg.connect(dsn(self.world.server))
        try:
            return await connection.fetchval(statement, *values)
        finally:
            await connection.close()

    async def agrees(self) -> None:
        """Everything agrees; what was begun and never paid stands nowhere."""
        found = await verdict(self.world)
        assert [one for one in found.faults if not (one.check == "unsettled" and one.detail.endswith(" unpaid"))] == []


_stages: dict[int, Stage] = {}


@pytest.fixture
async def stage(world: World) -> AsyncIterator[Stage]:
    """The stage; faults of one test end with it."""
    if id(world) not in _stages:
        _stages[id(world)] = Stage(world, await cast_of(world))
    made = _stages[id(world)]
    for one in [*(doctor.actor for doctor in made.cast.doctors), *made.cast.pharmacists, *made.cast.pharmacies, *made.cast.couriers]:
        one.line = world.line()
    made.cast.bank = world.bank
    yield made
    world.around.channels.faults = Faults()
    world.around.insurer.faults.clear()


async def test_forged_and_doubled_notices_pay_nothing_and_once(stage: Stage) -> None:
    journey, shown = await stage.chosen()
    invoice = await paying.confirm(journey.patient, journey.number, shown)
    async with httpx.AsyncClient(base_url=stage.world.server.url) as nobody:
        told = {"id": "forged", "resource": {"ciphertext": "", "nonce": "", "associated_data": ""}, "event_type": "TRANSACTION.SUCCESS"}
        answer = await nobody.post("/payments/notices/wechat", json=told, headers={"wechatpay-signature": "bm8=", "wechatpay-timestamp": "1"})
    assert answer.status_code == 401
    stage.world.around.channels.faults = Faults(forged=1.0, twice=1.0)
    await paying.pay(journey.patient, stage.cast.bank, invoice)
    await journey._until(journey._settled)  # pyright: ignore[reportPrivateUsage] - the journey's own eyes
    kept = await journey.patient.read("Invoice", invoice)
    assert kept["status"] == "balanced"
    await journey.receive()
    await stage.agrees()


async def test_a_price_that_changed_is_shown_anew_before_anybody_pays(stage: Stage) -> None:
    journey, shown = await stage.chosen()
    pharmacy = stage.cast.pharmacies[0]
    try:
        await pharmacy.do("MedicationKnowledge/$price", code="amlodipine", yuan="13.60")
        with pytest.raises(RefusalError) as told:
            await paying.confirm(journey.patient, journey.number, shown)
        assert told.value.status == 409
        anew = await paying.estimate(journey.patient, journey.number)
        assert anew.total == shown.total + 100
        invoice = await paying.confirm(journey.patient, journey.number, anew)
        await pharmacy.do("MedicationKnowledge/$price", code="amlodipine", yuan="12.60")
        with pytest.raises(RefusalError) as late:
            await paying.pay(journey.patient, stage.cast.bank, invoice)
        assert late.value.status == 409
        # The reaction that ends the checkout of an order which ended may be late: as if it had not come by when she looks again.
        back = "UPDATE internet_hospital_checkout SET state = 'unpaid' WHERE about = $1 AND state = 'cancelled' RETURNING true"

        async def set_back() -> bool:
            return bool(await stage.database(back, journey.number))

        await journey._until(set_back)  # pyright: ignore[reportPrivateUsage]
    finally:
        await pharmacy.do("MedicationKnowledge/$price", code="amlodipine", yuan="12.60")
    await journey.check_out()
    assert journey.figure is not None
    assert journey.figure.total == shown.total
    await journey.receive()
    await stage.agrees()


async def test_a_prescription_that_has_expired_is_not_paid_and_one_that_expires_meanwhile_is_given_back(stage: Stage) -> None:
    journey, shown = await stage.chosen()
    invoice = await paying.confirm(journey.patient, journey.number, shown)
    await stage.database("UPDATE drugs_prescription SET valid_until = now() - interval '1 minute' WHERE number = $1", journey.number)
    await paying.pay(journey.patient, stage.cast.bank, invoice)
    with pytest.raises(LostError):
        await journey._until(journey._settled)  # pyright: ignore[reportPrivateUsage]
    await stage.agrees()
    after = await paying.estimate(journey.patient, journey.number)
    assert after.state == "refunded"
    with pytest.raises(RefusalError) as told:
        await paying.confirm(journey.patient, journey.number, after)
    assert (told.value.status, told.value.text) == (409, "internet_hospital.prescription-expired")


async def test_nothing_is_dispensed_before_it_is_paid_and_nothing_is_charged_before_it_is_reviewed(stage: Stage) -> None:
    journey = await stage.journey()
    await journey.ask()
    await journey.consult()
    with pytest.raises(RefusalError) as early:
        await paying.estimate(journey.patient, journey.number)
    assert early.value.status == 409
    await journey.review()
    way = prescribing.Way("retail", stage.cast.pharmacy)
    await prescribing.choose(journey.patient, journey.number, way)
    with pytest.raises(RefusalError) as unpaid:
        await prescribing.dispense(stage.cast.pharmacies[0], journey.number, "too-early")
    assert unpaid.value.status == 409
    await stage.cast.pharmacies[0].do("MedicationRequest/$unlock", number=journey.number)
    await stage.agrees()


async def test_stock_that_is_gone_between_lock_and_dispense_gives_the_money_back(stage: Stage) -> None:
    journey = await stage.paid()
    pharmacy = stage.cast.pharmacies[0]
    await pharmacy.do("MedicationRequest/$lock", number=journey.number, key="empty")
    await stage.database("UPDATE drugs_stock SET amount = 0 WHERE code = 'amlodipine' AND pharmacy = $1", stage.cast.pharmacy)
    try:
        with pytest.raises(RefusalError) as told:
            await pharmacy.do("MedicationRequest/$dispense", number=journey.number, key="empty")
        assert told.value.status == 409
        await pharmacy.do("MedicationRequest/$unlock", number=journey.number)
        await journey.patient.do("MedicationRequest/$give-up", number=journey.number)
    finally:
        await stage.database("UPDATE drugs_stock SET amount = 2800000 WHERE code = 'amlodipine' AND pharmacy = $1", stage.cast.pharmacy)
    await stage.agrees()
    figure = await paying.estimate(journey.patient, journey.number)
    assert figure.state == "refunded"
    with pytest.raises(RefusalError):
        await prescribing.dispense(pharmacy, journey.number, "after-the-refund")


async def test_what_has_left_the_pharmacy_is_not_given_back(stage: Stage) -> None:
    journey = await stage.paid()
    await prescribing.dispense(stage.cast.pharmacies[0], journey.number, f"g{journey.place}")
    told = await journey.patient.do("MedicationRequest/$give-up", number=journey.number)
    assert parameter(told, "state") == "reversing"
    await prescribing.deliver(stage.cast.couriers[0], journey.number, await prescribing.code(journey.patient, journey.number))
    await journey._until(journey._closed)  # pyright: ignore[reportPrivateUsage]
    await stage.agrees()


@pytest.mark.parametrize("fault", ["late", "lost", "twice", "never", "forged"])
async def test_an_insurer_that_answers_badly_is_asked_until_it_is_known(stage: Stage, fault: str) -> None:
    journey = await stage.reviewed()
    stage.world.around.insurer.faults.append(fault)
    await journey.check_out()
    await journey.receive()
    await stage.agrees()


@pytest.mark.parametrize(("fault", "why"), [("wrong", "internet_hospital.insurer-differs"), ("refuse", "internet_hospital.insurer-refused")])
async def test_an_insurer_that_settles_another_figure_or_refuses_gives_everything_back_and_it_can_be_tried_again(
    stage: Stage, fault: str, why: str
) -> None:
    journey = await stage.reviewed()
    stage.world.around.insurer.faults.append(fault)
    with pytest.raises(LostError):
        await journey.check_out()
    told = await journey.patient.do("MedicationRequest/$estimate", number=journey.number)
    assert parameter(told, "reason") == why
    await stage.agrees()
    await journey.check_out()
    await journey.receive()
    await stage.agrees()


async def test_a_second_device_and_another_doctor_are_refused(stage: Stage) -> None:
    journey = await stage.journey()
    await journey.ask()
    doctor = journey.doctor
    await consulting.begin(doctor.actor, journey.visit, await doctor.app.code())
    assert stage.elsewhere is not None
    with pytest.raises(RefusalError) as elsewhere:
        await consulting.answer(stage.elsewhere, journey.visit, "您好", "elsewhere")
    assert elsewhere.value.status == 409
    other = await stage.world.worker(stage.world.open.doctors[1])
    with pytest.raises(RefusalError) as stranger:
        await consulting.begin(other, journey.visit, await stage.world.authenticator(stage.world.open.doctors[1]).code())
    assert stranger.value.status in {403, 404}
    sheet = prescribing.Sheet(journey.patient.patient, journey.visit, ("I10", "高血压"))
    with pytest.raises(RefusalError) as outside:
        await prescribing.prescribe(other, sheet, (prescribing.AMLODIPINE,))
    assert outside.value.status in {403, 404}
    await journey.consult()
    await journey.review()
    await stage.agrees()


async def test_nobody_reviews_what_he_has_prescribed(stage: Stage) -> None:
    # The one doctor who has a second login, as a pharmacist.
    journey = replace(await stage.journey(), cast=stage.cast)
    await journey.ask()
    await journey.consult()
    himself = await stage.world.worker(stage.world.staff["doctor_and_pharmacist"])
    with pytest.raises(RefusalError) as told:
        await prescribing.claim(himself, journey.number)
    assert told.value.status == 403
    assert await prescribing.claim(himself) != journey.number, "nor is it given to him as the most urgent"
    await journey.review()
    await stage.agrees()


async def test_nobody_sees_or_pays_for_somebody_else(stage: Stage) -> None:
    journey, shown = await stage.chosen()
    stranger: Actor = await stage.world.resident(stage.world.people[0])
    for deed in (
        paying.estimate(stranger, journey.number), paying.confirm(stranger, journey.number, shown), paying.fee(stranger, journey.visit),
        prescribing.code(stranger, journey.number),
    ):
        with pytest.raises(RefusalError) as told:
            await deed
        assert told.value.status == 404
