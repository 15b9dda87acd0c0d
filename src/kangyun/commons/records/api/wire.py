"""What is on the wire: bodies in, FHIR JSON out, entity tags, preferences, languages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate, parsedate_to_datetime
from functools import lru_cache
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from kangyun.base.errors import refuse
from kangyun.base.fhir import json as fhir_json
from kangyun.base.web.heads import header
from kangyun.base.web.preferences import negotiate
from kangyun.commons.records.api.weight import check_elements
from kangyun.commons.records.model import ANY_VERSION, Stored, Written

MEDIA = "application/fhir+json; charset=utf-8"

_JSON = {"application/fhir+json", "application/json", "text/json", "application/json+fhir", "*/*", "application/*"}
_ETAG = re.compile(r'(?:W/)?"([1-9][0-9]{0,8})"')


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a request may bring, in bytes, and how long it may take to arrive, in seconds."""

    body_bytes: int
    body_seconds: float


def language(request: Request) -> str:
    """The caller's language, zh or en; Accept-Language decides."""
    stated = getattr(request.state, "language", None)
    if stated in {"zh", "en"}:
        return stated
    return negotiate(header(request.scope, b"accept-language") or "")


def base_url(request: Request) -> str:
    """The address of the API as this caller sees it, without a slash at the end."""
    public = request.app.state.settings.public_url if hasattr(request.app.state, "settings") else ""
    root = public.rstrip("/") or f"{request.scope['scheme']}://{header(request.scope, b'host') or 'localhost'}"
    return f"{root}/fhir"


async def body(request: Request, limits: Limits) -> bytes:
    """The whole body; raises Problem 413 when it is too large and 408 when it comes too slowly."""
    declared = header(request.scope, b"content-length") or ""
    if declared.isdigit() and int(declared) > limits.body_bytes:
        raise refuse(413, "too-long", "base.body-too-large", limit=str(limits.body_bytes))
    try:
        async with asyncio.timeout(limits.body_seconds):
            return await _collect(request, limits.body_bytes)
    except TimeoutError as error:
        raise refuse(408, "timeout", "base.body-slow") from error
    except ClientDisconnect as error:
        raise refuse(400, "incomplete", "base.body-slow") from error


async def _collect(request: Request, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise refuse(413, "too-long", "base.body-too-large", limit=str(limit))
        parts.append(part)
    return b"".join(parts)


async def resource(request: Request, limits: Limits) -> dict[str, Any]:
    """The resource in the body; raises Problem 415 for another media type and 400 for what is not JSON."""
    kind = (header(request.scope, b"content-type") or "application/fhir+json").partition(";")[0].strip().lower()
    if kind not in _JSON:
        raise refuse(415, "not-supported", "base.bad-media-type")
    content = await body(request, limits)
    # For those who watch bundles after they are answered (app/machines.py).
    request.scope["kangyun.body"] = content
    check_elements(content)
    return fhir_json.loads(content)


def check_accept(request: Request) -> None:
    """Refuse with 406 what we cannot write: everything but JSON."""
    wanted = request.query_params.get("_format") if b"_format" in request.scope["query_string"] else None
    if not _acceptable(wanted or header(request.scope, b"accept") or "*/*"):
        raise refuse(406, "not-supported", "base.not-acceptable")


@lru_cache(maxsize=256)
def _acceptable(accepted: str) -> bool:
    kinds = {kind.partition(";")[0].strip().lower().replace(" ", "+") for kind in accepted.split(",")}
    return bool(kinds & (_JSON | {"json", "", "text/html"}))


def prefer(request: Request) -> Mapping[str, str]:
    """The Prefer header as names and values, such as return=minimal, handling=strict."""
    pairs = (part.strip().partition("=") for part in re.split("[,;]", header(request.scope, b"prefer") or ""))
    return {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs if name}


def if_match(request: Request) -> int | None:
    """The version of If-Match, or None; raises Problem 400 when it cannot be read."""
    text = header(request.scope, b"if-match")
    return None if text is None else etag_version(text)


def etag_version(text: str) -> int:
    """The version in an entity tag such as W/"3"; * is any version."""
    if text.strip() == "*":
        return ANY_VERSION
    match = _ETAG.fullmatch(text.strip())
    if not match:
        raise refuse(400, "value", "records.bad-if-match")
    return int(match[1])


def json_response(content: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with FHIR JSON."""
    return Response(content, status, headers=headers, media_type=MEDIA)


def stored_headers(stored: Stored) -> dict[str, str]:
    """ETag and Last-Modified of a version."""
    return {"etag": stored.etag, "last-modified": _http_time(int(stored.updated.timestamp()))}


@lru_cache(maxsize=256)
def _http_time(second: int) -> str:
    return formatdate(second, usegmt=True)


def location(base: str, written: Written) -> str:
    """The address of the version that was written."""
    return f"{base}/{written.type}/{written.id}/_history/{written.version}"


def not_modified(request: Request, stored: Stored) -> bool:
    """Whether a conditional read is answered with 304 (If-None-Match, If-Modified-Since)."""
    tags = header(request.scope, b"if-none-match")
    if tags is not None:
        return tags.strip() == "*" or stored.etag in {tag.strip() for tag in tags.split(",")}
    since = _http_date(header(request.scope, b"if-modified-since"))
    return since is not None and stored.updated.replace(microsecond=0) <= since


def _http_date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
