"""Reads: whom identifiers belong to."""

from kangyun.commons.population.queries.residents import follow, holders, identify, replaced_by

__all__ = ["follow", "holders", "identify", "replaced_by"]
