"""A province that is not there: the same protocol over a real connection, for tests, demonstrations and acceptance of a region.

It keeps each document once under its id, answers a repetition with the same receipt, refuses what is no document or has no
resident ID number, and can be told to fail.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_SPACE = {"h": "urn:hl7-org:v3"}
_NUMBER = "/h:ClinicalDocument/h:recordTarget/h:patientRole/h:patient/h:id[@root='2.16.156.10011.1.3']/@extension"


@dataclass(slots=True)
class Simulator:
    """What the province has: documents by id, how often each came, and the answers it was told to give instead."""

    documents: dict[str, bytes] = field(default_factory=dict[str, bytes])
    came: list[str] = field(default_factory=list[str])
    failures: list[int] = field(default_factory=list[int])
    """Status codes to answer with, one for each coming request, before anything is done."""
    silent: list[bool] = field(default_factory=list[bool])
    """For each coming request whether the document is taken and yet no proper answer given."""
    key: str = ""

    async def put(self, request: Request) -> Response:
        """Take one document."""
        document = str(request.path_params["id"])
        self.came.append(document)
        if self.key and request.headers.get("authorization") != f"Bearer {self.key}":
            return JSONResponse({"errors": [{"code": "unauthorized"}]}, 401)
        if self.failures:
            return Response(status_code=self.failures.pop(0))
        body = await request.body()
        held = self.documents.get(document)
        if held is not None and held != body:
            return JSONResponse({"errors": [{"code": "id-reused", "place": "/ClinicalDocument/id"}]}, 409)
        fault = _fault(body, document)
        if fault:
            return JSONResponse({"errors": [fault]}, 422)
        self.documents[document] = body
        if self.silent and self.silent.pop(0):
            return Response(status_code=504)
        return JSONResponse({"receipt": f"P-{document}"}, 200 if held else 201)

    @property
    def app(self) -> Starlette:
        """The province as a web application."""
        return Starlette(routes=[Route("/documents/{id}", self.put, methods=["PUT"])])


def _fault(body: bytes, document: str) -> dict[str, str] | None:
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return {"code": "not-xml", "place": "/"}
    own = root.find("h:id", _SPACE)
    if own is None or own.get("extension") != document:
        return {"code": "other-id", "place": "/ClinicalDocument/id"}
    return None if root.xpath(_NUMBER, namespaces=_SPACE) else {"code": "no-id-number", "place": "recordTarget/patientRole/patient/id"}
