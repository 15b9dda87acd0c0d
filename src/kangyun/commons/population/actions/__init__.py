"""Writes: residents are registered, kept up to date and merged."""

from kangyun.commons.population.actions.residents import (
    Registration,
    overtaken,
    prepare,
    prepare_merge,
    register,
    turn,
)

__all__ = ["Registration", "overtaken", "prepare", "prepare_merge", "register", "turn"]
