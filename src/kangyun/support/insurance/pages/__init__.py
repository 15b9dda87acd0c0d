"""What people see of insurance: residents their own, institutions what was found, the insurer everything claimed from it."""

from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.support.insurance.pages import books, findings, insurer, mine


def routes() -> list[BaseRoute]:
    """All addresses for people."""
    return [*mine.routes(), *findings.routes(), *insurer.routes(), *books.routes()]


def menu() -> list[web.MenuEntry]:
    """The places in the menu."""
    return [
        web.MenuEntry("insurance.menu.mine", mine.HOME, icon="card", order=64, about="insurance.about.mine"),
        web.MenuEntry("insurance.menu.insurer", insurer.HOME, icon="file", order=40, about="insurance.about.insurer"),
        web.MenuEntry("insurance.menu.audit", f"{insurer.HOME}/findings", icon="alert", order=41, about="insurance.about.audit"),
        web.MenuEntry("insurance.menu.clearing", f"{insurer.HOME}/clearing", icon="sliders", order=42, about="insurance.about.clearing"),
        web.MenuEntry("insurance.menu.statistics", f"{insurer.HOME}/statistics", icon="trend", order=43, about="insurance.about.statistics"),
        web.MenuEntry("insurance.menu.findings", findings.HOME, icon="alert", order=45, about="insurance.about.findings"),
    ]
