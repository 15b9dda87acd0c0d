"""How this room's operations read."""

from __future__ import annotations

import base64
import binascii

from starlette.requests import Request

from kangyun.base.errors import refuse
from kangyun.base.fhir.parameters import Parameters, Reading, posted

# Pictures come with what is said: only the server's own bound holds.
_READING = Reading(body=None, code="required", key="internet_hospital.no-parameter")


async def told(request: Request) -> Parameters:
    """Read the body. Raises Problem 415 for another media type, 413 for too much, 400 for what is no FHIR."""
    return await posted(request, _READING)


def files(said: Parameters, name: str) -> tuple[bytes, ...]:
    """The contents of Attachments or base64Binary. Raises Problem 422 for what is no base64."""
    raw = [str(value.get("data", "")) if isinstance(value, dict) else str(value) for value in said.values(name)]
    try:
        return tuple(base64.b64decode(one, validate=True) for one in raw)
    except (binascii.Error, ValueError):
        raise refuse(422, "value", "internet_hospital.no-picture", name, megabytes="8") from None
