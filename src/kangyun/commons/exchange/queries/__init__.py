"""Reads of the exchange: kept messages, the quarantine, senders and their counts."""

from kangyun.commons.exchange.queries.messages import Kept, Listed, Volume, latest, one, states, volumes
from kangyun.commons.exchange.queries.records import current

__all__ = ["Kept", "Listed", "Volume", "current", "latest", "one", "states", "volumes"]
