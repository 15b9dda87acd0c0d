"""The search behind Patient/$everything (FHIR R4, Patient-everything): a compartment and what it points to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kangyun.commons.records.decisions.index.extraction import COMPARTMENT
from kangyun.commons.records.model import key_of
from kangyun.commons.records.queries.search.conditions import HasToken
from kangyun.commons.records.queries.search.parse import parse
from kangyun.commons.records.queries.search.query import Include, Query, compartment_types

_POINTED_TO = Include(None, None, None, reverse=False, iterate=False)


def everything(patient_ids: Sequence[str] | None, params: Sequence[tuple[str, str]], *, now: datetime) -> Query:
    """All resources in the compartments of a resident's Patients (None: of all residents) and what they refer to.

    Understands _since, _type, _count and paging; start and end are refused (Problem 400), since R4 does not say which
    date of each type they mean.
    """
    asked = [("_lastUpdated", f"ge{value}") if name == "_since" else (name, value) for name, value in params]
    query = parse(None, asked, strict=True, now=now)
    if patient_ids is not None:
        theirs = HasToken(tuple(key_of("Patient", one) ^ COMPARTMENT for one in patient_ids))
        query = replace(query, conditions=(theirs, *query.conditions))
    else:
        query = replace(query, types=tuple(sorted(set(query.types) & compartment_types() or compartment_types())))
    return replace(query, includes=(*query.includes, _POINTED_TO))
