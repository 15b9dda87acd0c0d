"""Makes a new room from the template: `make room NAME=support/laundry`.

The room works at once: it keeps all house laws and has tests. Nothing has to be registered anywhere.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "tools" / "room_template"
FLOORS = ("commons", "support", "care", "oversight")
NAMES_OF_FLOORS = {
    "support": "Services that several kinds of care need.",
    "care": "The kinds of care that people come for.",
    "oversight": "What looks over the whole population.",
}


def main(arguments: list[str]) -> int:
    """Make the room named floor/room; refuses bad names and rooms that are there."""
    if len(arguments) != 1 or not re.fullmatch(rf"({'|'.join(FLOORS)})/[a-z][a-z_]*", arguments[0]):
        print(f"use: make room NAME=<floor>/<name>, floor one of {', '.join(FLOORS)}, name in small letters")
        return 2
    try:
        room = make(ROOT / "src" / "kangyun", *arguments[0].split("/"))
    except FileExistsError:
        print(f"{arguments[0]} is there already")
        return 1
    print(f"{room.relative_to(ROOT)} is made. Next: its README.md, then rules/, decisions.py and their tests; make check.")
    return 0


def make(source: Path, floor: str, room: str) -> Path:
    """Copy the template into `source`/floor/room; raises FileExistsError."""
    target = source / floor / room
    target.mkdir(parents=True, exist_ok=False)
    door = source / floor / "__init__.py"
    if not door.exists():
        door.write_text(f'"""{NAMES_OF_FLOORS[floor]}"""\n', "utf-8")
    words = {"__package__": f"kangyun.{floor}.{room}", "__room__": room}
    for template in sorted(TEMPLATE.rglob("*.template")):
        file = target / _fill(template.relative_to(TEMPLATE).as_posix().removesuffix(".template"), words)
        file.parent.mkdir(exist_ok=True)
        file.write_text(_fill(template.read_text("utf-8"), words), "utf-8")
    return target


def _fill(text: str, words: dict[str, str]) -> str:
    for place, word in words.items():
        text = text.replace(place, word)
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
