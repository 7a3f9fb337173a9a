"""Metrics for Prometheus: how they are named, those of HTTP, and the page that shows them all."""

import time

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_REQUESTS = Counter("assay_http_requests", "Requests answered", ["method", "route", "status"])
_SECONDS = Histogram(
    "assay_http_request_seconds",
    "Time to the start of the answer",
    ["method", "route"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
_IN_PROGRESS = Gauge("assay_http_requests_in_progress", "Requests that are not answered yet")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NO_ROUTE = "none"


class Measured:
    """Counts requests by their route, and how long their answers took to begin."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                # What callers choose freely must not become labels without end.
                method = scope["method"] if scope["method"] in _METHODS else "other"
                route = _route(scope)
                _REQUESTS.labels(method, route, message["status"]).inc()
                _SECONDS.labels(method, route).observe(time.perf_counter() - started)
            await send(message)

        _IN_PROGRESS.inc()
        try:
            await self.app(scope, receive, send_measured)
        finally:
            _IN_PROGRESS.dec()


def _route(scope: Scope) -> str:
    """The path with the names of its parameters, as `/api/v1/projects/{project_id}`."""
    route = scope.get("route")
    if route is None:
        return NO_ROUTE
    # The route knows its path below the prefix that it was included under.
    below = str(route.path)
    segments = scope["path"].strip("/").split("/")
    prefix = segments[: len(segments) - len(below.strip("/").split("/"))]
    return "".join(f"/{segment}" for segment in prefix) + below


def exposition() -> Response:
    """All metrics of this process in the text format of Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
