"""Plain ASGI middleware: request ids with the access log, body limit, unforeseen errors."""

import re
import time
from collections.abc import Mapping

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assay.core.errors import TooLarge
from assay.core.ids import new_id
from assay.core.problems import problem_response, unexpected_error

log = structlog.get_logger("assay.http")
_SAFE_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class RequestId:
    """Give every request an id: the caller's `X-Request-ID` where it is a safe one, or a new one.

    It stands in the response, in every log line and in problem documents.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _SAFE_ID.fullmatch(given) else new_id().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        start = time.perf_counter()
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        finally:
            log.debug(
                "request",
                method=scope["method"],
                # A route can have it that its path is not for the log.
                path=scope.get("state", {}).get("logged_path", scope["path"]),
                status=status,
                ms=round((time.perf_counter() - start) * 1000, 1),
            )


class BodyLimit:
    """Refuse request bodies over a limit, by their declared length or while they arrive."""

    def __init__(self, app: ASGIApp, limit: int, uploads: Mapping[re.Pattern[str], int]) -> None:
        """Wrap `app`: bodies have `limit` bytes at most; `uploads` has limits by path."""
        self.app = app
        self.limit = limit
        self.uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self._limit_of(scope["path"])
        declared = Headers(scope=scope).get("content-length", "0")
        if declared.isdigit() and int(declared) > limit:
            response = problem_response(TooLarge.status, _too_large(limit), TooLarge.code)
            await response(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise TooLarge(_too_large(limit))
            return message

        await self.app(scope, counted, send)

    def _limit_of(self, path: str) -> int:
        found = (most for pattern, most in self.uploads.items() if pattern.fullmatch(path))
        return next(found, self.limit)


def _too_large(limit: int) -> str:
    return f"The request body is over {limit} bytes; send it in smaller parts."


class UnexpectedErrors:
    """Answer what nobody foresaw with a problem document.

    FastAPI's own handler stands outside of all other middleware, so that its answers would
    have no request id and no CORS headers, and a browser could not read them.
    """

    def __init__(self, app: ASGIApp) -> None:
        """Wrap `app`."""
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI)."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception as error:
            if started:
                raise
            await unexpected_error(Request(scope), error)(scope, receive, send)
