"""Webhooks on loopback: settings that open it, a worker, and deliveries to look at."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from assay.consults.webhooks.deliveries.announcing import Announcement, Callback, announce
from assay.consults.webhooks.deliveries.models import DeliveryStatus, WebhookDelivery
from assay.consults.webhooks.deliveries.tasks import webhook_handlers
from assay.consults.webhooks.models import EventType, WebhookEndpoint
from assay.consults.webhooks.signing import new_secret
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.ids import new_id
from assay.core.secrets import load_secret_key
from assay.identity.actor import LOCAL_USER
from assay.jobs.worker import JobWorker


class Webhooks:
    """An installation's webhooks, seen through its database."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.key = load_secret_key(settings)

    async def announce(
        self,
        *,
        url: str | None = None,
        secret: str | None = None,
        owner_id: str = LOCAL_USER,
        event_type: EventType = EventType.answered,
        data: Any = None,
    ) -> UUID:
        """Tell of something that happened to a request; gives the request's id."""
        request_id = new_id()
        callback = None
        if url is not None:
            callback = Callback(url, self.key.seal(secret or new_secret()))
        async with self.database.session() as session:
            await announce(
                session,
                Announcement(
                    event_type,
                    data or {"id": str(request_id)},
                    owner_id,
                    request_id,
                    callback,
                ),
            )
        return request_id

    async def endpoint(self, url: str, secret: str | None = None, **fields: Any) -> WebhookEndpoint:
        """An endpoint, straight in the database."""
        sealed = self.key.seal(secret or new_secret())
        endpoint = WebhookEndpoint(**{"user_id": LOCAL_USER, "url": url, "secret": sealed} | fields)
        async with self.database.session() as session:
            session.add(endpoint)
        return endpoint

    async def reload(self, endpoint: WebhookEndpoint) -> WebhookEndpoint:
        """An endpoint as it is now."""
        async with self.database.session() as session:
            return await session.get_one(WebhookEndpoint, endpoint.id)

    async def deliveries(self, request_id: UUID | None = None) -> list[WebhookDelivery]:
        """The deliveries of a request, or all, in the order in which they were written."""
        query = select(WebhookDelivery).order_by(WebhookDelivery.id)
        if request_id is not None:
            query = query.where(WebhookDelivery.request_id == request_id)
        async with self.database.session() as session:
            return list(await session.scalars(query))

    async def delivery(self, request_id: UUID) -> WebhookDelivery:
        """The only delivery of a request."""
        [delivery] = await self.deliveries(request_id)
        return delivery

    async def attempted(self, request_id: UUID, attempts: int = 1) -> WebhookDelivery:
        """The only delivery of a request, once so many attempts of it have ended."""
        return await self.when(request_id, lambda delivery: delivery.attempts >= attempts)

    async def ended(self, request_id: UUID) -> WebhookDelivery:
        """The only delivery of a request, once nothing more comes of it."""
        pending = DeliveryStatus.pending
        return await self.when(request_id, lambda delivery: delivery.status is not pending)

    async def when(
        self, request_id: UUID, holds: Callable[[WebhookDelivery], bool]
    ) -> WebhookDelivery:
        """The only delivery of a request, once something holds for it."""
        async with asyncio.timeout(20):
            while not holds(delivery := await self.delivery(request_id)):
                await asyncio.sleep(0.02)
        return delivery

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """A worker that makes the attempts."""
        handlers = webhook_handlers(self.settings)
        worker = JobWorker(self.database, handlers, slots=64, shutdown_seconds=2)
        task = asyncio.create_task(worker.run())
        try:
            yield
        finally:
            worker.stop()
            await task


@pytest.fixture
def on_loopback(settings: Settings) -> Settings:
    """Settings with which webhooks may go to this machine."""
    return settings.model_copy(update={"webhook_allowed_networks": ("127.0.0.0/8",)})


@pytest.fixture
def webhooks(on_loopback: Settings, own_database: Database) -> Webhooks:
    """Webhooks on a database of their own."""
    return Webhooks(on_loopback, own_database)
