"""Which accounts every event moves money between; the two sides of each are equal.

channel/<name>: what the channel owes us. payable/<institution>: what we owe it. refunding/<channel>: on its way back to
payers. excess/<channel>: paid without need, to be given back. suspense/<channel>: nobody knows yet whose it is.
bank: what has come in. fee/<channel>: what the channel keeps. clearing/<institution>: being transferred.
"""

from __future__ import annotations

from kangyun.base.money import Fen
from kangyun.support.payments.model import Posting

BANK = "bank"


def channel(name: str) -> str:
    """The account of a channel."""
    return f"channel/{name}"


def payable(institution: str) -> str:
    """The account of what an institution is owed."""
    return f"payable/{institution}"


def paid(name: str, institution: str, fen: Fen) -> list[Posting]:
    """An order was paid."""
    return _moved(channel(name), payable(institution), fen)


def paid_in_excess(name: str, fen: Fen) -> list[Posting]:
    """Money came that no order needs."""
    return _moved(channel(name), f"excess/{name}", fen)


def refund_granted(name: str, institution: str, fen: Fen, *, excess: bool) -> list[Posting]:
    """Money is to go back: the institution is not paid it any more."""
    return _moved(f"excess/{name}" if excess else payable(institution), f"refunding/{name}", fen)


def refund_done(name: str, fen: Fen) -> list[Posting]:
    """The channel has given it back."""
    return _moved(f"refunding/{name}", channel(name), fen)


def refund_failed(name: str, institution: str, fen: Fen, *, excess: bool) -> list[Posting]:
    """The channel cannot give it back: it is as before."""
    return _moved(f"refunding/{name}", f"excess/{name}" if excess else payable(institution), fen)


def settled(name: str, paid_fen: Fen, refund_fen: Fen, fee_fen: Fen) -> list[Posting]:
    """A channel has transferred a day's payments less refunds and its fee, as its bill says."""
    moved = [Posting(BANK, paid_fen - refund_fen - fee_fen), Posting(f"fee/{name}", fee_fen), Posting(channel(name), refund_fen - paid_fen)]
    return [one for one in moved if one.fen]


def set_aside(name: str, fen: Fen) -> list[Posting]:
    """A difference of a bill is booked until it is known whose it is: positive, when the channel has more than we know of."""
    return _moved(channel(name), f"suspense/{name}", fen)


def to_transfer(institution: str, fen: Fen) -> list[Posting]:
    """An institution is to be paid what it is owed."""
    return _moved(payable(institution), f"clearing/{institution}", fen)


def transferred(institution: str, fen: Fen) -> list[Posting]:
    """The bank has paid it."""
    return _moved(f"clearing/{institution}", BANK, fen)


def _moved(debit: str, credit: str, fen: Fen) -> list[Posting]:
    return [Posting(debit, fen), Posting(credit, -fen)]
