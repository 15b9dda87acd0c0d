"""Where pages keep their parts: every folder of the package may have templates/, static/ and locale/ of its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
WEB = Path(__file__).resolve().parent


def _folders(kind: str) -> dict[str, Path]:
    found = {path.parent.name: path for path in sorted(SOURCE.rglob(kind)) if path.is_dir() and path.parent != WEB}
    return {"": WEB / kind} | found


@cache
def template_folders() -> dict[str, Path]:
    """Map a room's name to its templates folder; base/web itself is the empty name."""
    return _folders("templates")


@cache
def static_folders() -> dict[str, Path]:
    """Map a room's name to its static folder; base/web itself is the empty name."""
    return _folders("static")


@cache
def page_texts() -> dict[str, Path]:
    """Map a room's name to its ``locale/pages.yaml``; base/web itself is the empty name."""
    return {room: folder / "pages.yaml" for room, folder in _folders("locale").items() if (folder / "pages.yaml").is_file()}
