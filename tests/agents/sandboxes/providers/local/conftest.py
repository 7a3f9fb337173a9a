"""Sandboxes for real: tests need bubblewrap, and fail with what mends it where it is missing."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.agents.sandboxes.providers.local.sandbox import LocalSandbox
from assay.agents.sandboxes.providers.types import Command, Ran, SandboxLimits

MIB = 1024**2
LIMITS = SandboxLimits(memory_bytes=128 * MIB, disk_bytes=64 * MIB, processes=32, seconds=120.0)
Sh = Callable[..., Awaitable[Ran]]


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[LocalProvider]:
    """A provider whose sandboxes are all destroyed at the end."""
    provider = LocalProvider(tmp_path / "home")
    await provider.check()
    yield provider
    for sandbox_id in await provider.labels():
        await provider.destroy(sandbox_id)
    await provider.close()


@pytest.fixture
async def sandbox(provider: LocalProvider) -> LocalSandbox:
    """A sandbox with small limits."""
    return await provider.create("one", LIMITS)


@pytest.fixture
def sh(sandbox: LocalSandbox) -> Sh:
    """Run a script of the shell in the sandbox."""

    async def run(script: str, *arguments: str, seconds: float = 60.0) -> Ran:
        return await sandbox.run(Command(("sh", "-c", script, "sh", *arguments), seconds=seconds))

    return run


@pytest.fixture
def python(sandbox: LocalSandbox) -> Sh:
    """Run a program of Python in the sandbox."""

    async def run(program: str, *arguments: str, seconds: float = 60.0) -> Ran:
        return await sandbox.run(Command(("python3", "-c", program, *arguments), seconds=seconds))

    return run
