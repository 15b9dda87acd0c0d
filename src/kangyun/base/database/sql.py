"""SQL lives in .sql files: blocks of `-- name: find_person` followed by one statement each."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_BLOCK = re.compile(r"^-- name: *([a-z0-9_]+) *$", re.MULTILINE)


class Queries:
    """The statements of one file, as attributes."""

    def __init__(self, statements: dict[str, str]) -> None:
        self._statements = statements
        # Found as any attribute is, without a call; `__getattr__` is for what is not there.
        self.__dict__.update(statements)

    def __getattr__(self, name: str) -> str:
        raise AttributeError(f"no SQL statement named {name}")

    def names(self) -> list[str]:
        """The names of all statements."""
        return list(self._statements)


@cache
def queries(package: str, file: str) -> Queries:
    """Read the named statements of `file` in `package`; raises ValueError on a name that stands twice."""
    parts = _BLOCK.split((files(package) / file).read_text("utf-8"))
    names, bodies = parts[1::2], parts[2::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{package}/{file}: a statement name stands twice")
    return Queries({name: body.strip().rstrip(";") for name, body in zip(names, bodies, strict=True)})
