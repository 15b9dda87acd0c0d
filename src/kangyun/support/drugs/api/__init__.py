"""What machines may ask of drugs."""

from __future__ import annotations

from types import ModuleType

from starlette.routing import BaseRoute

from kangyun.support.drugs.api import knowledge, parcels, prescriptions, stock

_PARTS: tuple[ModuleType, ...] = (prescriptions, parcels, stock, knowledge)


def routes() -> list[BaseRoute]:
    """The routes of this room for machines."""
    return [route for part in _PARTS for route in part.routes()]
