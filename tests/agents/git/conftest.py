"""A repository, the mirrors, and a sandbox."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.agents.git.repositories import Origin, make_origin

from assay.agents.git.mirrors import Mirrors
from assay.agents.git.remotes import Remote, Remotes
from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.agents.sandboxes.providers.types import Sandbox, SandboxLimits


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """A repository with two commits on `main`."""
    return make_origin(tmp_path)


@pytest.fixture
def mirrors(tmp_path: Path) -> Mirrors:
    """Mirrors that may clone from the test's own folder."""
    return Mirrors(tmp_path / "home", Remotes(folders=(tmp_path,)))


@pytest.fixture
def remote(mirrors: Mirrors, origin: Origin) -> Remote:
    """The repository, as the mirrors know it."""
    return mirrors.remotes.parse(origin.url)


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """An empty sandbox."""
    provider = LocalProvider(tmp_path)
    made = await provider.create("sandbox", SandboxLimits(disk_bytes=64 * 1024**2, processes=32))
    yield made
    await provider.destroy(made.id)
