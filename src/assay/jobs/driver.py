"""The engine's connection to PostgreSQL, made to outlive a restart of the server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
import structlog
from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver
from pgqueuer.ports.driver import NotifyCallback

from assay.core.database import CONNECTION_ERRORS

log = structlog.get_logger(__name__)
T = TypeVar("T")

FIRST_PAUSE = 0.125
LONGEST_PAUSE = 2.0


async def until_connected(work: Callable[[], Awaitable[T]]) -> T:
    """Do `work` again for as long as the connection, not the work, is at fault."""
    pause = FIRST_PAUSE
    while True:
        try:
            return await work()
        except CONNECTION_ERRORS as error:
            if isinstance(error, asyncpg.InterfaceError) and "clos" not in str(error):
                raise
            # Every statement of the engine comes by here; only a lasting outage is worth a line.
            if pause == LONGEST_PAUSE:
                log.warning("database away, the job engine waits", error=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


class SteadyDriver(AsyncpgPoolDriver):
    """PgQueuer's pool driver, but a lost connection is waited for instead of raised.

    Without this, the queue manager leaves its loop at the first error and takes no job until
    all running ones have ended.
    """

    def __init__(self, pool: asyncpg.Pool) -> None:
        """Use `pool`, which the caller opens and closes."""
        super().__init__(pool)
        self._listeners: list[tuple[str, NotifyCallback]] = []
        self._relisten: asyncio.Task[None] | None = None

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        """Rows of `query`; sent again after a lost connection."""
        fetch = super().fetch
        return await until_connected(lambda: fetch(query, *args))

    async def execute(self, query: str, *args: object) -> str:
        """Run `query`; sent again after a lost connection."""
        execute = super().execute
        return await until_connected(lambda: execute(query, *args))

    async def notify(self, channel: str, payload: str) -> None:
        """Send a notification; again after a lost connection."""
        notify = super().notify
        await until_connected(lambda: notify(channel, payload))

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        """Listen, and listen again whenever the listening connection has been lost."""
        self._listeners.append((channel, callback))
        await self._listen(channel, callback)

    async def _listen(self, channel: str, callback: NotifyCallback) -> None:
        add_listener = super().add_listener
        await until_connected(lambda: add_listener(channel, callback))
        connection = self._listener_connection
        if connection is not None:
            connection.add_termination_listener(self._lost)

    def _lost(self, _connection: Any) -> None:
        if self._entered > 0 and (self._relisten is None or self._relisten.done()):
            self._relisten = asyncio.create_task(self._listen_again())

    async def _listen_again(self) -> None:
        dead, self._listener_connection = self._listener_connection, None
        if dead is not None:
            await self._pool.release(dead)
        for channel, callback in self._listeners:
            await self._listen(channel, callback)

    async def __aexit__(self, *details: object) -> None:
        """Stop listening."""
        if self._entered == 1 and self._relisten is not None:
            self._relisten.cancel()
        await super().__aexit__(*details)
