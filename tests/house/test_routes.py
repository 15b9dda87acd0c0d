"""Every route names its permission; none means refused."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kangyun.app import web as application
from kangyun.base import web
from kangyun.base.rules import load
from tests.house.house import assert_kept

# What anybody may see without being known: whether the platform lives, static files, what the API can do.
PUBLIC = {
    "/health/live", "/health/ready", "/static/{digest}/{name:path}", "/preferences", "/offline", "/favicon.ico", "/service-worker.js",
    "/fhir/metadata", "/", "/card/keys", "/resident/pass",
    # A summary that its owner has shared: the link is the permission, and what it leads to is encrypted with a key in it.
    "/shl/{id}",
}


async def nothing(_request: Request) -> Response:
    return Response()


def test_every_route_names_a_permission_that_some_role_has() -> None:
    roles = load("kangyun.commons.access", "roles.yaml").table
    granted = {permission for role in roles for permission in role.get("permissions", ())}
    for entry in application.route_table():
        room = entry.permission.partition(".")[0]
        assert {entry.permission, f"{room}.*", "*"} & granted, f"{entry.path}: nobody has {entry.permission}"


def test_only_what_shows_nothing_about_anybody_is_public() -> None:
    public = {entry.path for entry in application.route_table() if entry.permission == web.PUBLIC}
    assert_kept(public - PUBLIC)


def test_no_address_is_served_twice() -> None:
    served = [(method, entry.path) for entry in application.route_table() for method in entry.methods or ()]
    assert sorted(served) == sorted(set(served))


def test_a_route_without_a_permission_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="must name a permission"):
        web.route("/x", nothing, permission="")


def test_a_room_whose_route_names_no_permission_keeps_the_platform_from_starting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(application, "_room_routes", lambda: [Route("/x", nothing)])
    with pytest.raises(TypeError, match="names no permission: /x"):
        application.route_table()
