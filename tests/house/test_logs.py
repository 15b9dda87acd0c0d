"""Every log call uses a code as its event and known fields only, so that nothing it says is refused at run time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from kangyun.base import logs
from tests.house.house import SOURCE, assert_kept, copy_of_the_house, is_test, plant, python_files

LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def log_faults(source: Path) -> list[str]:
    """Log calls whose event is no constant code, or that name a field which the log writer does not know."""
    return [
        f"{path.relative_to(source)}:{call.lineno} {fault}"
        for path in python_files(source)
        if not is_test(path)
        for call in _log_calls(path)
        for fault in _call_faults(call)
    ]


def _log_calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            named = isinstance(node.func.value, ast.Name) and node.func.value.id in {"log", "logger"}
            if named:
                yield node


def _call_faults(call: ast.Call) -> Iterator[str]:
    event = call.args[0] if call.args else None
    choices = [event.body, event.orelse] if isinstance(event, ast.IfExp) else [event]
    for choice in choices:
        if not isinstance(choice, ast.Constant) or logs.refuse_unknown(None, "", {"event": choice.value}).get("refused"):
            yield "the event is not a dotted code"
    for keyword in call.keywords:
        if keyword.arg not in {*logs.FIELDS, "exc_info"}:
            yield f"the field {keyword.arg} is not in logs.FIELDS"


def test_every_log_call_uses_codes_and_known_fields() -> None:
    assert_kept(log_faults(SOURCE))


def test_a_sentence_and_an_unknown_field_are_caught(tmp_path: Path) -> None:
    source = copy_of_the_house(tmp_path) / "kangyun"
    plant(source.parent, "commons/access/loud.py", 'log.info(f"found {name}", name=name)\nlog.info("access.found", count=1)')
    faults = [fault for fault in log_faults(source) if "loud.py" in fault]
    assert [fault.split(" ", 1)[1] for fault in faults] == [
        "the event is not a dotted code", "the field name is not in logs.FIELDS",
    ]
