"""The shape of what an operation is asked with: whoever reads it may rely on objects, lists and values being what R4 says."""

from __future__ import annotations

from typing import Any

from kangyun.base.errors import Problem
from kangyun.base.fhir.validation import validate
from kangyun.base.fhir.validation.walk import MOST_ISSUES

_SHAPE = frozenset({
    "fhir.resource-type-missing", "fhir.resource-type-unknown", "fhir.element-unknown", "fhir.object-expected", "fhir.list-expected", "fhir.list-unexpected", "fhir.null",
    "fhir.primitive-type", "fhir.primitive-range",
})


def check_shape(resource: dict[str, Any]) -> None:
    """Raise Problem 400 naming each place where a resource has another shape than R4 gives it, or an element that R4 does not know.

    What is missing or in no value set is for the operation itself to judge: drafts are never complete.
    """
    issues = validate(resource)
    # A decimal may be written as a text: whoever reads one keeps its digits, and judges it himself.
    wrong = [one for one in issues if one.key in _SHAPE and one.params.get("type") != "decimal"]
    # Behind that many faults nothing was looked at.
    if wrong or len(issues) >= MOST_ISSUES:
        raise Problem(400, *(wrong or issues)[:10])
