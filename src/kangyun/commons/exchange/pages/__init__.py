"""What people see of the exchange."""

from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.commons.exchange.pages import codes, handling, messages, quality, quarantine, senders, tables, upload

_PARTS = (messages, quarantine, handling, senders, quality, upload, codes, tables)


def routes() -> list[BaseRoute]:
    """The routes of all pages of this room."""
    return [route for part in _PARTS for route in part.routes()]


def menu() -> list[web.MenuEntry]:
    """The entries of this room in the menu."""
    return [entry for part in _PARTS for entry in part.menu()]
