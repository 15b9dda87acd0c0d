"""Channels that are not there: payers' phones and three payment systems behind real HTTP, for tests and demonstrations.

They check our signatures, sign and seal what they say, keep what was ordered, paid and given back, send notices until they
are answered well, and write bills. `Faults` says what goes wrong on purpose. `GET /` shows the phones; a link of a payment
leads to a cashier's page, where a person presses a button and a program posts.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import httpx
import orjson
from starlette.responses import Response
from starlette.routing import Route

from kangyun.base import clock, money
from kangyun.base.money import Fen
from kangyun.base.outside import trust
from kangyun.support.payments.model import BillRow, day_of

# What channels take of a payment; a refund brings its part back.
_RATE = Decimal("0.006")


@dataclass(slots=True)
class Faults:
    """What goes wrong on purpose.

    lost, twice, forged, amount: share of notices that are never sent, sent twice, preceded by a forged one,
    or say another amount. late: most seconds that a notice waits, so that notices also change their order. failures: HTTP
    statuses that the next calls get instead of being carried out; unheard: how many calls are carried out and then answered 500.
    slow_refunds: refunds stay under way until `finish_refunds`; broken_refunds: refunds fail.
    """

    lost: float = 0
    twice: float = 0
    forged: float = 0
    amount: float = 0
    late: float = 0
    failures: list[int] = field(default_factory=list[int])
    unheard: int = 0
    slow_refunds: bool = False
    broken_refunds: bool = False


@dataclass(slots=True)
class Back:
    """A refund as a channel has it; state: processing, done or failed."""

    id: str
    number: str
    amount: Fen
    state: str
    made: datetime
    notify: str = ""


@dataclass(slots=True)
class Trade:
    """An order as a channel has it; state: open, paid or closed. `opened`: a payer has looked at it."""

    channel: str
    id: str
    number: str
    amount: Fen
    about: str
    notify: str
    back: str
    token: str
    made: datetime
    expires: datetime
    state: str = "open"
    opened: bool = False
    paid: datetime | None = None
    refunds: dict[str, Back] = field(default_factory=dict[str, Back])

    @property
    def given_back(self) -> Fen:
        """What has gone back, or is on its way."""
        return sum(one.amount for one in self.refunds.values() if one.state != "failed")


@dataclass(frozen=True, slots=True)
class Note:
    """A notice ready to be sent."""

    url: str
    headers: dict[str, str]
    body: bytes


class Side(Protocol):
    """One channel of the simulator."""

    name: str

    def routes(self) -> Sequence[Route]:
        """Its addresses."""
        ...

    def note(self, trade: Trade, back: Back | None, *, forged: bool) -> Note | None:
        """A notice of a payment, or of a refund; None where the channel sends none."""
        ...

    def heard(self, answer: httpx.Response) -> bool:
        """Whether an answer to a notice is a good one."""
        ...


@dataclass(slots=True)
class Simulator:
    """All trades and everything that was said about them. again: seconds between the tries of a notice."""

    faults: Faults = field(default_factory=Faults)
    seed: int = 0
    again: tuple[float, ...] = (0.2, 0.5, 1, 2, 4, 8, 15, 30)
    url: str = ""
    trades: dict[tuple[str, str], Trade] = field(default_factory=dict[tuple[str, str], Trade])
    changes: list[Callable[[str, date, list[BillRow]], list[BillRow]]] = field(default_factory=list[Callable[[str, date, list[BillRow]], list[BillRow]]])
    """What is planted in bills: each gets channel, day and rows, and gives the rows that the bill then has."""
    sides: dict[str, Side] = field(default_factory=dict[str, Side])
    sent: int = 0
    heard: int = 0
    chance: random.Random = field(default_factory=random.Random)
    _tokens: dict[str, Trade] = field(default_factory=dict[str, Trade])
    _numbers: dict[tuple[str, str], Trade] = field(default_factory=dict[tuple[str, str], Trade])
    _backs: dict[tuple[str, str], Trade] = field(default_factory=dict[tuple[str, str], Trade])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def __post_init__(self) -> None:
        """Let the faults of one seed be the same each time."""
        self.chance.seed(self.seed)

    def order(self, wished: Trade) -> Trade | None:
        """The trade of this number, made if it is new; None when it was made before with another amount."""
        kept = self.trades.setdefault((wished.channel, wished.id), wished)
        self._tokens[kept.token] = self._numbers[kept.channel, kept.number] = kept
        return kept if kept.amount == wished.amount else None

    def take_over(self, trade: Trade) -> None:
        """A trade of an earlier run, with its refunds."""
        self.order(trade)
        self._backs |= {(trade.channel, id_): trade for id_ in trade.refunds}

    def find(self, channel: str, id_: str) -> Trade | None:
        """The trade of that number; one whose time is over is closed by that."""
        found = self.trades.get((channel, id_))
        if found is not None and found.state == "open" and clock.now() > found.expires:
            found.state = "closed"
        return found

    def by_token(self, token: str) -> Trade | None:
        """The trade that a link leads to."""
        found = self._tokens.get(token)
        return self.find(found.channel, found.id) if found else None

    def by_number(self, channel: str, number: str) -> Trade | None:
        """The trade with the channel's own number."""
        return self._numbers.get((channel, number))

    def back_of(self, channel: str, id_: str) -> tuple[Trade, Back] | None:
        """The refund of that number with its trade."""
        trade = self._backs.get((channel, id_))
        return (trade, trade.refunds[id_]) if trade else None

    def pay(self, trade: Trade) -> bool:
        """The payer pays; False when it is too late."""
        if trade.state != "open":
            return False
        trade.state, trade.paid = "paid", clock.now()
        self._tell(trade, None)
        return True

    def give_back(self, trade: Trade, wished: Back) -> Back | None:
        """A refund, once for its number; None when it is more than what is left."""
        kept = trade.refunds.get(wished.id)
        if kept is not None:
            return kept if kept.amount == wished.amount else None
        if trade.state != "paid" or trade.given_back + wished.amount > trade.amount:
            return None
        state = "failed" if self.faults.broken_refunds else "processing" if self.faults.slow_refunds else "done"
        trade.refunds[wished.id] = made = replace(wished, state=state)
        self._backs[trade.channel, wished.id] = trade
        if state != "processing":
            self._tell(trade, made)
        return made

    def finish_refunds(self, state: str = "done") -> None:
        """Let all refunds that are under way end."""
        for trade in self.trades.values():
            for one in trade.refunds.values():
                if one.state == "processing":
                    one.state = state
                    self._tell(trade, one)

    def rows(self, channel: str, day: date) -> list[BillRow]:
        """The bill of a day, with what is planted in it."""
        found: list[BillRow] = []
        for trade in [one for one in self.trades.values() if one.channel == channel and one.paid]:
            if trade.paid and day_of(trade.paid) == day:
                found.append(BillRow("payment", trade.id, trade.number, trade.amount, fee(trade.amount), "paid"))
            found += [
                BillRow("refund", one.id, one.number, one.amount, -fee(one.amount), one.state)
                for one in trade.refunds.values() if day_of(one.made) == day]
        for change in self.changes:
            found = change(channel, day, found)
        return found

    def trouble(self) -> Response | None:
        """The answer that a call gets instead of being carried out."""
        return Response(status_code=self.faults.failures.pop(0)) if self.faults.failures else None

    def lost_answer(self) -> bool:
        """Whether the answer to a call that was carried out gets lost."""
        if self.faults.unheard <= 0:
            return False
        self.faults.unheard -= 1
        return True

    def _tell(self, trade: Trade, back: Back | None) -> None:
        faults, side = self.faults, self.sides[trade.channel]
        if self.chance.random() < faults.lost:
            return
        told = replace(trade, amount=trade.amount - 1) if back is None and self.chance.random() < faults.amount else trade
        notes = [side.note(told, back, forged=True)] if self.chance.random() < faults.forged else []
        notes += [side.note(told, back, forged=False)] * (2 if self.chance.random() < faults.twice else 1)
        for note in notes:
            if note is not None:
                self._send(side, note)

    def _send(self, side: Side, note: Note) -> None:
        task = asyncio.get_running_loop().create_task(self._until_heard(side, note, self.chance.random() * self.faults.late))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_heard(self, side: Side, note: Note, wait: float) -> None:
        for pause in (wait, *self.again):
            await asyncio.sleep(pause)
            self.sent += 1
            try:
                async with httpx.AsyncClient(timeout=10, verify=trust(), trust_env=False) as client:
                    answer = await client.post(note.url, content=note.body, headers=note.headers)
            except httpx.HTTPError:
                continue
            if side.heard(answer):
                self.heard += 1
                return
            if answer.status_code == 401:
                return


def fee(fen: Fen) -> Fen:
    """What a channel keeps of an amount."""
    return money.rounded(fen * _RATE)


def new_number(start: str) -> str:
    """A channel's own number for a trade or refund."""
    return start + "".join(str(secrets.randbelow(10)) for _ in range(16))


def keep(simulator: Simulator, path: Path) -> None:
    """Write its trades to a file: a channel forgets nothing only because a demonstration is started again."""
    path.write_bytes(orjson.dumps(list(simulator.trades.values())))


def bring(simulator: Simulator, path: Path) -> None:
    """Take over the trades of an earlier demonstration, where there are any."""
    for told in orjson.loads(path.read_bytes()) if path.exists() else []:
        refunds = {id_: Back(**one | {"made": _moment(one["made"])}) for id_, one in told["refunds"].items()}
        moments = {name: _moment(told[name]) for name in ("made", "expires", "paid")}
        simulator.take_over(Trade(**told | moments | {"refunds": refunds}))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
