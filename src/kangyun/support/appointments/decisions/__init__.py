"""The judgements of appointments: facts and rules in, verdicts out; no clock, no database."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from kangyun.base.rules import Rule
from kangyun.support.appointments.decisions import booking, cancelling, finding, offences, planning, queueing
from kangyun.support.appointments.decisions.tables import (
    channel_for,
    channel_opens,
    channels,
    departments,
    examinations,
    kinds,
)
from kangyun.support.appointments.model import Part, Template, Whom

__all__ = ["channel_for", "channel_opens", "channels", "check_example", "departments", "examinations", "kinds"]


def check_example(rule: Rule, given: Any) -> Any:
    """The verdict on a worked example of one of this room's rules."""
    judges = {
        "kinds": lambda: kinds()[given["kind"]].order,
        "channels": lambda: _channel(given),
        "departments": lambda: booking.not_for(departments()[given["code"]], _whom(given), date(2026, 12, 1)),
        "examinations": lambda: examinations()[given["code"]]["department"],
        "symptoms": lambda: list(finding.subjects(given)[0]),
        "limits": lambda: booking.window(given["held"], given["day"]),
        "no_show": lambda: _closed_until(given),
        "cancelling": lambda: _cancelling(given),
        "holding": lambda: booking.held_until(datetime.fromisoformat(given["held"])).isoformat(),
        "queue": lambda: queueing.place(given["number"], timedelta(minutes=given["minutes_late"]), given["calling"]),
        "horizon": lambda: _horizon(rule, given),
    }
    return judges[rule.id.partition(".")[2]]()


def _channel(given: Any) -> str | None:
    if "role" in given:
        found = channel_for(given["role"])
        return found.channel if found else None
    return channel_opens(channels()[given["channel"]], given["day"]).astimezone(UTC).isoformat()


def _whom(given: Any) -> Whom:
    return Whom("p", (), "", given["sex"], f"{2026 - given['age']}-01-01", documented=True)


def _closed_until(given: Any) -> str | None:
    told = [offences.Offence("noshow", day) for day in given["noshow"]] + [offences.Offence("late", day) for day in given.get("late", ())]
    until = offences.closed_until(told, given["day"])
    return until.isoformat() if until else None


def _cancelling(given: Any) -> str:
    now = datetime(2026, 12, 1, tzinfo=UTC)
    return cancelling.cost(given["kind"], now + timedelta(hours=given["hours"]), now)


def _horizon(rule: Rule, given: Any) -> int:
    template = Template(given["weekday"], Part(time(8), 10, 1), given["since"], given["until"])
    return len(planning.sittings("s", [template], [], given["from"], rule.value))
