"""What people see of the population."""

from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.commons.population.pages import card, registration, review, scanning

_PARTS = (registration, card, review, scanning)


def routes() -> list[BaseRoute]:
    """The routes of all pages of this room."""
    return [route for part in _PARTS for route in part.routes()]


def menu() -> list[web.MenuEntry]:
    """The entries of this room in the menu."""
    return [entry for part in _PARTS for entry in part.menu()]
