"""The assumptions of the simulation, read from data/*.yaml into typed records."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypeVar, cast

import msgspec
import yaml

FOLDER = Path(__file__).parent / "data"

T = TypeVar("T")


@cache
def _read(name: str, shape: object) -> object:
    text = (FOLDER / name).read_text(encoding="utf-8")
    return msgspec.convert(yaml.load(text, Loader=yaml.CSafeLoader), cast("type[object]", shape), strict=False)


def read(name: str, shape: type[T]) -> T:
    """Return `data/<name>` as `shape`; raises msgspec.ValidationError that names the wrong field."""
    return cast("T", _read(name, shape))
