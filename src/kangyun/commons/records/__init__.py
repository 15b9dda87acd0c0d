"""The record store: FHIR R4 resources with versions, search, transactions and a change feed.

Only `kangyun.commons.access` opens this door (and the application, which joins the rooms).
"""

from kangyun.base import errors
from kangyun.commons.records.actions.entries import rewritten
from kangyun.commons.records.actions.resealing import expect_sealed
from kangyun.commons.records.actions.store import Beside, Store, StoreSession
from kangyun.commons.records.decisions.index import settle, settle_labels
from kangyun.commons.records.decisions.index.extraction import reference_elements
from kangyun.commons.records.decisions.statement import answered_elsewhere
from kangyun.commons.records.model import (
    Caller,
    HistoryPage,
    Session,
    Stored,
    Write,
    Written,
    hash64,
    key_of,
    type_code,
)
from kangyun.commons.records.queries import search
from kangyun.commons.records.queries.feed import ChangeFeed
from kangyun.commons.records.queries.persons import same_person

errors.register("kangyun.commons.records")

__all__ = [
    "Beside", "Caller", "ChangeFeed", "HistoryPage", "Session", "Store", "StoreSession", "Stored", "Write", "Written", "answered_elsewhere", "expect_sealed", "hash64", "key_of", "reference_elements", "rewritten", "same_person", "search", "settle", "settle_labels", "type_code",
]
