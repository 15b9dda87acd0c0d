"""What machines may ask: every deed of the pages as a FHIR operation (WS/T 790.15)."""

from __future__ import annotations

from starlette.routing import BaseRoute

from kangyun.support.appointments.api import booking, finding, receiving, scheduling


def routes() -> list[BaseRoute]:
    """The addresses of this room's operations."""
    return [*finding.routes(), *booking.routes(), *receiving.routes(), *scheduling.routes()]
