"""What machines may ask of the internet hospital."""

from starlette.routing import BaseRoute

from kangyun.care.internet_hospital.api import answering, asking, calls, checkout, operating, regulation

_PARTS = (asking, answering, operating, checkout, calls, regulation)


def routes() -> list[BaseRoute]:
    """The addresses for machines."""
    return [route for part in _PARTS for route in part.routes()]
