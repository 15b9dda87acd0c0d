"""The addresses of the FHIR API, each with the permission it needs; the frequent ones stand first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps

from starlette.requests import Request
from starlette.responses import Response

from kangyun.base.web import route
from kangyun.base.web.routing import GuardedRoute
from kangyun.commons.records.api import bundles, interactions, operations, searching, weight, wire

Endpoint = Callable[[Request], Awaitable[Response]]

_READ, _WRITE = "records.read", "records.write"
_ID = "/fhir/{type}/{id}"


def routes() -> list[GuardedRoute]:
    """All routes under /fhir."""
    table: list[tuple[str, str, Endpoint, str]] = [
        ("POST", "/fhir", bundles.post_bundle, _WRITE),
        ("GET", "/fhir/metadata", operations.metadata, "web.public"),
        ("GET", "/fhir/_history", searching.history_of_all, _READ),
        ("POST", "/fhir/_search", searching.search_all_posted, _READ),
        ("POST", "/fhir/{type}/_search", searching.search_type_posted, _READ),
        ("GET", "/fhir/{type}/_history", searching.history_of_type, _READ),
        ("POST", "/fhir/{type}/$validate", operations.validate_resource, _READ),
        ("GET", "/fhir/Patient/$everything", searching.everything, _READ),
        ("GET", "/fhir/Patient/{id}/$everything", searching.everything, _READ),
        ("GET", "/fhir/Person/{id}/$everything", searching.everything_of_person, _READ),
        ("GET POST", "/fhir/{type}/${operation}", operations.unknown_operation, _READ),
        ("POST", "/fhir/{type}", interactions.create, _WRITE),
        ("GET", "/fhir/{type}", searching.search_type, _READ),
        ("PUT", "/fhir/{type}", interactions.update_by_condition, _WRITE),
        ("DELETE", "/fhir/{type}", interactions.delete_by_condition, _WRITE),
        ("GET", _ID, interactions.read, _READ),
        ("PUT", _ID, interactions.update, _WRITE),
        ("DELETE", _ID, interactions.delete, _WRITE),
        ("GET", _ID + "/_history", searching.history_of_one, _READ),
        ("GET", _ID + "/_history/{version}", interactions.vread, _READ),
        ("POST", _ID + "/$validate", operations.validate_resource, _READ),
        ("GET POST", _ID + "/${operation}", operations.unknown_operation, _READ),
        ("GET", "/fhir", searching.search_all, _READ),
        ("POST", "/fhir/", bundles.post_bundle, _WRITE),
        ("GET", "/fhir/", searching.search_all, _READ),
    ]
    return [route(path, _in_json(act), permission=permission, methods=methods.split(), limit=_limit(act))
            for methods, path, act, permission in table]


def _limit(act: Endpoint) -> str | None:
    """What costs more than one row is counted."""
    return "search" if act.__module__ == searching.__name__ else None


def _in_json(act: Endpoint) -> Endpoint:
    """The endpoint for callers who take JSON; the others are refused before anything happens."""

    @wraps(act)
    async def answer(request: Request) -> Response:
        wire.check_accept(request)
        if weight.is_large(request):
            async with weight.place(interactions.limits(request).body_seconds):
                return await act(request)
        return await act(request)

    return answer
