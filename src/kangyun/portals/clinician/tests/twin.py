"""An in-memory twin of the gate's handle, filled with synthetic people, good enough to draw every page."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

from kangyun.base import web
from kangyun.base.web.display import moment
from kangyun.base.web.routing import GuardedRoute
from kangyun.commons.access import Actor
from kangyun.portals.clinician import pages
from kangyun.portals.clinician.decisions import timeline

Node = dict[str, Any]


@dataclass
class Found:
    resources: list[Node]
    included: list[Node] = field(default_factory=list[Node])
    total: int | None = None
    next: str | None = None


class Twin:
    """Reads and searches plain resources; it knows the few parameters that the portal asks with."""

    def __init__(self, resources: Iterable[Node]) -> None:
        self.resources = {(one["resourceType"], one["id"]): one for one in resources}
        self.actor = Actor("user/1", "hospital_doctor")
        self.withholding = {("Patient", "2")}
        self.unseen: set[str] = set()
        self.opened: dict[str, datetime] = {}

    async def read(self, type_: str, id_: str) -> Node | None:
        return self.resources.get((type_, id_))

    async def person_above(self, patient_id: str) -> Node | None:
        """None, as for every caller with conditions: the Person is searched."""
        return None

    def sees(self, type_: str) -> bool:
        return type_ not in self.unseen

    def may(self, permission: str) -> bool:
        return permission in {"clinician.read", "access.emergency"}

    async def withheld(self, patient_id: str) -> bool:
        return ("Patient", patient_id) in self.withholding

    async def opened_until(self, patient_id: str) -> datetime | None:
        return self.opened.get(patient_id)

    async def search(self, type_: str, query: str | Sequence[tuple[str, str]] = "") -> Found:
        pairs = parse_qsl(query) if isinstance(query, str) else list(query)
        wanted = [pair for pair in pairs if pair[0] not in {"_count", "_sort"}]
        return Found([one for (kind, _), one in self.resources.items() if kind == type_ and all(_fits(one, *pair) for pair in wanted)])


def _fits(resource: Node, name: str, value: str) -> bool:
    if name == "patient":
        who = resource.get("subject") or resource.get("patient") or {}
        return who.get("reference") == f"Patient/{value}"
    if name == "date":
        when, since = moment(timeline.when_of(resource)), moment(value.removeprefix("sa"))
        return bool(when and since and when > since)
    if name == "_id":
        return resource["id"] in value.split(",")
    if name == "name":
        return value.lower() in json.dumps(resource.get("name", []), ensure_ascii=False).lower()
    kind = {"identifier": "identifier", "phone": "telecom"}[name]
    return any(one.get("value") == value for one in resource.get(kind, []))


def from_bundle(bundle: Node) -> list[Node]:
    """The resources of a transaction bundle with its urn:uuid references resolved."""
    places = {entry["fullUrl"]: f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in bundle["entry"]}
    text = re.sub(r"urn:uuid:[0-9a-f-]{36}", lambda match: places.get(match[0], match[0]), json.dumps([entry["resource"] for entry in bundle["entry"]]))
    return json.loads(text)


def synthea() -> list[Node]:
    """All of the sample bundles beside the repository, or nothing where they are absent."""
    folder = Path(__file__).resolve().parents[6] / "shared" / "data" / "synthea"
    return [one for path in sorted(folder.glob("*.json")) for one in from_bundle(json.loads(path.read_text("utf-8")))]


def app_over(resources: Iterable[Node]) -> Starlette:
    """The portal's pages over the twin, assembled as the real app does it."""
    twin = Twin(resources)

    def opened(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def with_handle(request: Request) -> Response:
            request.state.handle = twin
            return await endpoint(request)

        return with_handle

    doors = [one for one in pages.routes() if isinstance(one, GuardedRoute)]
    routes = [web.route(one.path, opened(one.endpoint), permission=one.permission, methods=sorted(one.methods or {"GET"})) for one in doors]
    app = Starlette(routes=[*web.routes(), *routes], middleware=web.middleware(), exception_handlers=web.exception_handlers())
    app.state.shell = web.shell(pages.menu(), search="/clinician/")
    return app
