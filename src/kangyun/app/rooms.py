"""Finding the rooms: a room plugs itself in by having a door; nothing is registered by hand."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from types import ModuleType

import kangyun

_FLOORS = ("commons", "support", "care", "oversight", "portals")


@cache
def rooms() -> tuple[str, ...]:
    """The packages of all rooms, floor by floor from the ground up."""
    found: list[str] = []
    for floor in _FLOORS:
        for folder in kangyun.__path__:
            inside = pkgutil.iter_modules([f"{folder}/{floor}"])
            found += [f"kangyun.{floor}.{module.name}" for module in inside if module.ispkg]
    return tuple(found)


def doors(name: str) -> Iterator[ModuleType]:
    """The door `name` (api, pages, reactions, listeners, jobs) of every room that has it."""
    for room in rooms():
        package = import_module(room)
        if any(module.name == name for module in pkgutil.iter_modules(package.__path__)):
            yield import_module(f"{room}.{name}")


def load_jobs() -> None:
    """Import whatever may register a job: rooms with the door `jobs`, and each module of each room's actions.

    Where pages and API are served, most of it is there already; a worker alone would leave the jobs of the rest to nobody.
    """
    list(doors("jobs"))
    for package in doors("actions"):
        for module in pkgutil.iter_modules(getattr(package, "__path__", ()), f"{package.__name__}."):
            import_module(module.name)
