"""The order of a sender's messages about one resident: the time of the event decides, not that of the arrival.

Visits, results and documents carry their own times and are joined by them. A resident's particulars do not: a message
that is handled late (after a retry, a replay, or on a second connection) must not put older values over newer ones. So
before a Patient that exists is changed, inside of the commit that would change it, it is asked whether the sender has
told of a later event; then the late message may only add what is missing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from kangyun.commons.access import Transaction, Write
from kangyun.commons.exchange.decisions.senders import key_of
from kangyun.commons.exchange.model import Matching, RawMessage
from kangyun.commons.exchange.queries.messages import sql

Beside = Callable[[Transaction], Awaitable[Sequence[Write]]]

_MOST_REMEMBERED = 20_000


class Late(Exception):  # noqa: N818 - an expected outcome: the message is prepared again, as a late one
    """A newer message of the same resident was handled before this one."""


class Turn:
    """One message on its way into the commit: `matching` says afterwards how its resident was found."""

    def __init__(self, raw: RawMessage, occurred: str) -> None:
        self._sender_key = raw.sender_key
        self._occurred = moment_of(occurred)
        self.late = False
        self.matching: Matching = ""

    def beside(self, changed: Sequence[str], inner: Beside | None) -> Beside | None:
        """What the commit does beside its writes: `changed` are Patients that exist and would be written anew."""
        if inner is None:
            return None

        async def run(transaction: Transaction) -> Sequence[Write]:
            await self.check(transaction, changed)
            writes = await inner(transaction)
            self.placed(changed, writes)
            return writes

        return run

    async def check(self, transaction: Transaction, changed: Sequence[str]) -> None:
        """Raise Late where the sender has told of a later event of one of the Patients that would be changed."""
        if changed and not self.late and self._occurred and await self._overtaken(transaction, changed, self._occurred):
            raise Late

    def placed(self, changed: Sequence[str], writes: Sequence[Write]) -> None:
        """Remember how the resident was found, by the Persons that are written with the message."""
        self.matching = _matching(changed, writes)

    async def _overtaken(self, transaction: Transaction, changed: Sequence[str], occurred: datetime) -> bool:
        if any(_newest.get((self._sender_key, one), occurred) > occurred for one in changed):
            return True
        return bool(await transaction.connection.fetchval(sql.told_later, self._sender_key, list(changed), occurred, [key_of(one) for one in changed]))

    def done(self, patient: str) -> None:
        """Remember what is committed but not yet noted in the table of messages."""
        if self._occurred is None or not patient:
            return
        key = (self._sender_key, patient)
        known = _newest.pop(key, self._occurred)
        _newest[key] = max(known, self._occurred)
        if len(_newest) > _MOST_REMEMBERED:
            _newest.popitem(last=False)


_newest: OrderedDict[tuple[int, str], datetime] = OrderedDict()


def moment_of(text: str) -> datetime | None:
    """A FHIR dateTime as a moment; None when it states no zone, since then it orders nothing."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _matching(changed: Sequence[str], writes: Sequence[Write]) -> Matching:
    persons = [write for write in writes if write.type == "Person"]
    if changed or not persons:
        return ""
    return "new" if all(write.if_match == 0 for write in persons) else "link"


def forget() -> None:
    """Forget what is only remembered in this process, for tests."""
    _newest.clear()
