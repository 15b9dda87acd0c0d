"""Reactions say what they listen to and what they write, and never wake each other for ever."""

from __future__ import annotations

from kangyun.app.rooms import doors
from kangyun.base.fhir import definitions
from kangyun.base.reactions import Reaction, endless_loop


def all_reactions() -> list[Reaction]:
    """The reactions of all rooms."""
    return [reaction for module in doors("reactions") for reaction in module.reactions()]


def test_no_reactions_wake_each_other_for_ever() -> None:
    assert endless_loop(all_reactions()) is None


def test_reactions_have_names_of_their_own() -> None:
    names = [reaction.name for reaction in all_reactions()]
    assert sorted(names) == sorted(set(names))
    for module in doors("reactions"):
        room = module.__name__.split(".")[2]
        assert all(reaction.name.startswith(f"{room}.") for reaction in module.reactions())


def test_reactions_name_types_that_exist() -> None:
    types = definitions.load().types.keys() | {"*"}
    for reaction in all_reactions():
        assert reaction.listens, f"{reaction.name} listens to nothing"
        assert not (set(reaction.listens) | set(reaction.writes)) - types
