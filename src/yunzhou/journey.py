"""The whole way of one prescription, played by everybody: asked, paid, answered, prescribed, judged, settled, dispensed, brought, rated.

Every step may be asked again: where an answer was lost the same deed is done once more, and where the platform says that it
was done already the journey goes on. So a server may be killed at any moment, and nothing is lost or doubled.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from yunzhou import consulting, paying, prescribing
from yunzhou.actors import Actor, RefusalError, parameter
from yunzhou.entrance import Authenticator
from yunzhou.line import Line
from yunzhou.prescribing import AMLODIPINE, Sheet, Wanted, Way

_CONFLICT = 409
_LONGEST_LOOK = 6.0
RECORD = {
    "chief": "高血压复诊续药", "present": "家庭自测血压 132/80 mmHg，服药规律，无头晕胸闷。", "allergy": "否认药物过敏史",
    "plan": "继续氨氯地平 5 mg 每日一次，低盐饮食，每日测血压。",
}


class LostError(Exception):
    """A journey came to an end that it should not have come to, or to none in time."""


@dataclass(slots=True)
class Doctor:
    """A doctor with the authenticator app that proves presence; one consultation is begun at a time."""

    actor: Actor
    practitioner: str
    app: Authenticator
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True)
class Cast:
    """Who plays: doctors of one clinic, pharmacists, one pharmacy and one courier, and the pages of the bank.

    look: after how many seconds a resident looks whether what was waited for is there; ever less often after that.
    """

    clinic: str
    bank: Line
    doctors: list[Doctor]
    pharmacists: list[Actor]
    pharmacies: list[Actor]
    couriers: list[Actor]
    pharmacy: str
    courier: str
    lines: tuple[Wanted, ...] = (AMLODIPINE,)
    channels: tuple[str, ...] = ("wechat", "alipay", "unionpay")
    patience: float = 120.0
    look: float = 0.5


@dataclass(slots=True)
class Clock:
    """How long steps took, all journeys together: seconds by step."""

    spent: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    @contextmanager
    def step(self, name: str) -> Any:
        """Measure a step."""
        began = time.perf_counter()
        yield
        self.spent.setdefault(name, []).append(time.perf_counter() - began)

    @property
    def table(self) -> str:
        """The steps in their order: how often, the median and the 95th percentile in milliseconds."""
        rows: list[str] = []
        for name, times in self.spent.items():
            ordered = sorted(times)
            rows.append(f"  {name:24} {len(ordered):6}  median {ordered[len(ordered) // 2] * 1000:8.1f} ms  p95 {ordered[int(len(ordered) * 0.95)] * 1000:9.1f} ms")
        return "\n".join(rows)


@dataclass(slots=True)
class Journey:
    """One prescription of one patient; `place` numbers it and chooses who plays."""

    cast: Cast
    patient: Actor
    place: int
    clock: Clock = field(default_factory=Clock)
    visit: str = ""
    number: str = ""
    figure: paying.Figure | None = None

    async def run(self) -> str:
        """Play all of it; gives the number of the prescription. Raises LostError and RefusalError."""
        await self.ask()
        await self.consult()
        await self.review()
        await self.check_out()
        await self.receive()
        return self.number

    @property
    def doctor(self) -> Doctor:
        """The doctor of this journey."""
        return self.cast.doctors[self.place % len(self.cast.doctors)]

    async def ask(self) -> None:
        """Ask the doctor and pay the fee."""
        with self.clock.step("ask"):
            asked = await consulting.ask(self.patient, self.cast.clinic, "血压一直稳定，药快吃完了，想续方。", doctor=self.doctor.practitioner, key=f"j{self.place}")
        self.visit, self.patient.patient = str(asked["id"]), str(asked["subject"]["reference"]).removeprefix("Patient/")
        if asked["status"] == "planned":
            await self._pay_fee()

    async def _pay_fee(self) -> None:
        with self.clock.step("fee: figure, confirm"):
            shown = await paying.fee(self.patient, self.visit)
            invoice = shown.invoice or await paying.confirm_fee(self.patient, self.visit, shown)
        with self.clock.step("fee: pay"):
            await self._paid(invoice)
        with self.clock.step("fee: until it is there"):
            await self._until(self._arrived)

    async def _paid(self, invoice: str) -> None:
        await paying.pay(self.patient, self.cast.bank, invoice, self.cast.channels[self.place % len(self.cast.channels)])

    async def _arrived(self) -> bool:
        return (await self.patient.read("Encounter", self.visit))["status"] != "planned"

    async def consult(self) -> None:
        """The doctor begins in person, both write, the doctor prescribes, records and ends."""
        doctor = self.doctor
        async with doctor.lock:
            code = await doctor.app.code()
            with self.clock.step("begin"):
                await self._begin(code)
        with self.clock.step("talk"):
            await consulting.answer(doctor.actor, self.visit, "您好，最近在家量的血压是多少？", f"d{self.place}")
            await consulting.say(self.patient, self.visit, "早上 132/80，晚上 128/78，没有不舒服。", f"p{self.place}")
        with self.clock.step("prescribe, sign"):
            await self._prescribe()
        with self.clock.step("record, sign"):
            await self._once(lambda: consulting.sign_record(doctor.actor, self.visit, RECORD, ("I10", "高血压")))
        with self.clock.step("end"):
            await self._once(lambda: consulting.end(doctor.actor, self.visit))

    async def _begin(self, code: str) -> None:
        """A code is good once: when the answer was lost, it was either taken or is too late, and the next one is shown."""
        while True:
            try:
                await consulting.begin(self.doctor.actor, self.visit, code)
            except RefusalError as refusal:
                if refusal.status != 401:
                    raise
                code = await self.doctor.app.code()
            else:
                return

    async def _prescribe(self) -> None:
        """Prescribe once: where an answer was lost, what was kept is looked for first."""
        doctor, before = self.doctor.actor, self.doctor.actor.again
        sheet = Sheet(self.patient.patient, self.visit, ("I10", "高血压"))
        while True:
            found = await doctor.find("MedicationRequest", {"encounter": f"Encounter/{self.visit}"}) if doctor.again != before else []
            if found:
                self.number = str(found[0]["groupIdentifier"]["value"])
                return
            self.number = await prescribing.prescribe_once(doctor, sheet, self.cast.lines)
            if self.number:
                return

    async def review(self) -> None:
        """A pharmacist of the pool takes it and passes it."""
        pharmacist = self.cast.pharmacists[self.place % len(self.cast.pharmacists)]
        with self.clock.step("review: claim"):
            await prescribing.claim(pharmacist, self.number)
        with self.clock.step("review: pass, sign"):
            await self._once(lambda: prescribing.pass_(pharmacist, self.number))

    async def check_out(self) -> None:
        """Choose the way, look at the one figure, confirm and pay it; wait for insurer and pharmacy."""
        way = Way("courier", self.cast.pharmacy, self.cast.courier, self.patient.name or "云州居民", "云州市东湖区学府路1号", "13900000000")
        with self.clock.step("choose"):
            await prescribing.choose(self.patient, self.number, way)
        with self.clock.step("figure"):
            shown = self.figure = await paying.estimate(self.patient, self.number)
        with self.clock.step("confirm"):
            invoice = await paying.confirm(self.patient, self.number, shown)
        with self.clock.step("pay"):
            await self._paid(invoice)
        with self.clock.step("until settled"):
            await self._until(self._settled)

    async def _settled(self) -> bool:
        self.figure = await paying.estimate(self.patient, self.number)
        if self.figure.state in {"refunded", "refunding", "cancelled", "reversing"}:
            raise LostError(f"the checkout of {self.number} is {self.figure.state}")
        return self.figure.state in {"dispatched", "closed"}

    async def receive(self) -> None:
        """The pharmacy dispenses, the courier brings it, the patient says the code and how it was."""
        pharmacy, courier = (some[self.place % len(some)] for some in (self.cast.pharmacies, self.cast.couriers))
        with self.clock.step("lock, dispense"):
            await self._once(lambda: prescribing.dispense(pharmacy, self.number, f"g{self.place}"), "dispensed", "sent", "delivered", "settled")
        with self.clock.step("code"):
            said = await prescribing.code(self.patient, self.number)
        with self.clock.step("pick up, deliver"):
            await prescribing.deliver(courier, self.number, said)
        with self.clock.step("rate"):
            await self._once(lambda: consulting.rate(self.patient, self.visit, 5, "谢谢医生"))
        with self.clock.step("until closed"):
            await self._until(self._closed)

    async def _closed(self) -> bool:
        self.figure = await paying.estimate(self.patient, self.number)
        return self.figure.state == "closed"

    async def _once(self, deed: Callable[[], Awaitable[Any]], *done: str) -> None:
        """A deed that a lost answer may have done already: then a conflict is no refusal."""
        before = self._asked_again()
        try:
            await deed()
        except RefusalError as refusal:
            if refusal.status != _CONFLICT or self._asked_again() == before:
                raise
            if done and str(parameter(await prescribing.standing(self.patient, self.number), "state")) not in done:
                await deed()

    def _asked_again(self) -> int:
        actors = [self.patient, self.doctor.actor, *self.cast.pharmacists, *self.cast.pharmacies, *self.cast.couriers]
        return sum(one.again for one in actors)

    async def _until(self, there: Callable[[], Awaitable[bool]]) -> None:
        """Look until something is there, ever less often. Raises LostError when patience is over.

        Not at once: somebody else works on it just now, and a look that finds nothing makes everybody wait longer.
        """
        pause, end = self.cast.look, time.monotonic() + self.cast.patience
        await asyncio.sleep(pause)
        while not await there():
            if time.monotonic() > end:
                raise LostError(f"journey {self.place} waits too long: {self.visit} {self.number}")
            pause = min(_LONGEST_LOOK, pause * 1.5)
            await asyncio.sleep(pause)
