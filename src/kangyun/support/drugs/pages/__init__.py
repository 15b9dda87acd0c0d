"""What people see of drugs."""

from __future__ import annotations

from types import ModuleType

from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.support.drugs.pages import catalogue, comments, lists, orders, own, pool, prices, sheets, statistics

_PARTS: tuple[ModuleType, ...] = (orders, sheets, pool, own, catalogue, prices, lists, comments, statistics)


def routes() -> list[BaseRoute]:
    """The routes of all pages of this room."""
    return [route for part in _PARTS for route in part.routes()]


def menu() -> list[web.MenuEntry]:
    """The entries of this room in the menu."""
    return [entry for part in _PARTS for entry in part.menu()]
