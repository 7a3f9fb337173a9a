"""One connection that listens for PostgreSQL's notifications, kept up for as long as needed."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import asyncpg
import structlog

from assay.core.database import CONNECTION_ERRORS, Database

log = structlog.get_logger(__name__)

# A connection can be dead without either side being told; asking often bounds how long.
CHECK_EVERY = 5.0
CHECK_SECONDS = 5.0
LONGEST_PAUSE = 2.0


class Listener:
    """Calls back when a channel is notified; an async context manager.

    While the connection is away notifications are missed. Then `connected` is false, and once it
    is back every callback is called: something may have happened.
    """

    def __init__(self, database: Database) -> None:
        """Listen on `database`; nothing is opened before the context is entered."""
        self._database = database
        self._callbacks: dict[str, list[Callable[[str], object]]] = defaultdict(list)
        self._task: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()
        self.connected = False

    def on(self, channel: str, callback: Callable[[], object]) -> None:
        """Call `callback` at each notification on `channel`; to be set before entering."""
        self._callbacks[channel].append(lambda _payload: callback())

    def on_payload(self, channel: str, callback: Callable[[str], object]) -> None:
        """As `on`, with what the notification says; empty where something may have been missed."""
        self._callbacks[channel].append(callback)

    async def __aenter__(self) -> Self:
        connection = await self._connect()
        self._task = asyncio.create_task(self._keep(connection))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _connect(self) -> asyncpg.Connection:
        connection = await self._database.connect()
        try:
            self._lost.clear()
            connection.add_termination_listener(lambda _: self._lose())
            for channel in self._callbacks:
                await connection.add_listener(channel, self._notified)
        except BaseException:
            connection.terminate()
            raise
        self.connected = True
        return connection

    async def _keep(self, connection: asyncpg.Connection) -> None:
        try:
            while True:
                await self._until_lost(connection)
                connection.terminate()
                connection = await self._reconnect()
                for channel in self._callbacks:
                    self._call(channel)
        finally:
            self.connected = False
            connection.terminate()

    async def _until_lost(self, connection: asyncpg.Connection) -> None:
        while not self._lost.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lost.wait(), CHECK_EVERY)
                return
            try:
                await connection.execute("SELECT 1", timeout=CHECK_SECONDS)
            except (TimeoutError, asyncpg.PostgresError, *CONNECTION_ERRORS):
                self._lose()

    async def _reconnect(self) -> asyncpg.Connection:
        pause = 0.05
        while True:
            try:
                return await self._connect()
            except (TimeoutError, asyncpg.PostgresError, *CONNECTION_ERRORS) as error:
                if pause >= LONGEST_PAUSE:
                    log.warning("database away, nothing is heard of changes", error=str(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _lose(self) -> None:
        self.connected = False
        self._lost.set()

    def _notified(self, _connection: Any, _pid: int, channel: str, payload: object) -> None:
        self._call(channel, str(payload))

    def _call(self, channel: str, payload: str = "") -> None:
        for callback in self._callbacks[channel]:
            callback(payload)
