"""A server that is really listened to."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.identity.people import Installation, installed

from assay.cli.serving import address, listen, serve
from assay.core.config import Settings
from assay.core.database import Database
from assay.events.feed import EventFeed


@dataclass(frozen=True)
class Server:
    """A server that listens on loopback."""

    url: str
    installation: Installation
    task: "asyncio.Task[None]"

    @property
    def database(self) -> Database:
        return self.installation.database

    @property
    def feed(self) -> EventFeed:
        feed: EventFeed = self.installation.app.state.feed
        return feed


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Server]:
    """A server as `assay up` has one, until a signal."""
    async with installed(settings) as installation:
        listener, ready = listen(settings), asyncio.Event()
        task = asyncio.create_task(serve(installation.app, listener, settings, ready.set))
        await ready.wait()
        try:
            yield Server(address(listener), installation, task)
        finally:
            if not task.done():
                signal.raise_signal(signal.SIGTERM)
            await task
