"""The resident's pages, made for a phone."""

from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.portals.resident.pages import cards, home, record

_PARTS = (home, cards, record)


def routes() -> list[BaseRoute]:
    """The addresses of this portal."""
    return [route for part in _PARTS for route in part.routes()]


def menu() -> list[web.MenuEntry]:
    """This portal's places in the menu."""
    return home.menu()
