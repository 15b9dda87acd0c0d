"""What can be refused before running."""

from __future__ import annotations

from .model import Model
from .syntax import Syntax


def check(syntax: Syntax, type_name: str, model: Model, *, strict: bool) -> None:
    """Stub."""
