"""Search of FHIR R4 over the index: parse(parameters) -> Query, run(connection, query) -> Result."""

from kangyun.commons.records.queries.search.everything import everything
from kangyun.commons.records.queries.search.parse import parse
from kangyun.commons.records.queries.search.query import Query, Restriction, Result
from kangyun.commons.records.queries.search.run import run
from kangyun.commons.records.queries.search.supported import supported

__all__ = ["Query", "Restriction", "Result", "everything", "parse", "run", "supported"]
