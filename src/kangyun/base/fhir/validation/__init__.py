"""Validation of every write against R4: ``validate(resource)`` names each fault by its FHIRPath."""

from __future__ import annotations

from typing import Any

from kangyun.base.errors import Issue, register
from kangyun.base.fhir.validation.quick import accept
from kangyun.base.fhir.validation.walk import MOST_ISSUES, Walk

register("kangyun.base.fhir")


def validate(resource: dict[str, Any], *, warnings: bool = False) -> list[Issue]:
    """All faults of a resource, empty when it is right; with ``warnings`` also what is only advised.

    Checked: structure, cardinality, primitive formats, choice types, required bindings, invariants, reference targets,
    contained resources, extensions, narrative; the resources inside Bundle and Parameters too. Each issue's
    ``expression`` is the FHIRPath of the fault, e.g. ``Observation.component[1].value``. After about a hundred faults
    the rest is not looked at.
    """
    return [] if not warnings and accept(resource) else explain(resource, warnings=warnings)


def explain(resource: dict[str, Any], *, warnings: bool = False) -> list[Issue]:
    """The same answer by the exact walk alone, without the quick acceptance in front."""
    walk = Walk(warnings=warnings)
    walk.resource(resource)
    return walk.issues[:MOST_ISSUES]
