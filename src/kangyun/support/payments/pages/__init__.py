"""What people see of payments: residents pay, clerks give back, the region's finance clerk reconciles."""

from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.support.payments.pages import books, desk, paying, reconciliation

_PARTS = (paying, desk, reconciliation, books)


def routes() -> list[BaseRoute]:
    """The routes of all pages of this room."""
    return [route for part in _PARTS for route in part.routes()]


def menu() -> list[web.MenuEntry]:
    """The entries of this room in the menu."""
    return [entry for part in _PARTS for entry in part.menu()]
