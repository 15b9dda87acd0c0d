"""HL7 v2 out of the record: rules/hl7v2_out says which segments a message has, and which element goes into which field."""

from kangyun.commons.exchange.decisions.outbound.composing import (
    Story,
    check_example,
    compose,
    gathering,
    references,
    resource_of,
    wants_before,
)
from kangyun.commons.exchange.decisions.outbound.receivers import Receiver, check_receiver, receivers

__all__ = [
    "Receiver", "Story", "check_example", "check_receiver", "compose", "gathering", "receivers", "references",
    "resource_of", "wants_before",
]
