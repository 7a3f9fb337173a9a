"""A stand-in of GitHub on loopback: real repositories over HTTP, and pull requests."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import SecretStr
from tests.agents.git.repositories import Origin, make_origin
from tests.agents.git.smart_http import TOKEN, GitHost

API = "/api/v3"
_HOOK = "#!/bin/sh\ncat >>pushes\n"


@dataclass
class Gate:
    """Where a request has to wait: by the owner of its repository.

    `held` says at what; `reached` holds those who wait; all go on once it is opened.
    """

    held: dict[str, str] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def through(self, owner: str, point: str) -> None:
        """Wait, where the owner's requests are held at this point."""
        if self.held.get(owner) == point and not self.opened.is_set():
            self.reached.add(owner)
            await self.opened.wait()


@dataclass
class Forge(GitHost):
    """Repositories `<owner>/origin`, each with the pull requests that were opened for it."""

    gate: Gate = field(default_factory=Gate)
    pulls: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """What a process of Assay is told, to work with it."""
        return {
            "GITHUB_URL": f"http://{self.authority}",
            "GITHUB_API_URL": f"http://{self.authority}{API}",
            "GITHUB_TOKEN": TOKEN,
            "GIT_ALLOWED_NETWORKS": "127.0.0.0/8",
        }

    @property
    def settings(self) -> dict[str, Any]:
        """The same for a server in this process."""
        return {
            "github_url": f"http://{self.authority}",
            "github_api_url": f"http://{self.authority}{API}",
            "github_token": SecretStr(TOKEN),
            "git_allowed_networks": ("127.0.0.0/8",),
        }

    def repository(self, owner: str) -> Origin:
        """A new repository, which notes each push."""
        template, folder = self.root / "template", self.root / owner
        if not template.exists():
            template.mkdir()
            make_origin(template)
        shutil.copytree(template, folder)
        origin = Origin(folder / "origin.git", folder / "work")
        hook = origin.path / "hooks" / "post-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(_HOOK)
        hook.chmod(0o755)
        return origin

    def address(self, owner: str) -> str:
        """The address of an owner's repository."""
        return f"http://{self.authority}/{owner}/origin.git"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if not request.path.startswith(API):
            return await super().answer(request)
        assert request.headers["Authorization"].split() == ["token", TOKEN]
        owner = request.path.removeprefix(f"{API}/repos/").split("/")[0]
        pulls = self.pulls.setdefault(owner, [])
        if request.method == "GET":
            wanted = {name: request.query[name] for name in ("head", "base", "state")}
            return web.json_response([pull for pull in pulls if wanted.items() <= pull.items()])
        new = await request.json()
        await self.gate.through(owner, "pull request asked for")
        head = f"{owner}:{new['head']}"
        if any(pull["head"] == head for pull in pulls):
            errors = [{"message": f"A pull request already exists for {head}.", "code": "custom"}]
            said = {"message": "Validation Failed", "errors": errors}
            return web.json_response(said, status=422)
        page = f"http://{self.authority}/{owner}/origin/pull/{len(pulls) + 1}"
        pulls.append({**new, "head": head, "state": "open", "html_url": page})
        await self.gate.through(owner, "pull request opened")
        return web.json_response(pulls[-1], status=201)

    async def _backend(self, request: web.Request, body: bytes) -> web.Response:
        owner = request.path.split("/")[1]
        pushing = request.method == "POST" and request.path.endswith("/git-receive-pack")
        if pushing:
            await self.gate.through(owner, "push sent")
        response = await super()._backend(request, body)
        if pushing:
            await self.gate.through(owner, "push arrived")
        return response


def pushes(origin: Origin) -> list[str]:
    """The pushes that came, each as `old new ref`."""
    noted = origin.path / "pushes"
    return noted.read_text().splitlines() if noted.exists() else []


@contextlib.asynccontextmanager
async def forge_at(root: Path) -> AsyncIterator[Forge]:
    """A forge on a free port, with its repositories below `root`."""
    await asyncio.to_thread(root.mkdir)
    forge = Forge(root)
    forge.held.set()
    application = web.Application(client_max_size=100_000_000)
    application.router.add_route("*", "/{path:.*}", forge.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=256).start()
    forge.port = runner.addresses[0][1]
    try:
        yield forge
    finally:
        forge.gate.opened.set()
        await runner.cleanup()
