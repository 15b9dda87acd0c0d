"""Pictures that people send: judged by what is inside of them and written anew, so that nothing else comes along.

Where a picture was taken, by which device, and anything behind its end is left out.
"""

from __future__ import annotations

import io
import warnings

from PIL import Image, ImageOps

_FORMATS = ("JPEG", "PNG", "WEBP")
_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF")
TYPE = "image/jpeg"
_QUALITY = 82


class NoPicture(Exception):  # noqa: N818 - an expected outcome of looking at what people send
    """What was sent is no picture that can be shown, or is too large."""


def rewritten(content: bytes, *, side: int, most_bytes: int, most_pixels: int) -> bytes:
    """The picture as JPEG whose longer side is at most `side` pixels. Raises NoPicture."""
    if len(content) > most_bytes or not content.startswith(_BEGINNINGS):
        raise NoPicture
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return _again(content, side, most_pixels)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Warning) as error:
        raise NoPicture from error


def _again(content: bytes, side: int, most_pixels: int) -> bytes:
    with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
        if opened.width * opened.height > most_pixels or getattr(opened, "n_frames", 1) != 1:
            raise NoPicture
        upright = ImageOps.exif_transpose(opened)
        upright.thumbnail((side, side))
        out = io.BytesIO()
        upright.convert("RGB").save(out, "JPEG", quality=_QUALITY, optimize=True)
        return out.getvalue()
