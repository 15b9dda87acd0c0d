"""Every function of the language, in one table."""

from __future__ import annotations

from . import conversion, existence, fhir, maths, moments, selection, strings
from .registry import FUNCTIONS, Function

__all__ = ["FUNCTIONS", "Function", "conversion", "existence", "fhir", "maths", "moments", "selection", "strings"]
