"""What machines may ask of insurance."""

from starlette.routing import BaseRoute

from kangyun.support.insurance.api import claims, notices


def routes() -> list[BaseRoute]:
    """All addresses for machines."""
    return [*claims.routes(), *notices.routes()]
