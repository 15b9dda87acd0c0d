"""The index: what is written beside a resource so that every search parameter of R4 can find it."""

from kangyun.commons.records.decisions.index.entries import IndexEntries
from kangyun.commons.records.decisions.index.extraction import extract

__all__ = ["IndexEntries", "extract"]
