"""The room's addresses for machines."""

from __future__ import annotations

from starlette.routing import BaseRoute

from kangyun.commons.access.api import audit, oauth, signing, smart


def routes() -> list[BaseRoute]:
    """All of them."""
    return [*oauth.routes(), *smart.routes(), *audit.routes(), *signing.routes()]
