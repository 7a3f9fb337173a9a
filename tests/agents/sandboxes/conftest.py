"""A stand-in for E2B, and the sandboxes of an installation that uses it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.agents.sandboxes.providers.e2b.account import E2B, KEY
from tests.agents.sandboxes.providers.e2b.stand_in import stand_in
from tests.agents.sandboxes.world import Desk

from assay.agents.sandboxes.lifecycle import Sandboxes
from assay.agents.sandboxes.naming import label_prefix, place_of
from assay.agents.sandboxes.providers.e2b.provider import E2BProvider
from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.core.database import Database


@pytest.fixture
async def e2b(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[E2B]:
    """A stand-in; the environment leads the SDK to it."""
    folder = tmp_path / "e2b"
    folder.mkdir()
    async with stand_in(folder) as (there, url):
        monkeypatch.setenv("E2B_API_URL", url)
        monkeypatch.setenv("E2B_SANDBOX_URL", url)
        yield there


async def make_sandboxes(database: Database, home: Path) -> Sandboxes:
    """The sandboxes of a machine with this folder."""
    local, remote = LocalProvider(home), E2BProvider(KEY)
    return Sandboxes(
        {local.name: local, remote.name: remote},
        prefix=await label_prefix(database),
        places={local.name: await place_of(home)},
    )


@pytest.fixture
async def sandboxes(own_database: Database, tmp_path: Path, e2b: E2B) -> Sandboxes:
    """The sandboxes of this machine."""
    assert not e2b.sandboxes
    return await make_sandboxes(own_database, tmp_path / "home")


@pytest.fixture
async def desk(own_database: Database) -> Desk:
    """A task for an agent whose sandboxes are at E2B."""
    return await Desk.make(own_database, "e2b")
