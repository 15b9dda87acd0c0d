"""Which institutions lie below one, and which make up its consortium: the same for all who work there, and rarely another.

Each request of somebody with conditions needs it, so a process remembers the answer, but only while it hears of changes:
a trigger tells of each in the transaction that makes it. Whoever does not listen asks each time.
"""

from __future__ import annotations

Keys = tuple[int, ...]
Questions = tuple[int | None, int | None, int | None, int | None]
"""Keys of a Person, an institution for what lies below, one for its consortium, and of a Patient; None: not asked."""
Known = tuple[Keys, Keys]
"""Keys of the institution and those below it, and of its consortium."""

CHANGED = "institutions"
_MOST = 20_000


class Houses:
    """What one process knows of institutions. `changes`: how often it has heard of a change."""

    def __init__(self) -> None:
        self.changes = 0
        self._hearing = False
        self._known: dict[Questions, Known] = {}

    def hear(self) -> None:
        """From now on every change is heard."""
        self._hearing = True

    def deafen(self) -> None:
        """Changes may be missed from now on."""
        self._hearing = False
        self.forget()

    def forget(self) -> None:
        """Something has changed."""
        self.changes += 1
        self._known.clear()

    def known(self, asked: Questions) -> Known | None:
        """What was remembered for a question about institutions alone."""
        return self._known.get(asked)

    def remember(self, asked: Questions, answer: Known, changes: int) -> None:
        """Keep an answer; `changes` is the count from before it was asked for, since what changed meanwhile makes it old."""
        if self._hearing and changes == self.changes and len(self._known) < _MOST:
            self._known[asked] = answer
