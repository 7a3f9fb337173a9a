"""The application with routes that a test adds."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import httpx2
import pytest
from fastapi import APIRouter

from assay.app import create_app
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.secrets import load_secret_key
from assay.identity.authentication import Authenticator

Serve = Callable[..., Awaitable[httpx2.AsyncClient]]


@pytest.fixture
async def serve(settings: Settings, database: Database) -> AsyncIterator[Serve]:
    """Gives a client of the application with these routes, and settings and database changed."""
    async with AsyncExitStack() as stack:

        async def client(
            *routers: APIRouter, on: Database = database, **changes: object
        ) -> httpx2.AsyncClient:
            app = create_app(settings.model_copy(update=changes))
            app.state.database = on
            app.state.authenticator = Authenticator(on, load_secret_key(settings), None)
            for router in routers:
                app.include_router(router)
            transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
            return await stack.enter_async_context(
                httpx2.AsyncClient(transport=transport, base_url="http://localhost")
            )

        yield client
