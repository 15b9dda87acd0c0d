"""What machines may ask of the population."""

from starlette.routing import BaseRoute

from kangyun.commons.population.api import card, crossing, linkage, matching, sharing, summary

_PARTS = (card, crossing, linkage, matching, sharing, summary)


def routes() -> list[BaseRoute]:
    """The routes of this room for machines."""
    return [route for part in _PARTS for route in part.routes()]
