"""Changing the store; everything that is written passes through `writing.write`."""
