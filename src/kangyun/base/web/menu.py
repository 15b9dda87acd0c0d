"""The menu of the shell: each room or portal brings its entries, the app joins them at start."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from starlette.requests import Request

from kangyun.base.web.routing import PUBLIC


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """One place to go to.

    ``key`` and ``about`` are text keys (name, and what one finds there, for the start page); ``icon`` is a name of
    ``static/icons.svg``; lower ``order`` comes first. ``permission`` is that of the page it leads to; without one everybody
    may go there.
    """

    key: str
    path: str
    icon: str
    order: int = 50
    about: str | None = None
    permission: str | None = None


_START = MenuEntry("web.start.title", "/", "home", order=0)


@dataclass(frozen=True, slots=True)
class Shell:
    """What every page shows around its content; the app puts one into ``app.state.shell``.

    ``welcome`` gives the words, in zh and en, with which the start page receives somebody of a role; ``home`` the page that
    is shown to a role instead of the start page, "/" for none.
    """

    menu: tuple[MenuEntry, ...] = ()
    search: MenuEntry | None = None
    region: dict[str, str] = field(default_factory=lambda: {"zh": "云州市", "en": "Yunzhou"})
    welcome: Callable[[str], Mapping[str, str] | None] = field(default=lambda _role: None)
    home: Callable[[str], str] = field(default=lambda _role: "/")


def shell(
    entries: Iterable[MenuEntry], *, search: str | None = None, permissions: Mapping[str, str] | None = None,
    welcome: Callable[[str], Mapping[str, str] | None] | None = None, home: Callable[[str], str] | None = None,
) -> Shell:
    """Order the menu entries of all rooms into one shell; ``search`` is the page that takes a posted ``q`` from the top bar.

    It is posted because names and numbers of people must not stand in addresses. ``permissions`` are those of all pages by
    path: an entry is shown to whoever may open its page.
    """
    known = permissions or {}
    ordered = sorted([_START, *entries], key=lambda entry: (entry.order, entry.path))
    found = tuple([replace(entry, permission=entry.permission or known.get(entry.path)) for entry in ordered])
    finding = MenuEntry("shell.search", search, "search", permission=known.get(search)) if search else None
    made = Shell(found, finding)
    return replace(made, welcome=welcome or made.welcome, home=home or made.home)


def open_to(request: Request, entry: MenuEntry) -> bool:
    """Whether the caller may open the page of an entry; a request that nobody has let in may open what everybody may."""
    if entry.permission in {None, PUBLIC}:
        return True
    handle = getattr(request.state, "handle", None)
    return handle is not None and entry.permission is not None and bool(handle.may(entry.permission))


def shell_of(request: Request) -> Shell:
    """Return the shell of the running app, or an empty one in a test that has none."""
    return getattr(request.app.state, "shell", Shell()) if "app" in request.scope else Shell()


def current(entries: Iterable[MenuEntry], path: str) -> MenuEntry | None:
    """Find the entry whose address is the longest beginning of ``path``; the start page begins only itself."""
    inside = [entry for entry in entries if path == entry.path or (entry.path != "/" and path.startswith(entry.path.rstrip("/") + "/"))]
    return max(inside, key=lambda entry: len(entry.path), default=None)
