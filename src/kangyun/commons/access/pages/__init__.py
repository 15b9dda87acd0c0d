"""What people see of the gate: logging in, their account, the counter where guardians show their papers."""

from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.commons.access.pages import (
    account,
    apps,
    auditor,
    authorize,
    clients,
    consents,
    counter,
    emergency,
    invitation,
    login,
    notices,
    outside,
    signatures,
    steps,
    visitors,
)

_PARTS = (login, steps, outside, invitation, account, counter, authorize, apps, clients, notices, visitors, auditor, consents, emergency, signatures)


def routes() -> list[BaseRoute]:
    """The routes of all pages of this room."""
    return [route for part in _PARTS for route in part.routes()]


def menu() -> list[web.MenuEntry]:
    """The entries of this room in the menu."""
    return [entry for part in _PARTS if hasattr(part, "menu") for entry in part.menu()]
