"""The menu of the shell: each room or portal brings its entries, the app joins them at start."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.requests import Request


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """One place to go to.

    ``key`` and ``about`` are text keys (name, and what one finds there, for the start page); ``icon`` is a name of
    ``static/icons.svg``; lower ``order`` comes first.
    """

    key: str
    path: str
    icon: str
    order: int = 50
    about: str | None = None


_START = MenuEntry("web.start.title", "/", "home", order=0)


@dataclass(frozen=True, slots=True)
class Shell:
    """What every page shows around its content; the app puts one into ``app.state.shell``."""

    menu: tuple[MenuEntry, ...] = ()
    search: str | None = None
    region: dict[str, str] = field(default_factory=lambda: {"zh": "云州市", "en": "Yunzhou"})


def shell(entries: Iterable[MenuEntry], *, search: str | None = None, region: dict[str, str] | None = None) -> Shell:
    """Order the menu entries of all rooms into one shell; ``search`` is the page that takes a posted ``q`` from the top bar.

    It is posted because names and numbers of people must not stand in addresses.
    """
    ordered = tuple(sorted([_START, *entries], key=lambda entry: (entry.order, entry.path)))
    return Shell(ordered, search, region) if region else Shell(ordered, search)


def shell_of(request: Request) -> Shell:
    """Return the shell of the running app, or an empty one in a test that has none."""
    return getattr(request.app.state, "shell", Shell()) if "app" in request.scope else Shell()


def current(entries: Iterable[MenuEntry], path: str) -> MenuEntry | None:
    """Find the entry whose address is the longest beginning of ``path``; the start page begins only itself."""
    inside = [entry for entry in entries if path == entry.path or (entry.path != "/" and path.startswith(entry.path.rstrip("/") + "/"))]
    return max(inside, key=lambda entry: len(entry.path), default=None)
