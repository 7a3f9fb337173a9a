"""Listings as front ends make them."""

from typing import Any

import httpx2
import pytest
from tests.identity.people import installed

from assay.core.config import Settings
from assay.core.database import Database

URL = "/api/listings"


async def make(client: httpx2.AsyncClient, **fields: Any) -> Any:
    answer = await client.post(URL, json={"app_id": "voice-rx", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
async def own(settings: Settings, own_database: Database) -> Any:
    """A server on a database of its own."""
    async with installed(settings, database_url=own_database.dsn) as place:
        yield place
