"""Comparing the books of a day: every settlement of ours with the insurer's, one by one, whatever the sums say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from kangyun.base.money import Fen

COMPARED = ("total", "fund", "serious", "supplement", "aid", "account", "cash")


@dataclass(frozen=True, slots=True)
class Booked:
    """A settlement in somebody's books: our id (empty where the insurer names none), its own number, valid or taken back."""

    id: str
    number: str
    valid: bool
    figures: Mapping[str, Fen]


@dataclass(frozen=True, slots=True)
class Difference:
    """One that differs; kind as in migrations/0653. ours, theirs: the figures, or None where it is not in the books."""

    settlement: str
    kind: str
    ours: Mapping[str, Fen] | None
    theirs: Mapping[str, Fen] | None


def differences(ours: Sequence[Booked], theirs: Sequence[Booked]) -> list[Difference]:
    """Every settlement in which the books differ, by id. What both have taken back, or only one has ever known so, is the same."""
    own = {one.id: one for one in ours}
    there: dict[str, list[Booked]] = {}
    for one in theirs:
        there.setdefault(one.id or one.number, []).append(one)
    found = [difference for id_ in sorted({*own, *there}) for difference in _of(id_, own.get(id_), there.get(id_, ()))]
    return [one for one in found if one.ours or one.theirs]


def _of(id_: str, own: Booked | None, there: Iterable[Booked]) -> list[Difference]:
    valid = [one for one in there if one.valid]
    mine = own.figures if own is not None and own.valid else None
    if len(valid) > 1:
        return [Difference(id_, "doubled", mine, valid[1].figures)]
    said = valid[0].figures if valid else None
    if mine is None and said is None:
        return []
    if mine is None:
        return [Difference(id_, "missing-here" if own is None else "reversed-here", None, said)]
    if said is None:
        return [Difference(id_, "reversed-there" if [*there] else "missing-there", mine, None)]
    return [] if all(mine.get(name) == said.get(name) for name in COMPARED) else [Difference(id_, "amount", mine, said)]


def totals(books: Iterable[Booked]) -> dict[str, int]:
    """How many are valid, and the sums of what is compared."""
    valid = [one for one in books if one.valid]
    sums: Counter[str] = Counter()
    for one in valid:
        sums.update({name: one.figures.get(name, 0) for name in COMPARED})
    return {"count": len(valid), **{name: sums[name] for name in COMPARED}}
