"""Which logos and colours may stand on an institution's papers."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from kangyun.base.rules import Rule, load

_TYPES = {"PNG": "image/png", "JPEG": "image/jpeg"}


def colours() -> Mapping[str, str]:
    """The colours to choose from, as `#rrggbb`; the first is the usual one."""
    return load("kangyun.commons.access", "letterhead.yaml").map["colours"]


def rgb(colour: str) -> tuple[float, float, float] | None:
    """Red, green and blue between 0 and 1, for PDF; None for a colour that nobody may choose."""
    value = colours().get(colour)
    if value is None:
        return None
    red, green, blue = (round(int(value[start : start + 2], 16) / 255, 3) for start in (1, 3, 5))
    return red, green, blue


def checked_logo(content: bytes) -> tuple[bytes, str] | None:
    """A PNG or JPEG drawn anew, and its media type; None for anything else or anything too large.

    Only the pixels are kept: what else a file holds (a place, a script behind the image, another format in the same
    bytes) is gone.
    """
    from PIL import Image  # noqa: PLC0415 - loads a library that few need

    limits = load("kangyun.commons.access", "letterhead.yaml").map
    if len(content) > limits["bytes"]:
        return None
    try:
        with Image.open(io.BytesIO(content), formats=list(_TYPES)) as image:
            if max(image.size) > limits["side"]:
                return None
            kind = str(image.format)
            drawn = image.convert("RGB" if kind == "JPEG" else "RGBA")
    # Pillow raises whatever its decoders raise on a broken file.
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    out = io.BytesIO()
    drawn.save(out, kind)
    return out.getvalue(), _TYPES[kind]


def check_example(_rule: Rule, given: Mapping[str, Any]) -> list[float] | None:
    """The colour of an example."""
    found = rgb(str(given["colour"]))
    return None if found is None else list(found)
