"""The web shell: routes with permissions, pages in two languages, one design, forms from Questionnaires."""

from __future__ import annotations

from starlette.middleware import Middleware

from kangyun.base.errors import register
from kangyun.base.web.completeness import catalogue_problems
from kangyun.base.web.forms import check_own, foreign, posted
from kangyun.base.web.headers import SecurityHeaders
from kangyun.base.web.menu import MenuEntry, Shell, shell
from kangyun.base.web.pages import (
    error_page,
    exception_handlers,
    new_number,
    on_http_exception,
    on_problem,
    routes,
    wants_page,
)
from kangyun.base.web.preferences import Negotiation
from kangyun.base.web.qr import Picture, qr
from kangyun.base.web.redirects import local_path
from kangyun.base.web.routing import PUBLIC, permission_of, route, socket
from kangyun.base.web.templates import Login, Other, render
from kangyun.base.web.texts import translate

register("kangyun.base.web")

__all__ = [
    "PUBLIC", "Login", "MenuEntry", "Other", "Picture", "Shell", "catalogue_problems", "check_own", "error_page", "exception_handlers", "foreign", "local_path", "message", "middleware",
    "new_number", "on_http_exception", "on_problem", "permission_of", "posted", "qr", "render", "route", "routes", "shell", "socket",
    "translate", "wants_page",
]


def middleware() -> list[Middleware]:
    """Return the middleware every app with pages needs, in order; ``SecurityHeaders`` belong around the whole app besides."""
    return [Middleware(SecurityHeaders), Middleware(Negotiation)]


def message(key: str) -> str:
    """Mark a text key that Python hands to a template, so that the completeness test sees it."""
    return key
