"""Access tokens of a client (OAuth 2.0 client credentials): asked for when there is none, and anew when one is refused."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import httpx


@dataclass(slots=True)
class Access:
    """A client that is known to the platform; `url` is its token endpoint. One token serves all connections."""

    url: str
    client: str
    secret: str = field(repr=False)
    transport: httpx.AsyncBaseTransport | None = None
    _token: str = field(default="", repr=False)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def token(self, refused: str = "") -> str:
        """The token, another one than the refused. Raises httpx.HTTPError when the platform gives none."""
        async with self._asking:
            if not self._token or self._token == refused:
                self._token = await self._ask()
            return self._token

    async def _ask(self) -> str:
        async with httpx.AsyncClient(timeout=60.0, trust_env=False, transport=self.transport) as http:
            answer = await http.post(self.url, data={"grant_type": "client_credentials"}, auth=(self.client, self.secret))
            answer.raise_for_status()
            return str(answer.json()["access_token"])


def endpoint(fhir: str) -> str:
    """The token endpoint of a platform, from the base of its FHIR API."""
    return f"{fhir.rstrip('/').removesuffix('/fhir')}/oauth/token"
