"""Installations where people sign in: one that tests share, and fresh ones."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.identity.people import Installation, Person, installed

from assay.core.config import Settings
from assay.core.database import Database
from assay.identity.actor import Role


@pytest.fixture(scope="session")
async def installation(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> AsyncIterator[Installation]:
    """An installation that many tests use, each with people of its own."""
    async with installed(settings, database_url=await new_database_dsn()) as installation:
        yield installation


@pytest.fixture(scope="session")
async def twin(settings: Settings, installation: Installation) -> AsyncIterator[Installation]:
    """A second server on the database of `installation`."""
    async with installed(settings, database_url=installation.database.dsn) as twin:
        yield twin


@pytest.fixture(scope="session")
async def admin(installation: Installation) -> Person:
    """An admin of `installation`, who stays one."""
    return await installation.person(Role.admin)


@pytest.fixture
async def fresh(settings: Settings, own_database: Database) -> AsyncIterator[Installation]:
    """An installation for one test alone, without users."""
    async with installed(settings, database_url=own_database.dsn) as fresh:
        yield fresh
