"""The people of the internet hospital, as their apps see the platform: somebody logged in, with a token, who does deeds over FHIR.

A deed is an operation, `POST /fhir/<Type>[/<id>]/$deed` with Parameters. What is lost on the way is asked again, since every
deed of the platform may be; what is refused is told as Refusal.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from yunzhou.line import Answer, Line, LineLostError

# The server was busy, went away, or two met on one thing: the same deed again is right.
AGAIN = frozenset({408, 425, 429, 502, 503, 504})
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 3.0


class RefusalError(Exception):
    """The platform said no: the status and the code of its first issue."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(f"{status} {code} {text}")
        self.status, self.code, self.text = status, code, text


@dataclass(slots=True)
class Actor:
    """Somebody with a token. `patience` is for how many seconds a deed is asked again while nobody answers."""

    line: Line
    token: str = field(repr=False)
    patient: str = ""
    name: str = ""
    patience: float = 60.0
    again: int = 0

    async def read(self, type_: str, id_: str) -> dict[str, Any]:
        """A resource. Raises RefusalError."""
        return (await self.ask("GET", f"/fhir/{type_}/{id_}")).json

    async def find(self, type_: str, query: Mapping[str, str]) -> list[dict[str, Any]]:
        """The resources that a search finds, first page."""
        bundle = (await self.ask("GET", f"/fhir/{type_}?{urlencode(query)}")).json
        return [one["resource"] for one in bundle.get("entry", ())]

    async def do(self, path: str, body: Any = None, **parameters: Any) -> dict[str, Any]:
        """A deed: `do("Encounter/$ask", clinic=..., complaint=...)`; a body of one's own goes as it is. Raises RefusalError."""
        answer = await self.ask("POST", f"/fhir/{path}", body if body is not None else told(parameters))
        return answer.json if answer.body else {}

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """A request, again as long as nobody answers. Raises RefusalError for everything that is no success."""
        pause, waited = _FIRST_PAUSE, 0.0
        while True:
            try:
                answer = await self.line.ask(method, path, body, authorization=f"Bearer {self.token}")
                if answer.status not in AGAIN or waited > self.patience:
                    return _good(answer)
            except LineLostError:
                if waited > self.patience:
                    raise
            self.again += 1
            await asyncio.sleep(pause * random.uniform(0.7, 1.3))
            waited, pause = waited + pause, min(_LONGEST_PAUSE, pause * 2)


def _good(answer: Answer) -> Answer:
    if 200 <= answer.status < 300:
        return answer
    issue: dict[str, Any] = {}
    with contextlib.suppress(ValueError, KeyError, IndexError, TypeError):
        issue = answer.json["issue"][0]
    raise RefusalError(answer.status, str(issue.get("code", "")), str(issue.get("diagnostics") or issue.get("details", {}).get("text", "")))


def told(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """FHIR Parameters of plain values: texts, whole numbers, truths, resources, and lists of them."""
    found: list[dict[str, Any]] = []
    for name, value in parameters.items():
        values: list[Any] = value if isinstance(value, list) else [value]
        found += [{"name": name.replace("_", "-"), **_value(one)} for one in values]
    return {"resourceType": "Parameters", "parameter": found}


def _value(one: Any) -> dict[str, Any]:
    if isinstance(one, bool):
        return {"valueBoolean": one}
    if isinstance(one, int):
        return {"valueInteger": one}
    if isinstance(one, float):
        return {"valueDecimal": one}
    if isinstance(one, Mapping):
        return {"resource": one} if "resourceType" in one else {"part": told(one)["parameter"]}  # pyright: ignore[reportUnknownArgumentType] - plain JSON
    return {"valueString": str(one)}


def parameter(answer: Mapping[str, Any], name: str) -> Any:
    """The value of a parameter that was answered; None where there is none."""
    for one in answer.get("parameter", ()):
        if one.get("name") == name:
            return next((value for key, value in one.items() if key.startswith("value")), one.get("resource"))
    return None
