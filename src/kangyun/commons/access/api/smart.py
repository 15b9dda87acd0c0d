"""What apps read before they ask: where everything is and what this server can (SMART App Launch 2.2, RFC 8414, OpenID Discovery)."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.commons.access.api.oauth import base_of
from kangyun.commons.access.decisions.scopes import WORDS
from kangyun.commons.access.decisions.tokens import ALGORITHMS, EXCHANGE

_SCOPES = [*(word for word in WORDS if word != "launch/encounter"), *(f"{context}/*.cruds" for context in ("patient", "user", "system"))]
_CAPABILITIES = [
    "launch-ehr", "launch-standalone", "client-public", "client-confidential-symmetric", "client-confidential-asymmetric",
    "sso-openid-connect", "context-ehr-patient", "context-ehr-encounter", "context-standalone-patient", "context-banner",
    "permission-offline", "permission-online", "permission-patient", "permission-user", "permission-v1", "permission-v2",
]
_GRANTS = ["authorization_code", "refresh_token", "client_credentials", EXCHANGE]
_PROOFS = ["client_secret_basic", "client_secret_post", "private_key_jwt"]
_HEADERS = {"cache-control": "public, max-age=300"}


def _server(request: Request) -> dict[str, Any]:
    base = base_of(request)
    return {
        "issuer": base,
        "authorization_endpoint": f"{base}/oauth/authorize",
        "token_endpoint": f"{base}/oauth/token",
        "revocation_endpoint": f"{base}/oauth/revoke",
        "introspection_endpoint": f"{base}/oauth/introspect",
        "jwks_uri": f"{base}/oauth/jwks",
        "scopes_supported": _SCOPES,
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": _GRANTS,
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": [*_PROOFS, "none"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": [*_PROOFS, "none"],
        "introspection_endpoint_auth_methods_supported": _PROOFS,
        "authorization_response_iss_parameter_supported": True,
        "ui_locales_supported": ["zh-CN", "en"],
    }


def _provider(request: Request) -> dict[str, Any]:
    return _server(request) | {
        "userinfo_endpoint": f"{base_of(request)}/oauth/userinfo",
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "name", "fhirUser"],
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


async def authorization_server(request: Request) -> Response:
    """RFC 8414."""
    return JSONResponse(_server(request), headers=_HEADERS)


async def openid(request: Request) -> Response:
    """OpenID Connect Discovery 1.0."""
    return JSONResponse(_provider(request), headers=_HEADERS)


async def smart(request: Request) -> Response:
    """SMART App Launch 2.2, section 9.2."""
    account = {"management_endpoint": f"{base_of(request)}/account/apps", "capabilities": _CAPABILITIES}
    return JSONResponse(_provider(request) | account, headers=_HEADERS)


def routes() -> list[BaseRoute]:
    """The addresses that the standards fix."""
    return [
        web.route("/.well-known/oauth-authorization-server", authorization_server, permission=web.PUBLIC),
        web.route("/.well-known/openid-configuration", openid, permission=web.PUBLIC),
        web.route("/fhir/.well-known/smart-configuration", smart, permission=web.PUBLIC),
    ]
