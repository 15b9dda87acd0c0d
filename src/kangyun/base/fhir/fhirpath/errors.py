"""The one exception of the package."""

from __future__ import annotations


class FhirPathError(ValueError):
    """An expression that cannot be parsed, compiled or evaluated.

    ``position`` is the character offset in the expression, or None when the fault has no place in its text.
    The message names types and functions, never values of the data.
    """

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position

    def at(self, position: int) -> FhirPathError:
        """Give the fault a place unless an inner part of the expression already did."""
        if self.position is None:
            self.position = position
        return self

    def __str__(self) -> str:
        return self.message if self.position is None else f"{self.message} (at {self.position})"
