"""Changing the store; everything that is written passes through `writing.write`."""

from kangyun.commons.records.actions.trimming import trim

__all__ = ["trim"]
