"""The record store: FHIR R4 resources with versions, search, transactions and a change feed.

Only `kangyun.commons.access` opens this door (and the application, which joins the rooms).
"""

from kangyun.base import errors
from kangyun.commons.records.actions.store import Beside, Store, StoreSession
from kangyun.commons.records.decisions.index import settle
from kangyun.commons.records.model import Caller, HistoryPage, Session, Stored, Write, Written, key_of
from kangyun.commons.records.queries import search
from kangyun.commons.records.queries.feed import ChangeFeed
from kangyun.commons.records.queries.persons import same_person

errors.register("kangyun.commons.records")

__all__ = [
    "Beside", "Caller", "ChangeFeed", "HistoryPage", "Session", "Store", "StoreSession", "Stored", "Write", "Written", "key_of", "same_person", "search", "settle",
]
