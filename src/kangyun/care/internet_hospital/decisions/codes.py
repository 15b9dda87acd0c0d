"""ICD-10 codes and the ranges in which clinics and rules name them."""

from __future__ import annotations

from collections.abc import Iterable


def within(code: str, ranges: Iterable[str]) -> bool:
    """Whether a code falls into one of the ranges: I10, I10-I15, I20.0; a whole category holds its subcategories."""
    return any(_falls(code.upper(), one.upper()) for one in ranges)


def _falls(code: str, said: str) -> bool:
    first, _, last = said.partition("-")
    if not last:
        return code == first or code.startswith(f"{first}.") or ("." in first and code.startswith(first))
    return first <= code[: len(first)] and code[: len(last)] <= last
