"""A stand-in for E2B on loopback: its control plane, and the envd of its sandboxes.

Commands run for real, in a `Machine` for each sandbox.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from tests.agents.sandboxes.providers.e2b.account import E2B, KEY
from tests.agents.sandboxes.providers.e2b.control_plane import control_routes
from tests.agents.sandboxes.providers.e2b.envd import envd_routes


def _guarded(there: E2B, application: ASGIApp) -> ASGIApp:
    """Takes calls of the control plane with the right key only, and none while it is to refuse."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope) if scope["type"] == "http" else None
        if request is not None and "/sandboxes" in request.url.path:
            refusal = there.refusal
            if request.headers.get("x-api-key") != KEY:
                refusal = 401, "Invalid API key"
            if refusal is not None:
                status, message = refusal
                answer = JSONResponse({"code": status, "message": message}, status)
                await answer(scope, receive, send)
                return
        await application(scope, receive, send)

    return serve


@asynccontextmanager
async def stand_in(folder: Path) -> AsyncIterator[tuple[E2B, str]]:
    """A stand-in that listens on loopback, and its address."""
    there = E2B(folder)
    config = uvicorn.Config(
        _guarded(there, Starlette(routes=[*control_routes(there), *envd_routes(there)])),
        lifespan="off",
        log_level="critical",
        timeout_graceful_shutdown=1,
    )
    there.server = server = uvicorn.Server(config)
    listening = socket.create_server(("127.0.0.1", 0))
    # Its own `serve` would take the signals of the test run.
    serving = asyncio.create_task(server._serve([listening]))
    try:
        yield there, f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        for number in list(there.sandboxes):
            await there.vanish(number)
        there.cut()
        server.should_exit = True
        await serving
        listening.close()
