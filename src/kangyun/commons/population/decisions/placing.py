"""Where a Patient belongs: the person above it, by likeness to the other Patients and by what humans decided."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from kangyun.commons.population.decisions.matching import Evidence, Features, households, score, verdict, weights
from kangyun.commons.population.decisions.traits import disagree
from kangyun.commons.population.model import ALIKE, BY_NUMBER, DECIDED, Member, Placement, Proposal, Traits

Grade = Literal["certain", "probable", "possible", "certainly-not"]
Pairs = frozenset[frozenset[str]]
# Bars for want of evidence, which a shared number gives.
_TOO_LITTLE = {"", "namesakes", "unnamed"}
_ORDER = {"new": 0, "review": 1, "link": 2}
Groups = Mapping[str, Sequence[Member]]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known around a Patient: the other members of each person in question, and pairs that humans judged.

    `told` are Patients that its own source calls the same person (FHIR Patient.link).
    """

    groups: Groups
    apart: Pairs = frozenset()
    together: Pairs = frozenset()
    told: frozenset[str] = frozenset()


class _Group:
    """One person in question, seen from the Patient."""

    def __init__(self, me: Member, person: str, members: Sequence[Member], known: Known) -> None:
        self.me, self.person, self.members, self._known = me, person, members, known

    @cached_property
    def best(self) -> tuple[Member, Evidence]:
        """The member that is most alike."""
        judged = ((one, self._evidence(one.traits.features)) for one in self.members)
        return max(judged, key=lambda pair: (_ORDER[verdict(pair[1])], pair[1].bits))

    def _evidence(self, theirs: Features) -> Evidence:
        """Where nothing but name and birth date agrees, those around them may tell who lives with whom."""
        mine = self.me.traits.features
        found = score(mine, theirs)
        if found.barred != "namesakes":
            return found
        others = [one.traits.features for group in self._known.groups.values() for one in group]
        return score(households.among(mine, others), households.among(theirs, [mine, *others]))

    @property
    def parted(self) -> bool:
        """Whether a human said that they are two."""
        return any(frozenset({self.me.patient, one.patient}) in self._known.apart for one in self.members)

    @property
    def disagrees(self) -> bool:
        """Whether one of them has another ID number."""
        return any(_forbidden(self.me, one, self._known) for one in self.members)

    @property
    def strangers(self) -> bool:
        """Whether each of them has another ID number and not even the same name with the same birth date: nobody need be asked."""
        mine = self.me.traits.features
        return all(
            _forbidden(self.me, one, self._known) and (one.traits.features.name, one.traits.features.birth) != (mine.name, mine.birth)
            for one in self.members
        )

    @property
    def sure(self) -> bool:
        """Whether a human, or the source itself, said that they are one."""
        pairs = (frozenset({self.me.patient, one.patient}) for one in self.members)
        return any(pair in self._known.together for pair in pairs)

    @property
    def told(self) -> bool:
        """Whether the source itself says that they are one."""
        return any(one.patient in self._known.told for one in self.members)

    @cached_property
    def verdict(self) -> str:
        """link, review or new; nothing is asked again that a human has answered."""
        if self.parted:
            return "new"
        if self.sure:
            return "link"
        if self.strangers and not self.told and not self.shares:
            return "new"
        found = "link" if self.told else self._by_evidence()
        return "review" if found == "link" and self.disagrees else found

    def _by_evidence(self) -> str:
        """A shared number makes certain what else is only likely, but not what speaks against it."""
        evidence = self.best[1]
        if not self.shares:
            return verdict(evidence)
        return "link" if evidence.bits > 0 and evidence.barred in _TOO_LITTLE else "review"

    @property
    def shares(self) -> bool:
        """Whether it bears the number of one of them, such as the record number that a laboratory has of its hospital."""
        return any(self.me.traits.numbers & one.traits.numbers for one in self.members)

    @property
    def assurance(self) -> int:
        """How sure a link to this person would be."""
        if self.sure:
            return DECIDED
        return BY_NUMBER if self.shares or self.told else ALIKE

    def proposal(self) -> Proposal:
        """The question to a human."""
        other, evidence = self.best
        return Proposal(self.me.patient, other.patient, evidence)


def place(me: Member, known: Known) -> Placement:
    """The person a Patient belongs to; `me.person` is where it stands now, empty when it is new.

    A Patient stays where it is unless an ID number forbids it. Two persons become one only when no member of the one
    contradicts a member of the other.
    """
    groups = [_Group(me, person, members, known) for person, members in known.groups.items() if members]
    stays = next((one for one in groups if one.person == me.person), None)
    leaves = stays is not None and stays.disagrees and me.assurance < DECIDED
    base = me.person or None if not leaves else None
    alike = sorted((one for one in groups if one.verdict == "link" and one.person != me.person), key=_strongest)
    if leaves or base is None:
        base = alike[0].person if alike else None
    joined, doubtful = _joined(base, alike, known)
    moved = tuple(one.patient for group in doubtful for one in group.members if one.patient in known.told)
    asked = [*(one for one in groups if one.verdict == "review" and one.person != base), *doubtful]
    assurance = next((one.assurance for one in groups if one.person == base), None)
    stands = me.assurance == DECIDED and base == me.person
    level = DECIDED if stands else assurance or (BY_NUMBER if me.traits.ids else ALIKE)
    return Placement(base, level, tuple(one.person for one in joined), moved, tuple(one.proposal() for one in asked))


def _strongest(group: _Group) -> tuple[bool, float, str]:
    return (not group.sure, -group.best[1].bits, group.person)


def _joined(base: str | None, alike: Sequence[_Group], known: Known) -> tuple[list[_Group], list[_Group]]:
    """Which persons are one with the base, and which look so but contradict somebody in it."""
    whole: list[Member] = list(known.groups.get(base or "", ()))
    joined: list[_Group] = []
    doubtful: list[_Group] = []
    for group in alike:
        if group.person == base:
            continue
        if may_join(whole, group.members, known):
            joined.append(group)
            whole += group.members
        else:
            doubtful.append(group)
    return joined, doubtful


def may_join(some: Iterable[Member], others: Sequence[Member], known: Known) -> bool:
    """Whether nothing forbids that all of them are one person."""
    pairs = ((one, other) for one in some for other in others)
    return not any(
        _forbidden(one, other, known) or frozenset({one.patient, other.patient}) in known.apart for one, other in pairs
    )


def _forbidden(one: Member, other: Member, known: Known) -> bool:
    """Their ID numbers differ, and no human said that they are one all the same (a number was changed)."""
    return disagree(one.traits, other.traits) and frozenset({one.patient, other.patient}) not in known.together


@dataclass(frozen=True, slots=True)
class Likeness:
    """How far a person is like somebody who was asked for: by the member that is most alike."""

    member: Member
    grade: Grade
    evidence: Evidence


def liken(asked: Traits, groups: Groups) -> list[Likeness]:
    """The persons who may be the asked one, graded as FHIR match-grade; those who are somebody else are left out."""
    me = Member("", "", "", ALIKE, 0, asked)
    found = [_Group(me, person, members, Known(groups)) for person, members in groups.items()]
    return [Likeness(one.best[0], _grade(one), one.best[1]) for one in found if one.verdict != "new"]


def _grade(group: _Group) -> Grade:
    evidence = group.best[1]
    if group.disagrees:
        return "certainly-not"
    if group.verdict == "link":
        return "certain"
    return "probable" if evidence.bits >= weights().thresholds.link else "possible"
