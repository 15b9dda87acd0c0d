"""Chance that repeats itself: every subject has its own stream, so that one can be drawn without the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import TypeVar

T = TypeVar("T")
Points = Sequence[tuple[float, float]]


def stream(*keys: object) -> Random:
    """Return the random stream of a subject; the same keys give the same stream on every machine."""
    return Random("/".join(map(str, keys)))


def weighted(rng: Random, choices: Sequence[tuple[T, float]]) -> T:
    """Draw one of the choices by its weight."""
    return rng.choices([choice for choice, _ in choices], [weight for _, weight in choices])[0]


def bounded(rng: Random, mean: float, spread: float, low: float = -math.inf, high: float = math.inf) -> float:
    """Draw from a normal distribution, cut at 2.5 spreads and at the bounds."""
    lot = max(-2.5, min(2.5, rng.gauss(0, 1)))
    return max(low, min(high, mean + lot * spread))


def count(rng: Random, mean: float) -> int:
    """Draw a Poisson count of a small mean (Knuth's product of uniforms)."""
    limit, product, number = math.exp(-mean), rng.random(), 0
    while product > limit:
        product *= rng.random()
        number += 1
    return number


def line(points: Points, x: float) -> float:
    """Return the height of a broken line at `x`; level outside its ends."""
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]


def crossing(points: Points, y: float) -> float | None:
    """Return where a rising broken line passes `y`; None if it never does."""
    if y <= points[0][1]:
        return points[0][0]
    for (x0, y0), (x1, y1) in pairwise(points):
        if y0 < y <= y1:
            return x0 + (x1 - x0) * (y - y0) / (y1 - y0)
    return None
