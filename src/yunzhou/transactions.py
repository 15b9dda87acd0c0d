"""A FHIR client that posts transactions again until the server has answered them for good."""

from __future__ import annotations

import asyncio
import random

import httpx

from yunzhou.access import Access
from yunzhou.mllp import FIRST_PAUSE, LONGEST_PAUSE, Answer

# The server was busy or two senders met on one record: the same bundle again is right, since all its entries are conditional.
AGAIN = frozenset({408, 409, 425, 429, 500, 502, 503, 504})
MOST = 8
FHIR, CDA = "application/fhir+json", "application/xml"


class FhirLink:
    """One keep-alive connection to a server that takes posted bodies: FHIR bundles, CDA documents (`kind` is their content type).

    With `access` each request carries a token of that client; `token` is one that was given and stays.
    """

    def __init__(
        self, url: str, token: str = "", transport: httpx.AsyncBaseTransport | None = None, *, kind: str = FHIR,
        access: Access | None = None,
    ) -> None:
        headers = {"Content-Type": kind, "Prefer": "return=minimal"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self.url, self._access = url.rstrip("/"), access
        self._client = httpx.AsyncClient(headers=headers, timeout=60.0, trust_env=False, transport=transport)
        self.sent = self.reconnects = 0

    async def send(self, name: str, bundle: bytes) -> Answer:
        """Post a bundle; `name` is for the log only. Lost connections are tried without end, refusals `MOST` times."""
        pause, refused = FIRST_PAUSE, 0
        while True:
            try:
                self.sent += 1
                answer = await self._post(bundle)
                refused += 1
                if answer.status_code not in AGAIN or refused == MOST:
                    return Answer(str(answer.status_code), "" if answer.is_success else _words(answer, name))
            except httpx.TransportError:
                self.reconnects += 1
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))
            pause = min(LONGEST_PAUSE, pause * 2)

    async def _post(self, bundle: bytes) -> httpx.Response:
        """Post once; with another token when the present one is over."""
        if self._access is None:
            return await self._client.post(self.url, content=bundle)
        token = await self._access.token()
        answer = await self._client.post(self.url, content=bundle, headers={"Authorization": f"Bearer {token}"})
        if answer.status_code != 401:
            return answer
        token = await self._access.token(refused=token)
        return await self._client.post(self.url, content=bundle, headers={"Authorization": f"Bearer {token}"})

    async def close(self) -> None:
        """Close the connection."""
        await self._client.aclose()


def _words(answer: httpx.Response, name: str) -> str:
    return f"{name}: {answer.text[:300]}"
