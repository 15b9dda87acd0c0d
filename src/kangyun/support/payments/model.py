"""The nouns of payments: an order with its lines, a payment through a channel, a refund, and what a channel says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, Protocol

from kangyun.base.money import Fen
from kangyun.base.web.display import CHINA

PACKAGE = "kangyun.support.payments"

ORDER_SYSTEM = "urn:kangyun:payments:order"
PAYMENT_SYSTEM = "urn:kangyun:payments:payment"
REFUND_SYSTEM = "urn:kangyun:payments:refund"
CHANNEL_SYSTEM = "urn:kangyun:payments:channel"
LINE_SYSTEM = "urn:kangyun:payments:line-kind"


class Refused(Exception):  # noqa: N818 - what a channel answers, not a fault of the program
    """A channel refused; `code` is its own word for why, and never holds anything about a person."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Unreachable(Exception):  # noqa: N818 - what the network does
    """Nobody knows whether the channel has heard: it is asked again."""


class Forged(Exception):  # noqa: N818 - what somebody else does
    """What came does not carry the channel's signature, or is too old; `reason` is one word."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an order: `code` of the room that sells it, `unit_fen` the price of one, fixed when the order is made.

    kind: consultation, drug, delivery, examination, other, or deduction, which is what somebody else pays and is negative.
    """

    code: str
    text: str
    unit_fen: Fen
    quantity: Decimal = Decimal(1)
    kind: str = "other"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a room wants to be paid for.

    payer: id of the Person who pays, or whose guardian does. patient: id of the Patient whose record holds the Invoice.
    institution: id of the Organization that is owed. source: name of the room's kind of order, such as
    internet_hospital.drugs, under which it may have settled who knows today's prices (see `quoted`). key: the same key
    makes one order. minutes: how long it can be paid, else as in rules/terms.yaml.
    """

    payer: str
    patient: str
    institution: str
    source: str
    lines: Sequence[Line]
    key: str
    minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it is kept; its id is that of its Invoice."""

    resident: int
    id: str
    person: str
    patient: str
    institution: str
    source: str
    state: str
    total_fen: Fen
    paid_fen: Fen
    refunded_fen: Fen
    lines: tuple[Line, ...]
    made: datetime
    expires: datetime
    paid: datetime | None = None
    reason: str = ""

    @property
    def lapsed(self) -> bool:
        """Whether it ended unpaid: nobody can pay it any more."""
        return self.state in {"cancelled", "expired", "outdated"}


@dataclass(frozen=True, slots=True)
class Payment:
    """One attempt to pay an order through a channel; `id` is the number under which the channel knows it.

    link: what the payer opens or scans. excess: the order needed no payment any more, so the money goes back.
    """

    resident: int
    id: str
    order: str
    channel: str
    scene: str
    state: str
    amount_fen: Fen
    link: str
    number: str
    made: datetime
    expires: datetime
    looks: int = 0
    paid: datetime | None = None
    excess: bool = False


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back; `id` is the number under which the channel knows it, `asked_by` who wanted it: payer, clerk or platform."""

    resident: int
    id: str
    order: str
    payment: str
    state: str
    amount_fen: Fen
    reason: str
    asked_by: str
    number: str
    made: datetime
    looks: int = 0
    done: datetime | None = None
    channel: str = ""
    excess: bool = False


Scene = Literal["desktop", "phone"]


@dataclass(frozen=True, slots=True)
class PayLink:
    """How an order is paid: on a phone `link` is opened, on a desktop it is shown as a QR code.

    state: of the order; an order over nothing is paid at once, and has no link.
    """

    order: str
    payment: str
    channel: str
    scene: str
    link: str
    state: str
    expires: datetime


PaymentState = Literal["unpaid", "paid", "closed", "unknown"]
RefundState = Literal["processing", "done", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a channel says of a payment. unknown: it has never heard of it. `paid`: when, if it was paid."""

    state: PaymentState
    amount_fen: Fen = 0
    number: str = ""
    paid: datetime | None = None


@dataclass(frozen=True, slots=True)
class SeenRefund:
    """What a channel says of a refund."""

    state: RefundState
    amount_fen: Fen = 0
    number: str = ""
    done: datetime | None = None


@dataclass(frozen=True, slots=True)
class ChannelNotice:
    """A notice whose signature was checked: of the payment or refund with our number `id`."""

    about: Literal["payment", "refund"]
    id: str
    seen: Seen | SeenRefund


@dataclass(frozen=True, slots=True)
class BillRow:
    """One row of a channel's bill of a day. state: paid, done, processing or failed, in our words."""

    about: Literal["payment", "refund"]
    id: str
    number: str
    amount_fen: Fen
    fee_fen: Fen
    state: str


@dataclass(frozen=True, slots=True)
class Bill:
    """A channel's bill of one day of China, with the file as it came."""

    day: date
    rows: tuple[BillRow, ...]
    file: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a bill and we disagree; what a side does not have is None.

    kind: missing-here, missing-there, amount, status or duplicated.
    """

    kind: str
    about: str
    id: str
    ours_fen: Fen | None
    theirs_fen: Fen | None
    ours: str = ""
    theirs: str = ""


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of a transaction of the books: debits are positive, credits negative."""

    account: str
    fen: Fen


@dataclass(frozen=True, slots=True)
class Answer:
    """What a channel wants to hear to its notice."""

    status: int
    body: bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Visit:
    """What a channel is told of a payer's visit: `about` stands on the payer's statement, so it says nothing about health.

    notify: where the channel sends its notices. back: the page that the payer comes back to. address: of the payer's device.
    """

    about: str
    notify: str
    back: str
    address: str = ""


class Channel(Protocol):
    """A way to pay. Every call may be repeated with the same number; raises Refused and Unreachable."""

    @property
    def name(self) -> str:
        """Its name here, as orders and books have it."""
        ...

    async def begin(self, payment: Payment, visit: Visit) -> str:
        """Make the payment known to the channel and give the link; again for the same number gives the link again."""
        ...

    async def query(self, payment: Payment) -> Seen:
        """What the channel knows of the payment."""
        ...

    async def close(self, payment: Payment) -> Seen:
        """Nobody can pay it any more, unless it is paid already, which the answer then says."""
        ...

    async def refund(self, refund: Refund, payment: Payment, notify: str) -> SeenRefund:
        """Give back a part or all of a payment, once for each number."""
        ...

    async def query_refund(self, refund: Refund, payment: Payment) -> SeenRefund:
        """What the channel knows of the refund."""
        ...

    def notice(self, headers: Mapping[str, str], body: bytes) -> ChannelNotice:
        """What a notice says; raises Forged."""
        ...

    def answer(self, *, good: bool) -> Answer:
        """The answer to a notice: taken, or to be sent again."""
        ...

    async def bill(self, day: date) -> Bill:
        """The bill of a day; raises Refused while there is none."""
        ...


def day_of(moment: datetime) -> date:
    """The day of China that a moment belongs to."""
    return moment.astimezone(CHINA).date()


def resident_reference(order: Order) -> dict[str, Any]:
    """The FHIR Reference of whom an order is for."""
    return {"reference": f"Patient/{order.patient}"}
