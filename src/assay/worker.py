"""The worker put together: the job engine with the handlers of all rooms and the model gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from assay.agents.sandboxes.clearing import keep_sandboxes
from assay.agents.sandboxes.opening import open_sandboxes
from assay.agents.tasks.tasks import warmed_up
from assay.agents.tasks.workshop import Workshop
from assay.consults.requests.clock import keep_time
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.memory import keep_what_is_there
from assay.gateway.cache import ResponseCache
from assay.gateway.credentials.store import CredentialStore
from assay.gateway.leases import SharedLimits
from assay.gateway.service import Gateway
from assay.housekeeping import keep_house
from assay.jobs.worker import JobWorker
from assay.wiring import job_handlers, workshop_of


@asynccontextmanager
async def open_gateway(
    settings: Settings, database: Database, credentials: CredentialStore | None = None
) -> AsyncIterator[Gateway]:
    """The model gateway of this process, its limits shared with all others on `database`.

    Without `credentials` that are kept up to date, what is stored now is what counts.
    """
    credentials = credentials or CredentialStore(settings, database)
    await credentials.load()
    async with (
        SharedLimits(database) as limits,
        Gateway(
            settings, limits, credentials=credentials, cache=ResponseCache(database)
        ) as gateway,
    ):
        yield gateway


@asynccontextmanager
async def open_workshop(
    settings: Settings, database: Database, gateway: Gateway
) -> AsyncIterator[Workshop]:
    """What this process has for tasks of agents; what cannot be used says so when it is used."""
    async with open_sandboxes(settings, database) as sandboxes:
        yield workshop_of(settings, gateway, sandboxes)


@asynccontextmanager
async def run_worker(
    settings: Settings, database: Database, workshop: Workshop
) -> AsyncIterator[asyncio.Task[None]]:
    """Work on jobs in the background until the context ends, then hand back what is left."""
    worker = JobWorker(
        database,
        job_handlers(settings, workshop),
        slots=settings.worker_jobs,
        shutdown_seconds=settings.shutdown_seconds,
    )
    keep_what_is_there()
    task = asyncio.create_task(worker.run())
    async with (
        keep_house(settings, database),
        keep_time(database),
        warmed_up(database),
        keep_sandboxes(workshop.sandboxes, database),
        workshop.mirrors.kept_tidy(),
    ):
        try:
            yield task
        finally:
            worker.stop()
            await task
