"""Small trends drawn by the server as SVG: no script, no layout jump, the same on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT, _EDGE = 240.0, 44.0, 4.0
_MOST_POINTS = 60


@dataclass(frozen=True, slots=True)
class Band:
    """The reference range in chart coordinates."""

    top: float
    height: float


@dataclass(frozen=True, slots=True)
class Point:
    """One value in chart coordinates; ``outside`` of its reference range."""

    x: float
    y: float
    outside: bool


@dataclass(frozen=True, slots=True)
class Spark:
    """A small trend: a line, its points, and the reference band with its visible ``edges``."""

    width: float
    height: float
    line: str
    points: tuple[Point, ...]
    band: Band | None
    edges: tuple[float, ...]


def spark(values: Sequence[tuple[float, float]], low: float | None = None, high: float | None = None) -> Spark | None:
    """Draw ``(time, value)`` pairs in time order with the reference range ``low`` to ``high``; ``None`` without values.

    Only the newest sixty values are drawn; the table holds all.
    """
    shown = sorted(values)[-_MOST_POINTS:]
    if not shown:
        return None
    bottom, top = _span([value for _, value in shown], low, high)
    points = tuple(Point(x, _y(value, bottom, top), _outside(value, low, high)) for x, value in _placed(shown))
    line = "M" + "L".join(f"{point.x} {point.y}" for point in points)
    edges = tuple(_y(edge, bottom, top) for edge in (low, high) if edge is not None)
    return Spark(_WIDTH, _HEIGHT, line, points, _band(low, high, bottom, top), edges)


def _placed(shown: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    first, last = shown[0][0], shown[-1][0]
    if last - first < 1:
        return [(_WIDTH / 2, value) for _, value in shown]
    scale = (_WIDTH - 2 * _EDGE) / (last - first)
    return [(round(_EDGE + (moment - first) * scale, 1), value) for moment, value in shown]


def _span(values: Sequence[float], low: float | None, high: float | None) -> tuple[float, float]:
    known = [*values, *(edge for edge in (low, high) if edge is not None)]
    bottom, top = min(known), max(known)
    spare = (top - bottom) * 0.08 or abs(top) * 0.1 or 1.0
    return bottom - spare, top + spare


def _y(value: float, bottom: float, top: float) -> float:
    return round(_HEIGHT - _EDGE - (value - bottom) / (top - bottom) * (_HEIGHT - 2 * _EDGE), 1)


def _band(low: float | None, high: float | None, bottom: float, top: float) -> Band | None:
    if low is None and high is None:
        return None
    upper = _y(high, bottom, top) if high is not None else 0.0
    lower = _y(low, bottom, top) if low is not None else _HEIGHT
    return Band(upper, round(lower - upper, 1))


def _outside(value: float, low: float | None, high: float | None) -> bool:
    return (low is not None and value < low) or (high is not None and value > high)
