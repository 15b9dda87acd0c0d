"""Prometheus metrics: one registry for the process, the HTTP measurements, and the text that /metrics answers.

Rooms declare their own with prometheus_client; every name begins with `kangyun_` and labels are codes, never ids.
"""

from __future__ import annotations

import os
import time

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
    multiprocess,
)
from prometheus_client.metrics_core import Metric
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kangyun.base.logs import route_template

# A second series for each series, which says only when it began, is noise.
disable_created_metrics()

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

REQUESTS = Counter(
    "kangyun_http_requests", "HTTP requests answered, by method, route template and status.",
    ["method", "route", "status"],
)
SECONDS = Histogram(
    "kangyun_http_seconds", "Seconds from the request to the end of its answer.", ["method", "route"],
    buckets=_BUCKETS,
)


class HttpMetrics:
    """ASGI middleware that measures every request by its route template, so that no identifier becomes a label."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, answer)
        finally:
            method, route = _method(scope), route_template(scope)
            SECONDS.labels(method, route).observe(time.perf_counter() - started)
            REQUESTS.labels(method, route, str(status)).inc()


async def show(_request: Request) -> Response:
    """GET /metrics: everything in the Prometheus text format."""
    return Response(generate_latest(_figures()), media_type=CONTENT_TYPE_LATEST)


def _figures() -> CollectorRegistry:
    """This process's own, or what all web processes have counted into the shared folder."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    whole = CollectorRegistry()
    multiprocess.MultiProcessCollector(whole)
    return whole


def reference() -> list[tuple[str, str, str]]:
    """Rows of the generated reference: name, kind and meaning of every metric of ours that is imported."""
    return sorted((m.name, m.type, m.documentation) for m in _ours())


def _ours() -> list[Metric]:
    return [metric for metric in REGISTRY.collect() if metric.name.startswith("kangyun_")]


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _method(scope: Scope) -> str:
    """An invented method must not make a new series each time."""
    return scope["method"] if scope["method"] in _METHODS else "other"
