"""Structured logs that cannot carry patient data: events are codes, fields come from a list, values are checked.

Use: `log = structlog.get_logger()` and `log.info("exchange.received", message=raw_id, count=3)`. An event is a dotted
code, never a sentence with values in it. Only the names in FIELDS pass, and only values of their kind; what does not
pass is left out and its field named under `refused`. An exception is logged as its class and the places it went
through, never its text, because texts of libraries quote the data. Guarded by base/tests/test_logs.py.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, MutableMapping
from types import TracebackType
from typing import Any, TextIO
from uuid import uuid4

import orjson
import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

_CODE = re.compile(r"[A-Za-z0-9._:/\-#+@|=,*$^()<>{}\[\] ]{0,200}")
_ID = re.compile(r"[A-Za-z0-9._:/\-#]{0,128}")
_EVENT = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_-]+)+")

# A run of digits this long may be a phone, card or identity number, whatever the field is called.
_LONG_NUMBER = re.compile(r"\d{9,}[Xx]?")

# FHIR resource ids and our keys are 64 bits; every other number in a log is a count, a size or a duration.
_LARGEST_COUNT = 10**10

_IDS = """
    actor change control handle id job key message migration node number process reaction request resident seq sender
    session task thread trace user version worker
"""
_CODES = """
    address at channel code error event expected file folder format host kind language level logger method name_of
    on outcome parameter part path_of permission phase purpose reason refused region role route rule setting state
    status system table timestamp to trigger type where
"""
_COUNTS = """
    attempt attempts bytes count days depth done failed found lag limit ms of pid port rows seconds size skipped
    tries waiting written
"""

FIELDS: dict[str, str] = {
    **dict.fromkeys(_IDS.split(), "id"),
    **dict.fromkeys(_CODES.split(), "code"),
    **dict.fromkeys(_COUNTS.split(), "count"),
}
"""What a log line may hold: field name -> id, code or count."""

_KEYS_OF_64_BITS = {"resident", "key", "seq", "change", "job"}

EventDict = MutableMapping[str, Any]


def set_up(log_format: str = "auto", level: str = "info", stream: TextIO | None = None) -> None:
    """Configure structlog and the standard library's logging, once per process.

    `log_format` is json, console, or auto: console when `stream` (standard error) is a terminal.
    """
    out = stream or sys.stderr
    console = log_format == "console" or (log_format == "auto" and out.isatty())
    renderer = structlog.dev.ConsoleRenderer(colors=out.isatty()) if console else _json
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            describe_exception,
            refuse_unknown,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=out),
        cache_logger_on_first_use=False,
    )
    logging.root.handlers = [_Bridge()]
    logging.root.setLevel(logging.WARNING)


def fault(error: BaseException) -> str:
    """What may be told of an exception: its class and the place that raised it, `ValueError at actions:42`."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {_place(frames[-1])}" if frames else ""
    return f"{type(error).__name__}{place}"


def refuse_unknown(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """The guard: keep known fields with harmless values and name the rest under `refused`."""
    kept: EventDict = {name: _checked(name, value) for name, value in event.items() if _passes(name, value)}
    refused = sorted(name if name in FIELDS else "unknown" for name in event if name not in kept)
    if refused:
        kept["refused"] = " ".join(refused)
    kept.setdefault("event", "logs.refused_event")
    return kept


def describe_exception(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Replace exc_info by the class and the path of the exception."""
    error = _exception(event.pop("exc_info", None))
    if error is not None:
        event["error"] = type(error).__name__
        event["where"] = " < ".join(_place(f) for f in reversed(traceback.extract_tb(error.__traceback__)[-5:]))
    return event


def _exception(info: Any) -> BaseException | None:
    if isinstance(info, BaseException):
        return info
    if isinstance(info, tuple):
        return info[1]
    return sys.exc_info()[1] if info else None


def _place(frame: traceback.FrameSummary) -> str:
    return f"{frame.filename.rsplit('/', 1)[-1].removesuffix('.py')}:{frame.lineno}"


def _passes(name: str, value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return name in FIELDS
    if name == "event":
        return isinstance(value, str) and bool(_EVENT.fullmatch(value))
    kind = FIELDS.get(name)
    if isinstance(value, int | float):
        return kind is not None and (name in _KEYS_OF_64_BITS or abs(value) < _LARGEST_COUNT)
    pattern = {"id": _ID, "code": _CODE}.get(kind or "")
    return pattern is not None and bool(pattern.fullmatch(str(value)))


def _checked(name: str, value: Any) -> Any:
    if value is None or isinstance(value, int | float | bool) or name == "timestamp":
        return value
    return _LONG_NUMBER.sub("…", str(value))


def _json(_logger: Any, _method: str, event: EventDict) -> str:
    return orjson.dumps(event).decode()


class _Bridge(logging.Handler):
    """Logs of libraries: where and how bad, never their text."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().log(
            record.levelno,
            "library.message",
            logger=record.name,
            at=f"{record.module}:{record.lineno}",
            exc_info=_of_record(record.exc_info),
        )


def _of_record(
    info: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None] | None,
) -> BaseException | None:
    return info[1] if info else None


class RequestLog:
    """ASGI middleware: gives every request an id, answers it as X-Request-ID, and logs what failed or was slow."""

    def __init__(self, app: ASGIApp, slow_seconds: float = 1.0) -> None:
        self.app = app
        self.slow_seconds = slow_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request with its id bound to every log line written on its behalf."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = _request_number()
        scope.setdefault("state", {})["request_id"] = request
        with bound_contextvars(request=request):
            await self._serve(scope, receive, send, request)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request: str) -> None:
        started = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message.setdefault("headers", []).append((b"x-request-id", request.encode()))
            await send(message)

        try:
            await self.app(scope, receive, answer)
        finally:
            self._tell(scope, status, time.perf_counter() - started)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        log = structlog.get_logger()
        tell: Callable[..., Any] = log.info if status >= 500 or seconds > self.slow_seconds else log.debug
        tell("http.request", method=scope["method"], route=route_template(scope), status=status,
             ms=round(seconds * 1000, 1))


def _request_number() -> str:
    """Short enough to read out on the telephone, in groups, so that no long run of digits looks like a person's."""
    digits = uuid4().hex
    return f"{digits[:4]}-{digits[4:8]}-{digits[8:12]}"


def route_template(scope: Scope) -> str:
    """The route's template such as /fhir/{type}/{id}; never the path itself, which holds identifiers."""
    return getattr(scope.get("route"), "path", "unmatched")
