"""The sandboxes of a process, as they are set up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from assay.agents.sandboxes.lifecycle import Sandboxes
from assay.agents.sandboxes.naming import label_prefix, place_of
from assay.agents.sandboxes.providers.e2b.opening import e2b_provider
from assay.agents.sandboxes.providers.local.provider import LocalProvider
from assay.core.config import Settings
from assay.core.database import Database


@asynccontextmanager
async def open_sandboxes(settings: Settings, database: Database) -> AsyncIterator[Sandboxes]:
    """All kinds of sandboxes; what cannot be used here says so when it is used."""
    local, e2b = LocalProvider(settings.assay_home), e2b_provider(settings)
    sandboxes = Sandboxes(
        {local.name: local, e2b.name: e2b},
        prefix=await label_prefix(database),
        places={local.name: await place_of(settings.assay_home)},
        paused_seconds=settings.sandbox_paused_hours * 3600.0,
    )
    try:
        yield sandboxes
    finally:
        await sandboxes.close()
