"""Repositories over HTTP on loopback, by git's own `http-backend`, for who has the token."""

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web
from pydantic import SecretStr

from assay.agents.git.mirrors import Mirrors
from assay.agents.git.remotes import Remotes
from assay.core.outbound import parse_networks

TOKEN = "ghp_0123456789secret"
LOOPBACK = parse_networks(["127.0.0.0/8", "::1/128"])


@dataclass
class GitHost:
    """A host of repositories, those below `root`.

    `held` holds up what sends or takes objects while it is not set; `reached` is set once
    somebody waits there. While it is `away` it answers 503.
    """

    root: Path
    port: int = 0
    token: str | None = TOKEN
    moved_to: str | None = None
    away: bool = False
    held: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)

    @property
    def authority(self) -> str:
        """The host with its port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address of `origin.git`."""
        return f"http://{self.authority}/origin.git"

    def mirrors(self, home: Path, token: str | None = TOKEN) -> Mirrors:
        """Mirrors that may reach the host, and have a token for it."""
        tokens = {self.authority: SecretStr(token)} if token else {}
        return Mirrors(home, Remotes(tokens, networks=LOOPBACK))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path_qs}")
        if self.away:
            raise web.HTTPServiceUnavailable
        if self.moved_to:
            raise web.HTTPMovedPermanently(self.moved_to + request.path_qs)
        given = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
        if self.token and request.headers.get("Authorization") != f"Basic {given}":
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="git"'})
        body = await request.read()
        # The question for the references of version 2 is a POST too.
        if request.method == "POST" and b"command=ls-refs" not in body:
            self.reached.set()
            await self.held.wait()
        return await self._backend(request, body)

    async def _backend(self, request: web.Request, body: bytes) -> web.Response:
        process = await asyncio.create_subprocess_exec(
            *("git", "-c", "http.receivepack=true", "http-backend"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
                "PATH_INFO": request.path,
                "QUERY_STRING": request.query_string,
                "REQUEST_METHOD": request.method,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "REMOTE_USER": "assay",
                "REMOTE_ADDR": "127.0.0.1",
            },
        )
        output, _ = await process.communicate(body)
        head, _, content = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=content)


@contextlib.asynccontextmanager
async def serving(root: Path) -> AsyncIterator[GitHost]:
    """A host on a free port."""
    host = GitHost(root)
    host.held.set()
    application = web.Application(client_max_size=100_000_000)
    application.router.add_route("*", "/{path:.*}", host.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host.port = runner.addresses[0][1]
    try:
        yield host
    finally:
        host.held.set()
        await runner.cleanup()
