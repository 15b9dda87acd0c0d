"""QR codes (ISO/IEC 18004) drawn by the server as one SVG path: sharp at every size, the same on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import segno

_QUIET = 4


@dataclass(frozen=True, slots=True)
class Picture:
    """A code for `ui.qr`: `size` of the square with its quiet zone, in modules, and the `path` of the dark ones."""

    size: int
    path: str


def qr(text: str, correction: str = "m") -> Picture:
    """Draw a text; `correction` is l, m, q or h, the share of the code that may be dirty or torn (7 to 30 percent).

    Raises ``segno.DataOverflowError`` for more than 2,953 bytes.
    """
    rows = segno.make_qr(text, error=correction, boost_error=False).matrix
    runs = (run for y, row in enumerate(rows) for run in _runs(row, y))
    return Picture(len(rows) + 2 * _QUIET, "".join(f"M{x + _QUIET} {y + _QUIET}h{length}v1h-{length}z" for x, y, length in runs))


def _runs(row: Sequence[int], y: int) -> list[tuple[int, int, int]]:
    """The dark stretches of a row as x, y and length."""
    found: list[tuple[int, int, int]] = []
    for x, dark in enumerate(row):
        if dark and x and row[x - 1]:
            start, _, length = found[-1]
            found[-1] = (start, y, length + 1)
        elif dark:
            found.append((x, y, 1))
    return found
