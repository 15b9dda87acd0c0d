"""Renders pages: one strict, escaping Jinja environment for each language, over the templates of all rooms."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from kangyun.base.web import display, forms
from kangyun.base.web.assets import asset_url
from kangyun.base.web.menu import MenuEntry, Shell, current, open_to, shell_of
from kangyun.base.web.places import template_folders
from kangyun.base.web.preferences import Preferences, cookie
from kangyun.base.web.texts import translate

_SMALLEST_ZIPPED = 1024


@dataclass(frozen=True, slots=True)
class Other:
    """What somebody who is logged in may switch to: `kind` membership or ward, `id` of it, its name, the role in zh and en."""

    kind: str
    id: str
    name: str
    role: dict[str, str]


@dataclass(frozen=True, slots=True)
class Login:
    """Who is logged in, as the frame of every page says it: in which role (zh and en), at which institution ('': none)."""

    name: str
    role: dict[str, str]
    institution: str
    others: tuple[Other, ...] = ()


@dataclass(frozen=True, slots=True)
class PageFacts:
    """What the shell needs to know about the request: available as ``page`` in every template."""

    path: str
    query: str
    preferences: Preferences
    shell: Shell
    menu: tuple[MenuEntry, ...]
    search: str | None
    here: MenuEntry | None
    welcome: Mapping[str, str] | None
    login: Login | None
    csrf: str

    def switched(self, language: str) -> str:
        """Return this page's address in another language."""
        return f"{self.path}?{urlencode([*self._rest(), ('lang', language)])}"

    def address(self) -> str:
        """Return this page's address, for coming back after a change of preferences."""
        rest = urlencode(self._rest())
        return f"{self.path}?{rest}" if rest else self.path

    def _rest(self) -> list[tuple[str, str]]:
        return display.query_pairs(self.query, without="lang")


def _loader() -> BaseLoader:
    folders = template_folders()
    rooms = {room: FileSystemLoader(path) for room, path in folders.items() if room}
    return ChoiceLoader([FileSystemLoader(folders[""]), PrefixLoader(rooms)])


@cache
def environment(language: str) -> Environment:
    """Return the Jinja environment of one language: ``_`` translates, ``ui`` holds the components, ``asset`` a file's URL."""
    made = Environment(
        loader=_loader(), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )
    names: dict[str, Any] = made.globals
    names.update(_=_translator(language), language=language, asset=asset_url, icon=_icon)
    made.filters.update(display.filters(language))
    names["ui"] = made.get_template("components.html").module
    return made


def _translator(language: str) -> Any:
    def translated(key: str, **params: Any) -> str:
        return translate(language, key, **params)

    return translated


def _icon(name: str, style: str = "") -> Markup:
    """Draw a symbol of the icon sheet; it says nothing to screen readers, so a word or label stands beside it."""
    sheet = asset_url("icons.svg")
    return Markup('<svg class="icon {}" aria-hidden="true" focusable="false"><use href="{}#{}"></use></svg>').format(style, sheet, name)


def render(request: Request, template: str, *, block: str | None = None, status: int = 200, **context: Any) -> Response:
    """Answer with a page, or with one block of its template when ``block`` is named (the partials that htmx swaps in).

    The templates of base/web are named ``shell.html``, those of a room ``room/page.html``.
    """
    secret = request.cookies.get(forms.COOKIE)
    fresh = not forms.is_secret(secret)
    secret = forms.new_secret() if fresh or secret is None else secret
    html = render_text(facts(request, secret), template, block, **context)
    response = _answer(request, html, status)
    if fresh:
        response.headers.append("set-cookie", cookie(forms.COOKIE, secret))
    return response


def render_text(page: PageFacts, template: str, block: str | None = None, **context: Any) -> str:
    """Render without a response, for jobs and tests."""
    found = environment(page.preferences.language).get_template(template)
    if block is None:
        return found.render(page=page, **context)
    return "".join(found.blocks[block](found.new_context({"page": page, **context})))


def facts(request: Request, secret: str) -> PageFacts:
    """Gather what the shell shows about this request."""
    around = shell_of(request)
    chosen = getattr(request.state, "preferences", None) or Preferences()
    menu = tuple([entry for entry in around.menu if open_to(request, entry)])
    return PageFacts(
        path=request.url.path,
        query=request.url.query,
        preferences=chosen,
        shell=around,
        menu=menu,
        search=around.search.path if around.search and open_to(request, around.search) else None,
        here=current(menu, request.url.path),
        welcome=_welcome(request, around),
        login=getattr(request.state, "login", None),
        csrf=forms.token_for(secret),
    )


def _welcome(request: Request, around: Shell) -> Mapping[str, str] | None:
    handle = getattr(request.state, "handle", None)
    return around.welcome(handle.actor.role) if handle is not None else None


def _answer(request: Request, html: str, status: int) -> Response:
    headers = {"cache-control": "no-store", "vary": "accept-encoding, cookie"}
    body = html.encode()
    if len(body) >= _SMALLEST_ZIPPED and "gzip" in request.headers.get("accept-encoding", ""):
        return HTMLResponse(gzip.compress(body, 5, mtime=0), status, headers | {"content-encoding": "gzip"})
    return HTMLResponse(body, status, headers)
