"""A server with a worker in it, a repository on disk, and a model that plays scripts."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.agents.git.repositories import Origin, make_origin
from tests.agents.tasks.end_to_end.board import Board, opened
from tests.agents.tasks.end_to_end.killing import Model, World, open_world

from assay.core.config import Settings
from assay.core.database import Database
from assay.testing.scripted_model import ScriptedModelServer


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    """The repository that tasks are about."""
    return make_origin(tmp_path)


@pytest.fixture
async def model(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ScriptedModelServer]:
    """The model that agents have: `scripted/coder`."""
    async with ScriptedModelServer() as server:
        monkeypatch.setitem(os.environ, "SCRIPTED_BASE_URL", server.base_url)
        yield server


@pytest.fixture
async def board(
    settings: Settings, own_database: Database, tmp_path: Path, model: ScriptedModelServer
) -> AsyncIterator[Board]:
    """A server of its own with a worker in it, used by its owner."""
    async with opened(settings, own_database, tmp_path) as board:
        yield board


@pytest.fixture
async def world(
    settings: Settings,
    own_database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[World]:
    """A server without a worker in it, for tests that kill workers."""
    async with Model(turns={}) as model:
        monkeypatch.setitem(os.environ, "SCRIPTED_BASE_URL", model.base_url)
        async with open_world(settings, own_database, tmp_path, model) as world:
            yield world
