"""A repository in a sandbox, a desk with the tools, and models that play scripts."""

import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.agents.sandboxes.providers.types import (
    WORK,
    Command,
    Ran,
    Sandbox,
    SandboxLimits,
    TakeOutput,
)
from assay.agents.tasks.model import GatewayModel
from assay.agents.tasks.tools.desk import Desk
from assay.core.config import Settings
from assay.gateway.retry import RetryPolicy
from assay.gateway.service import Gateway
from assay.testing.scripted_model import ScriptedModelServer

IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.com")


LIMITS = SandboxLimits(memory_bytes=256 * 1024**2, disk_bytes=64 * 1024**2, processes=48)


class Recorded:
    """A sandbox that keeps what was run in it, and says which folder here is its own."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.id = sandbox.id
        self.folder = folder
        self.commands: list[tuple[str, ...]] = []
        self._sandbox = sandbox

    async def run(self, command: Command, take_output: TakeOutput | None = None) -> Ran:
        self.commands.append(command.arguments)
        return await self._sandbox.run(command, take_output)

    async def read_file(self, path: str, *, limit: int = 10_000_000) -> bytes:
        return await self._sandbox.read_file(path, limit=limit)

    async def write_file(self, path: str, content: bytes) -> None:
        await self._sandbox.write_file(path, content)

    async def stop_all(self) -> None:
        await self._sandbox.stop_all()


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Recorded]:
    """A sandbox with an empty repository."""
    provider = LocalProvider(tmp_path)
    recorded = Recorded(await provider.create("test", LIMITS), tmp_path / "sandboxes/test/work")
    ran = await recorded.run(Command(("git", "init", "-q", "-b", "main")))
    assert ran.exit_code == 0, ran.output
    yield recorded
    await provider.destroy("test")


@pytest.fixture
def put(sandbox: Recorded) -> Callable[[Mapping[str, str | bytes]], Awaitable[None]]:
    """Writes files and commits them."""

    async def put(files: Mapping[str, str | bytes]) -> None:
        for path, content in files.items():
            written = content if isinstance(content, bytes) else content.encode()
            await sandbox.write_file(f"{WORK}/{path}", written)
        await sandbox.run(Command(("git", "add", "-A")))
        ran = await sandbox.run(Command(("git", *IDENTITY, "commit", "-q", "-m", "files")))
        assert ran.exit_code == 0, ran.output

    return put


@pytest.fixture
def desk(sandbox: Recorded) -> Desk:
    return Desk(sandbox=sandbox)


@pytest.fixture
async def play(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[..., Any]]:
    """Starts a scripted model server, and gives a model of it through the gateway, and it."""
    async with AsyncExitStack() as stack:
        retry = RetryPolicy(base=0.01, longest=0.05)
        gateway = await stack.enter_async_context(Gateway(Settings(_env_file=None), retry=retry))

        async def start(
            *turns: Any,
            parameters: Mapping[str, Any] | None = None,
            script: Any = None,
            **behaviour: Any,
        ) -> tuple[GatewayModel, ScriptedModelServer]:
            server = await stack.enter_async_context(
                ScriptedModelServer(turns=script or turns, **behaviour)
            )
            name = f"played-{uuid.uuid4().hex[:8]}"
            variable = f"{name.upper().replace('-', '_')}_BASE_URL"
            monkeypatch.setitem(os.environ, variable, server.base_url)
            return GatewayModel(gateway.model(f"{name}/scripted"), parameters), server

        yield start
