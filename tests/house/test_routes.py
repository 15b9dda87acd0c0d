"""Every route names its permission; none means refused."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.websockets import WebSocket

from kangyun.app import web as application
from kangyun.base import web
from kangyun.commons.access.decisions.policy import roles
from tests.house.house import assert_kept

# What anybody may see without being known: whether the platform lives, static files, what the API can do.
PUBLIC = {
    "/health/live", "/health/ready", "/static/{digest}/{name:path}", "/preferences", "/offline", "/favicon.ico", "/service-worker.js", "/manifest.webmanifest",
    "/fhir/metadata", "/", "/card/keys", "/resident/pass",
    # A summary that its owner has shared: the link is the permission, and what it leads to is encrypted with a key in it.
    "/shl/{id}",
    # A call screen in a waiting hall: the link is the permission, and it shows numbers and masked names.
    "/appointments/screen/{key}",
    # Where payment channels tell of payments: their signature is the permission.
    "/payments/notices/{channel}",
    # Logging in: nobody is known yet. An invitation's link is the permission.
    "/login", "/login/code", "/login/code/again", "/login/code/check", "/login/password/check", "/login/passkey/offer", "/login/passkey",
    "/login/second", "/login/enrol", "/login/enrol/offer", "/login/enrol/passkey", "/login/password", "/login/choose", "/login/enter",
    "/login/nothing", "/login/outside/return", "/login/outside/{provider}", "/invitation/{token}",
    # A third party's way into a call: the link, and then what the browser that opened it keeps, are the permission.
    "/calls/join/{secret}", "/calls/guest", "/calls/guest/line",
    # The token endpoint and its like: what is posted there proves who asks.
    "/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/userinfo", "/oauth/jwks",
    # Where an app's request comes in, before anybody has logged in; and what apps read first.
    "/oauth/authorize", "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration",
    "/fhir/.well-known/smart-configuration",
    # What the insurer tells by itself: its signature is the permission.
    "/insurance/notices",
}
# What a page asks beside its own permission: all institutions or the own one; a whole document number or a masked one.
PARTS_OF_PAGES = {"institutions.all", "population.identify"}


async def deaf(_socket: WebSocket) -> None:
    return


async def nothing(_request: Request) -> Response:
    return Response()


def test_every_route_names_a_permission_that_some_role_has() -> None:
    granted = {permission for name, role in roles().items() if name != "operator" for permission in role.permissions}
    for entry in [*application.route_table(), *application.socket_table()]:
        assert entry.permission in granted, f"{entry.path}: nobody but an operator has {entry.permission}"


def test_no_role_is_given_a_permission_that_leads_nowhere() -> None:
    named = {entry.permission for entry in [*application.route_table(), *application.socket_table()]} | PARTS_OF_PAGES
    for name, role in roles().items():
        assert_kept(f"{name} has {one}" for one in role.permissions - named - {"*"})


def test_only_what_shows_nothing_about_anybody_is_public() -> None:
    every = [*application.route_table(), *application.socket_table()]
    public = {entry.path for entry in every if entry.permission == web.PUBLIC}
    assert_kept(public - PUBLIC)


def test_no_address_is_served_twice() -> None:
    served = [(method, entry.path) for entry in application.route_table() for method in entry.methods or ()]
    assert sorted(served) == sorted(set(served))


def test_a_route_without_a_permission_cannot_be_built() -> None:
    with pytest.raises(ValueError, match="must name a permission"):
        web.route("/x", nothing, permission="")
    with pytest.raises(ValueError, match="must name a permission"):
        web.socket("/x", deaf, permission="x")


def test_a_room_whose_route_names_no_permission_keeps_the_platform_from_starting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(application, "_room_routes", lambda: [Route("/x", nothing)])
    with pytest.raises(TypeError, match="names no permission: /x"):
        application.route_table()
