"""Expected refusals, told as FHIR OperationOutcome in Chinese and English.

A `Problem` is raised where input is refused; it never holds patient data, only the message key, the FHIRPath of the
fault and harmless parameters. Everything else that is raised is a bug and becomes a plain 500 with a number to quote.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

_TRANSLATION = "http://hl7.org/fhir/StructureDefinition/translation"
_packages: list[str] = ["kangyun.base"]


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault: `code` is a FHIR issue-type, `key` a message of some locale/errors.yaml, `expression` a FHIRPath."""

    code: str
    key: str
    params: dict[str, str] = field(default_factory=dict[str, str])
    expression: str | None = None
    severity: str = "error"


class Problem(Exception):  # noqa: N818 - it is an expected outcome, not an error of the program
    """A refusal with an HTTP status and its issues; `headers` are those that the status asks for, such as retry-after."""

    def __init__(self, status: int, *issues: Issue) -> None:
        super().__init__(f"{status} {', '.join(i.key for i in issues)}")
        self.status = status
        self.issues = issues
        self.headers: dict[str, str] = {}


def refuse(status: int, code: str, key: str, expression: str | None = None, **params: str) -> Problem:
    """A Problem with one issue, to be raised: 404, "not-found", "records.not-found", type="Patient"."""
    return Problem(status, Issue(code, key, params, expression))


def register(package: str) -> None:
    """Add the messages of `<package>/locale/errors.yaml`."""
    if package not in _packages:
        _packages.append(package)
        messages.cache_clear()


@cache
def messages() -> dict[str, dict[str, str]]:
    """All message texts by key, each with zh and en."""
    found: dict[str, dict[str, str]] = {}
    for package in _packages:
        path = files(package) / "locale" / "errors.yaml"
        if path.is_file():
            found.update(yaml.load(path.read_text("utf-8"), Loader=yaml.CSafeLoader) or {})
    return found


def text(issue: Issue, language: str) -> str:
    """The message of an issue in one language; an unknown key shows itself, so that it is seen and mended."""
    template = messages().get(issue.key, {}).get(language)
    if template is None:
        return f"{issue.key} {issue.params}" if issue.params else issue.key
    return template.format_map(_Shown(issue.params))


class _Shown(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def operation_outcome(problem: Problem | list[Issue] | tuple[Issue, ...], language: str = "zh") -> dict[str, Any]:
    """The FHIR OperationOutcome of a refusal: details.text in the caller's language, the other as translation."""
    issues = problem.issues if isinstance(problem, Problem) else problem
    return {"resourceType": "OperationOutcome", "issue": [_issue(i, language) for i in issues]}


def _issue(issue: Issue, language: str) -> dict[str, Any]:
    other = "en" if language == "zh" else "zh"
    translation = {"url": _TRANSLATION, "extension": [
        {"url": "lang", "valueCode": "zh-Hans" if other == "zh" else "en"},
        {"url": "content", "valueString": text(issue, other)},
    ]}
    entry: dict[str, Any] = {
        "severity": issue.severity,
        "code": issue.code,
        "details": {"text": text(issue, language), "_text": {"extension": [translation]}},
        "diagnostics": issue.key,
    }
    if issue.expression:
        entry["expression"] = [issue.expression]
    return entry
