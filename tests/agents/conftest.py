"""A server that tests of this room share."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.agents.office import Clerk, Office
from tests.identity.people import installed

from assay.core.config import Settings
from assay.identity.actor import Role


@pytest.fixture(scope="module")
async def office(
    settings: Settings,
    new_database_dsn: Callable[[], Awaitable[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Office]:
    """A server without a worker: what is started stays as it began."""
    home = tmp_path_factory.mktemp("office")
    changes = {"database_url": await new_database_dsn(), "assay_home": home}
    async with installed(settings, **changes) as installation:
        admin = await installation.person(Role.admin)
        yield Office(installation, Clerk(admin.client, admin))


@pytest.fixture
async def clerk(office: Office) -> Clerk:
    """Somebody new, an editor."""
    return await office.clerk()
