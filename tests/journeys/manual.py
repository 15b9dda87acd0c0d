"""A journey in a real browser prints itself as a page of the manual: its steps in words, each with a small picture.

The words stand in one YAML file in Chinese and English; the test that walks the steps fails when the printed page says
something else than it did, so that the manual cannot grow old. `MANUAL=print` writes page and pictures anew.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from PIL import Image
from playwright.async_api import Page

from tests.conftest import ROOT

FOLDER = ROOT / "docs" / "manual"
_WIDTHS = {"phone": 300, "desktop": 760}
_COLOURS = 48
_NARROW = 600


@dataclass
class Chapter:
    """One journey in one language on one kind of device; `words` is the YAML file beside the tests."""

    name: str
    language: str
    device: str
    words: Path
    printed: list[str] = field(default_factory=list[str])
    pictures: dict[str, bytes] = field(default_factory=dict[str, bytes])
    told: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.told = yaml.safe_load(self.words.read_text("utf-8"))
        self.printed = [f"# {self.told['title'][self.language]}", "", self.told["lead"][self.language], ""]

    async def step(self, key: str, page: Page) -> None:
        """Print a step, with what the page shows now."""
        self.printed += [f"## {len(self.steps) + 1}. {self.told['steps'][key][self.language]['title']}", ""]
        self.printed += [self.told["steps"][key][self.language]["text"], ""]
        name = f"{self.name}-{len(self.steps):02d}-{self.language}.png"
        device = "phone" if page.viewport_size and page.viewport_size["width"] < _NARROW else "desktop"
        self.pictures[name] = small(await page.screenshot(), device)
        self.printed += [f"![{self.told['steps'][key][self.language]['title']}](pictures/{name})", ""]

    @property
    def steps(self) -> list[str]:
        """The headings so far."""
        return [line for line in self.printed if line.startswith("## ")]

    def end(self) -> None:
        """Compare with the printed page, or print it. Raises AssertionError where they differ."""
        file = FOLDER / f"{self.name}.{self.language}.md"
        text = "\n".join(self.printed).rstrip() + "\n"
        if os.environ.get("MANUAL") == "print":
            (FOLDER / "pictures").mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
            for name, content in self.pictures.items():
                (FOLDER / "pictures" / name).write_bytes(content)
        assert file.read_text("utf-8") == text, f"{file.name} is not what the journey says now; print it with MANUAL=print"
        absent = [name for name in self.pictures if not (FOLDER / "pictures" / name).is_file()]
        assert not absent, absent


def small(picture: bytes, device: str) -> bytes:
    """A screenshot small enough for a repository."""
    with Image.open(io.BytesIO(picture)) as shot:
        width = _WIDTHS[device]
        scaled = shot.convert("RGB").resize((width, round(shot.height * width / shot.width)), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    scaled.quantize(_COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()
