"""A hospital's directory that is not there: an OpenID Connect provider over a real connection, for tests and acceptance.

It lets the one person in whom it was told of, keeps codes for one use with their PKCE challenge, checks who asks for a
token, and can be told to say something false in its id_token.
"""

from __future__ import annotations

import secrets
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, urlencode

from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from kangyun.base import clock, simulators


def _key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": secrets.token_hex(4), "use": "sig", "alg": "ES256"})


@dataclass(slots=True)
class Directory:
    """The provider: its one client, who is in front of it, and what it was told to say falsely.

    person: claims such as sub and preferred_username; None: nobody agrees. falsely: claims that replace the right ones.
    """

    client: str = "kangyun"
    secret: str = ""
    issuer: str = ""
    person: dict[str, str] | None = None
    falsely: dict[str, Any] = field(default_factory=dict[str, Any])
    key: ECKey = field(default_factory=_key)
    shown: ECKey | None = None
    """Another key that its JWKS shows instead of the one it signs with."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])

    async def about(self, _request: Request) -> Response:
        """Discovery (OpenID Connect Discovery 1.0)."""
        paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
        return JSONResponse({"issuer": self.issuer, **{name: f"{self.issuer}/{path}" for name, path in paths.items()}})

    async def keys(self, _request: Request) -> Response:
        """The public keys."""
        return JSONResponse({"keys": [(self.shown or self.key).as_dict(private=False)]})

    async def authorize(self, request: Request) -> Response:
        """Send the browser back with a code, or with a refusal."""
        asked = dict(request.query_params)
        if self.person is None:
            answer = {"error": "access_denied", "state": asked["state"]}
        else:
            code = secrets.token_urlsafe(16)
            self.codes[code] = asked
            answer = {"code": code, "state": asked["state"]}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 303)

    async def token(self, request: Request) -> Response:
        """Give an id_token for a code, once, to the client that asked with the verifier of its challenge."""
        form = await request.form()
        asked = self.codes.pop(str(form.get("code", "")), None)
        if not self._is_client(request) or asked is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        challenge = urlsafe_b64encode(sha256(str(form.get("code_verifier", "")).encode()).digest()).rstrip(b"=").decode()
        if challenge != asked["code_challenge"] or form.get("redirect_uri") != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(clock.seconds())
        claims = {
            "iss": self.issuer, "aud": self.client, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **(self.person or {}), **self.falsely,
        }
        token = jwt.encode({"alg": "ES256", "kid": (self.shown or self.key).kid}, claims, self.key, algorithms=["ES256"])
        return JSONResponse({"access_token": "unused", "token_type": "Bearer", "id_token": token})

    def _is_client(self, request: Request) -> bool:
        if not self.secret:
            return True
        kind, _, told = request.headers.get("authorization", "").partition(" ")
        name, _, secret = b64decode(told).decode().partition(":") if kind == "Basic" else ("", "", "")
        return (unquote(name), unquote(secret)) == (self.client, self.secret)

    @property
    def app(self) -> Starlette:
        """The provider as a web application."""
        return Starlette(routes=[
            Route("/.well-known/openid-configuration", self.about), Route("/keys", self.keys), Route("/authorize", self.authorize),
            Route("/token", self.token, methods=["POST"]),
        ])


@contextmanager
def listening(directory: Directory, port: int = 0) -> Generator[str]:
    """Serve a directory on loopback until the block ends; gives its address, which is its issuer too."""
    with simulators.listening(directory.app, port) as directory.issuer:
        yield directory.issuer
