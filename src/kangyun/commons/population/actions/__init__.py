"""Writes: residents are registered, kept up to date, merged, and placed under their persons."""

from kangyun.commons.population.actions.persons import link, merge, reject, relate, undo, unlink, unmerge
from kangyun.commons.population.actions.placing import beside, committed, forget, place, place_each, was_placed
from kangyun.commons.population.actions.residents import (
    Registration,
    overtaken,
    prepare,
    prepare_merge,
    register,
    turn,
)

__all__ = [
    "Registration", "beside", "committed", "forget", "link", "merge", "overtaken", "place", "place_each", "prepare", "prepare_merge", "register",
    "reject", "relate", "turn", "undo", "unlink", "unmerge", "was_placed",
]
