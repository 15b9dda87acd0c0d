"""The judge of the worked examples of this room's rules."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

from kangyun.base.rules import Rule
from kangyun.care.internet_hospital.decisions import admission, alerts, doctors, papers, triage


def check_example(rule: Rule, given: Any) -> Any:
    """The verdict on a worked example."""
    return _JUDGES[rule.id.rpartition(".")[2]](rule, given)


def _admission(_rule: Rule, given: Any) -> list[str]:
    told: Any = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    return [one.code for one in admission.findings(admission.Facts(**told))]


def _revisit(rule: Rule, given: Any) -> bool:
    today = date(2026, 11, 22)
    found = admission.Diagnosis(given["code"], "", today - timedelta(days=given["days"]), given["kind"], "", "")
    return admission.proves(found, given["range"], today, rule)


def _times(_rule: Rule, given: Any) -> bool:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    return papers.expired(given["state"], now - timedelta(hours=given["hours"]), now)


def _templates(_rule: Rule, given: Any) -> list[str]:
    return papers.lacking(given["template"], dict.fromkeys(given["filled"], "x"))


_JUDGES: dict[str, Callable[[Rule, Any], Any]] = {
    "admission": _admission,
    "alerts": alerts.example,
    "datasets": lambda _rule, given: alerts.fields(given["set"])[given["index"]],
    "consent": lambda rule, given: len(rule.body[given]),
    "doctors": lambda _rule, given: doctors.example(given),
    "record_templates": _templates,
    "retention": papers.retention_example,
    "revisit": _revisit,
    "subjects": lambda _rule, given: admission.subjects("zh").get(given, ""),
    "times": _times,
    "triage": triage.example,
}
