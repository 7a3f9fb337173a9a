"""An installation with people who ask and people who answer."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.consults.asking import Asker
from tests.identity.people import Installation, Person, installed

from assay.core.config import Settings
from assay.identity.actor import Role


@pytest.fixture(scope="session")
async def installation(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> AsyncIterator[Installation]:
    """An installation that the tests of this room share."""
    allowed = {"webhook_allowed_networks": ("127.0.0.0/8",)}
    async with installed(settings, database_url=await new_database_dsn(), **allowed) as made:
        yield made


@pytest.fixture(scope="session")
async def admin(installation: Installation) -> Person:
    """An admin who stays one."""
    return await installation.person(Role.admin)


@pytest.fixture
async def asker(installation: Installation) -> Asker:
    """Somebody new who asks, and who may not answer."""
    return Asker(await installation.person(Role.viewer))


@pytest.fixture
async def reviewers(installation: Installation) -> list[Asker]:
    """Three people who answer."""
    return [Asker(await installation.person(Role.reviewer)) for _ in range(3)]
