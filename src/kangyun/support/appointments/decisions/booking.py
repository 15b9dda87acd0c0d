"""Whether somebody may book: real name, limits of a person and of an account, whom a department is for, closed times."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from kangyun.base.errors import refuse
from kangyun.support.appointments.decisions import offences
from kangyun.support.appointments.decisions.tables import channel_opens, rule
from kangyun.support.appointments.model import ACTIVE, CHINA, Booking, Channel, Department, Schedule, Sitting, Whom

_WAITING = "waitlist"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, by which channel and account, and when."""

    schedule: Schedule
    sitting: Sitting
    channel: Channel
    whom: Whom
    account: str
    now: datetime

    @property
    def today(self) -> date:
        """The day it is in China."""
        return self.now.astimezone(CHINA).date()


def not_for(department: Department, whom: Whom, day: date) -> str:
    """Why a department is not for somebody: sex, age, or empty. Who is not known by sex or birth is not refused for it."""
    if department.sex and whom.sex in {"male", "female"} and whom.sex != department.sex:
        return "sex"
    if department.under is not None and len(whom.born) >= 4:
        age = _age(whom.born, day)
        if age is not None and age >= department.under:
            return "age"
    return ""


def _age(born: str, day: date) -> int | None:
    """Full years on a day; of an incomplete birth date the youngest that it allows."""
    parts = born[:10].split("-")
    try:
        year, month, of_month = (int(part) for part in [*parts, *("12", "31")[len(parts) - 1 :]])
    except ValueError:
        return None
    return day.year - year - ((day.month, day.day) < (month, of_month))


def check_time(asked: Asked) -> None:
    """Raise Problem 409 for a sitting that is stopped, over, or not open to the channel yet."""
    if asked.sitting.state != "open" or not asked.schedule.active:
        raise refuse(409, "business-rule", "appointments.stopped")
    if asked.sitting.ends <= asked.now:
        raise refuse(409, "business-rule", "appointments.over")
    opens = channel_opens(asked.channel, asked.sitting.day)
    if asked.now < opens:
        raise refuse(409, "business-rule", "appointments.not-open", opens=f"{opens:%Y-%m-%d %H:%M}")


def minutes_held() -> int:
    """For how many minutes a number is kept for somebody who pays for it."""
    return rule("holding").value


def held_until(now: datetime) -> datetime:
    """Until when a number is kept for somebody who pays for it."""
    return now + timedelta(minutes=minutes_held())


def check_whom(asked: Asked, department: Department) -> None:
    """Raise Problem 422 without a real name where the channel asks for one, or when the department is for others."""
    if asked.channel.real_name and not asked.whom.documented:
        raise refuse(422, "business-rule", "appointments.no-real-name")
    reason = not_for(department, asked.whom, asked.sitting.day)
    if reason:
        raise refuse(422, "business-rule", "appointments.not-for-sex" if reason == "sex" else "appointments.not-for-age", years=str(department.under or ""))


def check_limits(asked: Asked, of_person: Sequence[Booking], of_account: Sequence[Booking]) -> None:
    """Raise Problem 409 or 403 when the person or the account has booked too much, or a closed time is not over.

    of_person: all bookings of the last year and later, of whatever state; of_account: those that the account made lately.
    """
    held = [one for one in of_person if one.state in ACTIVE]
    _check_department(asked, [*held, *(one for one in of_person if one.state == _WAITING)])
    if asked.channel.channel not in rule("limits").map["channels"]:
        return
    _check_closed(asked, of_person)
    found = window([one.day for one in held if one.channel in rule("limits").map["channels"]], asked.sitting.day)
    if found:
        days = int(found.partition(":")[2])
        raise refuse(409, "business-rule", "appointments.window", days=str(days), most=str(_most(days)))
    _check_churn(asked, of_person)
    _check_account(asked, [*of_account, *(one for one in of_person if one.account == asked.account)])


def _check_department(asked: Asked, held: Iterable[Booking]) -> None:
    most = rule("limits").map["same_department"]
    schedule, day = asked.schedule, asked.sitting.day
    same = [one for one in held if (one.institution, one.department, one.kind, one.day) == (schedule.institution, schedule.department, schedule.kind, day)]
    if len(same) >= most:
        raise refuse(409, "duplicate", "appointments.same-department")


def _check_closed(asked: Asked, of_person: Sequence[Booking]) -> None:
    if asked.channel.channel not in rule("no_show").map["channels"]:
        return
    until = offences.closed_until(offences.offences(of_person), asked.today)
    if until:
        raise refuse(403, "business-rule", "appointments.closed", until=until.isoformat())


def window(held: Iterable[date], day: date) -> str:
    """Which window a further booking on a day would break, as window:<days>; empty when none."""
    days_held = list(held)
    for row in sorted(rule("limits").map["windows"], key=lambda one: one["days"]):
        if _fullest(days_held, day, row["days"]) >= row["most"]:
            return f"window:{row['days']}"
    return ""


def _fullest(held: Sequence[date], day: date, days: int) -> int:
    """The most bookings in any window of so many days that contains the day."""
    starts = {day, *(one for one in held if timedelta() <= day - one < timedelta(days=days))}
    return max(sum(1 for one in held if timedelta() <= one - start < timedelta(days=days)) for start in starts)


def _most(days: int) -> int:
    return next(int(row["most"]) for row in rule("limits").map["windows"] if row["days"] == days)


def _check_churn(asked: Asked, of_person: Iterable[Booking]) -> None:
    """Who books and cancels again and again holds numbers for somebody else."""
    said = rule("limits").map["churn"]
    since = asked.now - timedelta(days=said["days"] + said["pause_days"])
    ended = sorted(one.ended for one in of_person if one.state == "cancelled" and one.number and not one.excused and one.ended and one.ended > since)
    for first, last in zip(ended, ended[said["cancels"] - 1 :], strict=False):
        until = last + timedelta(days=said["pause_days"])
        if last - first <= timedelta(days=said["days"]) and asked.now < until:
            raise refuse(403, "business-rule", "appointments.churn", until=f"{until.astimezone(CHINA):%Y-%m-%d %H:%M}")


def _check_account(asked: Asked, of_account: Sequence[Booking]) -> None:
    """An account that books for many is no family's."""
    said = rule("limits").map["account"]
    since = asked.now - timedelta(days=said["days"])
    lately = [one for one in of_account if one.booked > since]
    persons = {one.person for one in lately} | {asked.whom.person}
    if asked.account and (len(persons) > said["persons"] or len(lately) >= said["bookings"]):
        raise refuse(403, "business-rule", "appointments.account", days=str(said["days"]))
