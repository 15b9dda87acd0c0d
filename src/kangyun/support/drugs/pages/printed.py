"""What stands on the sheet of a prescription, on the screen and on paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kangyun.base import money
from kangyun.base.web.display import CHINA
from kangyun.commons.access import Letterhead, Verdict
from kangyun.support.drugs.decisions.circulation import Look
from kangyun.support.drugs.model import Drug, Prescription
from kangyun.support.drugs.model.circulation import Held
from kangyun.support.drugs.queries.people import Resident


@dataclass(frozen=True, slots=True)
class Printed:
    """What stands on a sheet. `who`: names of practitioners by id; `total` in fen."""

    held: Held
    said: Prescription
    resident: Resident
    known: Mapping[str, Drug]
    who: Mapping[str, str]
    signed: Sequence[Verdict]
    look: Look
    head: Letterhead | None
    total: int

    def signer(self, purpose: str) -> str:
        """Who has signed for something, with a mark when the signature does not hold; '' when nobody has."""
        one = next((verdict for verdict in self.signed if verdict.purpose == purpose), None)
        return "" if one is None else f"{self.who.get(one.practitioner, '')}{'' if one.holds else '（签名无效）'}"

    @property
    def day(self) -> str:
        """The day of issue, as in 2026-11-22."""
        return self.held.made.astimezone(CHINA).date().isoformat()

    @property
    def price(self) -> str:
        """What all of it costs."""
        return money.shown(self.total)
