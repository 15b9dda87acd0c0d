"""The gate: who may do what. Every other room reaches the record through a handle that the gate gives out."""

from kangyun.commons.access.actions import Gate, Handle, Transaction
from kangyun.commons.access.model import Actor, Page, escaped
from kangyun.commons.records import Stored, Write, Written, key_of

__all__ = ["Actor", "Gate", "Handle", "Page", "Stored", "Transaction", "Write", "Written", "escaped", "key_of"]
