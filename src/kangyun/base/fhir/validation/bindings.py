"""Required bindings: https://hl7.org/fhir/R4/terminologies.html#required."""

from __future__ import annotations

from functools import cache
from typing import Any

from kangyun.base.fhir import definitions
from kangyun.base.fhir.definitions import Binding

Codes = frozenset[tuple[str, str]]


@cache
def required_codes(binding: Binding | None) -> Codes | None:
    """The (system, code) pairs of a required binding; None when nothing can be checked."""
    if binding is None or binding.strength != "required":
        return None
    return definitions.load().codes(binding.valueset)


@cache
def plain_codes(codes: Codes) -> frozenset[str]:
    """The codes alone, for elements of type code whose system is implied."""
    return frozenset(code for _, code in codes)


def keeps(codes: Codes, value: Any) -> bool:
    """Whether a code, Coding or CodeableConcept is in the set; what carries only extensions says nothing wrong."""
    if isinstance(value, str):
        return value in plain_codes(codes)
    if not isinstance(value, dict):
        return True
    if "coding" in value:
        return any(_coding(codes, coding) for coding in value["coding"])
    if "code" in value or "system" in value:
        return _coding(codes, value)
    return "text" not in value


def _coding(codes: Codes, coding: dict[str, Any]) -> bool:
    return (coding.get("system"), coding.get("code")) in codes
