"""Refusals of the search, each naming the parameter, never the value (which may be about a patient)."""

from __future__ import annotations

from kangyun.base.errors import Problem, refuse


def bad_value(name: str) -> Problem:
    """The value does not have the form that the parameter's type asks for."""
    return refuse(400, "value", "records.search-value", name=name)


def bad_modifier(name: str, modifier: str) -> Problem:
    """The modifier does not exist, or not for this type of parameter."""
    return refuse(400, "not-supported", "records.search-modifier", name=name, modifier=modifier[:40])


def unknown(name: str, type_name: str) -> Problem:
    """No such parameter."""
    return refuse(400, "not-found", "records.search-unknown", name=name[:80], type=type_name)


def unsupported(name: str) -> Problem:
    """A parameter of R4 that this server does not answer."""
    return refuse(400, "not-supported", "records.search-unsupported", name=name[:80])


def too_long(name: str) -> Problem:
    """The text is longer than the index keeps."""
    return refuse(400, "too-long", "records.search-too-long", name=name)


def too_costly(name: str) -> Problem:
    """The search would touch more than one request may."""
    return refuse(400, "too-costly", "records.search-too-costly", name=name)
