"""The envd of a stand-in's sandboxes: processes and files.

The process service is the ASGI stub that the official SDK ships, so both ends speak its own
protocol.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import Headers, RequestContext
from e2b.envd.process.process_connect import Process, ProcessASGIApplication
from e2b.envd.process.process_pb import (
    ProcessEvent,
    StartRequest,
    StartResponse,
)
from protobuf import Oneof
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from tests.agents.sandboxes.providers.e2b.account import E2B, Kept


class Envd(Process):
    """The process service of all sandboxes."""

    def __init__(self, there: E2B) -> None:
        self._there = there
        self._running: dict[int, asyncio.subprocess.Process] = {}

    async def start(
        self, request: StartRequest, ctx: RequestContext[StartRequest, StartResponse], /
    ) -> AsyncIterator[StartResponse]:
        kept = self._kept(ctx.request_headers)
        assert request.process is not None
        process = await kept.machine.spawn(
            [request.process.cmd, *request.process.args],
            root=_user(ctx.request_headers) == "root",
            env=dict(request.process.envs),
            cwd=request.process.cwd or None,
        )
        self._running[process.pid] = process
        yield _event(Oneof("start", ProcessEvent.StartEvent(pid=process.pid)))
        async for name, piece in _output(process):
            data = ProcessEvent.DataEvent(output=Oneof(name, piece))  # type: ignore[arg-type]  # stdout or stderr
            yield _event(Oneof("data", data))
        code = await process.wait()
        if kept.id not in self._there.sandboxes:
            lost = f"the connection to sandbox {kept.id} ended before the stream completed"
            raise ConnectError(Code.UNAVAILABLE, lost)
        # Go's way to say that a signal ended it.
        end = ProcessEvent.EndEvent(
            exit_code=max(code, -1), exited=code >= 0, status=f"exit {code}"
        )
        yield _event(Oneof("end", end))

    def _kept(self, headers: Headers) -> Kept:
        kept = self._there.of(headers)
        if kept is None:
            raise ConnectError(Code.UNAVAILABLE, "The sandbox was not found")
        return kept


def _user(headers: Headers) -> str:
    encoded = (headers.get("authorization") or "").removeprefix("Basic ")
    return base64.b64decode(encoded).decode().partition(":")[0]


def _event(event: Any) -> StartResponse:
    return StartResponse(event=ProcessEvent(event=event))


async def _output(process: asyncio.subprocess.Process) -> AsyncIterator[tuple[str, bytes]]:
    """Standard output and error as they come."""
    pieces: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(maxsize=4)

    async def read(name: str, stream: asyncio.StreamReader | None) -> None:
        assert stream is not None
        while piece := await stream.read(32 * 1024):
            await pieces.put((name, piece))
        await pieces.put((name, b""))

    streams = (("stdout", process.stdout), ("stderr", process.stderr))
    readers = [asyncio.create_task(read(name, stream)) for name, stream in streams]
    try:
        ended = 0
        while ended < 2:
            name, piece = await pieces.get()
            if piece:
                yield name, piece
            else:
                ended += 1
    finally:
        for reader in readers:
            reader.cancel()


class Files:
    """The files of all sandboxes, and whether they are there."""

    def __init__(self, there: E2B) -> None:
        self._there = there

    async def health(self, request: Request) -> Response:
        return _gone() if self._there.of(request.headers) is None else Response(status_code=204)

    async def read(self, request: Request) -> Response:
        if (kept := self._there.of(request.headers)) is None:
            return _gone()
        path = kept.machine.path(request.query_params["path"])
        if path.is_dir():
            return JSONResponse({"code": 400, "message": f"path {path} is a directory"}, 400)
        if not path.exists():
            return JSONResponse({"code": 404, "message": "no such file"}, 404)
        return Response(path.read_bytes())

    async def write(self, request: Request) -> Response:
        if (kept := self._there.of(request.headers)) is None:
            return _gone()
        name = request.query_params["path"]
        if "/full/" in name:
            return JSONResponse({"code": 507, "message": "not enough disk space"}, 507)
        path = kept.machine.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(await request.body())
        return JSONResponse([{"name": path.name, "type": "file", "path": name}])


def _gone() -> Response:
    return JSONResponse({"message": "The sandbox was not found"}, 502)


def envd_routes(there: E2B) -> list[BaseRoute]:
    files = Files(there)
    return [
        Route("/health", files.health),
        Route("/files", files.read),
        Route("/files", files.write, methods=["POST"]),
        Mount("/", ProcessASGIApplication(Envd(there))),
    ]
