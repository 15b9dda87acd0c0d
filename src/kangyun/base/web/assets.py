"""Static files under addresses that contain their content, so browsers may keep them for a year."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from kangyun.base.web.places import static_folders
from kangyun.base.web.subset import subset_for_templates

# No file has a longer name; asking the system for one is an error of its own.
_LONGEST_NAME = 255
_FOREVER = "public, max-age=31536000, immutable"
_TEXTUAL = ("text/", "application/javascript", "image/svg", "application/json", "application/manifest")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file ready to be sent: its bytes, the same gzipped (empty when not smaller), media type and digest."""

    body: bytes
    zipped: bytes
    media_type: str
    digest: str


@cache
def asset(name: str) -> Asset:
    """Load a static file, such as ``tokens.css`` of base/web or ``clinician/find.js`` of a room.

    Raises ``FileNotFoundError`` when no room has it.
    """
    body = _prepared(name, _locate(name))
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    zipped = gzip.compress(body, 9, mtime=0) if kind.startswith(_TEXTUAL) else b""
    return Asset(body, zipped if len(zipped) < len(body) else b"", kind, hashlib.sha256(body).hexdigest()[:10])


def _locate(name: str) -> Path:
    if len(name.encode()) > _LONGEST_NAME:
        raise FileNotFoundError(name)
    room, _, rest = name.partition("/")
    folders = static_folders()
    candidates = [(folders[""], name)] + ([(folders[room], rest)] if room in folders and rest else [])
    for folder, relative in candidates:
        path = (folder / relative).resolve()
        if path.is_relative_to(folder) and path.is_file():
            return path
    raise FileNotFoundError(name)


def _prepared(name: str, path: Path) -> bytes:
    body = path.read_bytes()
    return subset_for_templates(body.decode()).encode() if name == "vendor/tabler.min.css" else body


def asset_url(name: str) -> str:
    """Return the address of a static file, with its digest."""
    return f"/static/{asset(name).digest}/{name}"


async def serve_asset(request: Request) -> Response:
    """Serve ``/static/{digest}/{name}``; an outdated digest gets the present file without the long cache."""
    try:
        found = asset(request.path_params["name"])
    except (FileNotFoundError, ValueError):
        return PlainTextResponse("", status_code=404)
    headers = {"cache-control": _FOREVER if request.path_params["digest"] == found.digest else "no-cache", "vary": "accept-encoding"}
    if found.zipped and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.zipped, headers=headers | {"content-encoding": "gzip"}, media_type=found.media_type)
    return Response(found.body, headers=headers, media_type=found.media_type)
