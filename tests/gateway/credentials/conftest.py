"""A server on a database of its own, in an environment without keys of providers."""

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.identity.people import Installation, installed

from assay.core.config import Settings
from assay.core.database import Database


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if re.search("_(API_KEY|BASE_URL)$", name):
            monkeypatch.delenv(name)


@pytest.fixture
def settings(own_database: Database, tmp_path: Path) -> Settings:
    return Settings(
        database_url=own_database.dsn,
        assay_home=tmp_path,
        server_workers=0,
        secret_key="s" * 32,
        _env_file=None,
    )


@pytest.fixture
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    async with installed(settings) as installation:
        yield installation
