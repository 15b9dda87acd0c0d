"""What people see: residents find and book, schedulers lay out weeks, the desk receives, screens call."""

from __future__ import annotations

from starlette.routing import BaseRoute

from kangyun.base import web
from kangyun.support.appointments.pages import booking, calendar, desk, finding, scheduling, screen


def routes() -> list[BaseRoute]:
    """The addresses of this room."""
    return [*finding.routes(), *booking.routes(), *desk.routes(), *scheduling.routes(), *calendar.routes(), *screen.routes()]


def menu() -> list[web.MenuEntry]:
    """This room's places in the menu."""
    return [
        web.MenuEntry("appointments.menu", "/appointments", icon="calendar", order=20, about="appointments.about"),
        web.MenuEntry("appointments.mine.menu", "/appointments/mine", icon="clock", order=21, about="appointments.mine.about", permission="resident.use"),
        web.MenuEntry("appointments.desk.menu", "/appointments/desk", icon="scan", order=22, about="appointments.desk.about"),
        web.MenuEntry("appointments.calendar.menu", "/appointments/calendar", icon="calendar", order=23, about="appointments.calendar.about"),
    ]
