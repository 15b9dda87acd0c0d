"""What people see of the internet hospital."""

from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.care.internet_hospital.pages import answering, asking, calls, checkout, numbers, operating, supervising

_PARTS = (asking, answering, operating, supervising, calls, checkout, numbers)


def routes() -> list[BaseRoute]:
    """The addresses for people."""
    return [route for part in _PARTS for route in part.routes()]


def menu() -> list[web.MenuEntry]:
    """The places of this room in the menu, one for each kind of people."""
    return [entry for part in _PARTS for entry in part.menu()]
