"""What machines may ask of payments."""

from starlette.routing import BaseRoute

from kangyun.support.payments.api import notices, operations

_PARTS = (operations, notices)


def routes() -> list[BaseRoute]:
    """The routes of this room for machines."""
    return [route for part in _PARTS for route in part.routes()]
