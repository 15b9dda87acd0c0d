"""The province's platform: a document goes up over HTTP, a receipt comes back.

    PUT {url}/documents/{id}            the document as application/xml, Authorization: Bearer <key>
    200, 201 {"receipt": "..."}         accepted; the same document again gives the same receipt
    409                                 this id holds another document: refused
    400, 422 {"errors": [{"code": "...", "place": "..."}]}   refused
    everything else                     to be tried again: the fault is not the document's

Provinces differ in addresses and names; a province with another protocol gets a module like this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx

from kangyun.commons.exchange.gateways.mllp import Unreachable

_REFUSALS = {400, 409, 422}

Verdict = Literal["accepted", "refused", "later"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the province said; `reason` holds its codes and places, never its words, which may name a person."""

    verdict: Verdict
    receipt: str = ""
    reason: str = ""


class Province:
    """A line to the province: `async with Province(url, key) as province: answer = await province.send(id, xml)`."""

    def __init__(self, url: str, key: str = "", patience: float = 30.0) -> None:
        self._url = url.rstrip("/")
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.AsyncClient(timeout=patience, headers=headers)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def send(self, document: str, xml: bytes) -> Answer:
        """Send a document. Raises Unreachable; then nobody knows whether it was taken, and it is sent again as it is."""
        try:
            reply = await self._client.put(
                f"{self._url}/documents/{quote(document, safe='')}", content=xml, headers={"content-type": "application/xml"}
            )
        except httpx.HTTPError as error:
            raise Unreachable(type(error).__name__) from error
        if reply.status_code in {200, 201}:
            receipt = str(_body(reply).get("receipt") or "")
            return Answer("accepted", receipt[:200]) if receipt else Answer("later", reason="no receipt")
        if reply.status_code in _REFUSALS:
            return Answer("refused", reason=_codes(reply))
        return Answer("later", reason=f"HTTP {reply.status_code}")


def _body(reply: httpx.Response) -> dict[str, Any]:
    try:
        found: Any = reply.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _codes(reply: httpx.Response) -> str:
    errors: Any = _body(reply).get("errors")
    told = [f"{one.get('code', '')} {one.get('place', '')}".strip() for one in errors if isinstance(one, dict)] if isinstance(errors, list) else []
    return "; ".join([f"HTTP {reply.status_code}", *told])[:500]
