"""The index: what is written beside a resource so that every search parameter of R4 can find it."""

from collections.abc import Sequence
from datetime import tzinfo

from kangyun.commons.records.decisions.index import dates, references
from kangyun.commons.records.decisions.index.entries import IndexEntries
from kangyun.commons.records.decisions.index.extraction import extract, settle_labels

__all__ = ["IndexEntries", "extract", "settle", "settle_labels"]


def settle(zone: tzinfo, bases: Sequence[str]) -> None:
    """Say, once for a process, in which zone dates without one are meant and under which addresses we are reached.

    Both decide what is written into the index, so every process on one database must say the same.
    """
    dates.set_zone(zone)
    references.set_bases(*bases)
