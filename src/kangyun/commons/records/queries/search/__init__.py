"""Search of FHIR R4 over the index: parse(parameters) -> Query, run(connection, query) -> Result."""

from kangyun.commons.records.queries.search.conditions import (
    All,
    Condition,
    Given,
    HasKey,
    HasToken,
    Nothing,
    all_of,
    any_of,
)
from kangyun.commons.records.queries.search.everything import everything
from kangyun.commons.records.queries.search.parse import parse
from kangyun.commons.records.queries.search.query import (
    EVERYTHING,
    Query,
    Restriction,
    Result,
    compartment,
    compartment_types,
    narrowest,
)
from kangyun.commons.records.queries.search.run import run
from kangyun.commons.records.queries.search.seen import seen
from kangyun.commons.records.queries.search.sorting import is_narrow
from kangyun.commons.records.queries.search.supported import supported

__all__ = [
    "EVERYTHING", "All", "Condition", "Given", "HasKey", "HasToken", "Nothing", "Query", "Restriction", "Result", "all_of", "any_of", "compartment",
    "compartment_types", "everything", "is_narrow", "narrowest", "parse", "run", "seen", "supported",
]
