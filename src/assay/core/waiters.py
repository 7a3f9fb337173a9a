"""Those in this process who wait for something to happen to a row.

Each that waits is an entry in a table: no thread, no connection to the database. One connection
of the process hears what has happened, by notifications whose payload is the id of the row.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterator
from uuid import UUID

from assay.core.listening import Listener


class Waiters:
    """Tells those who wait in this process of rows to which something has happened."""

    def __init__(self, listener: Listener, channel: str) -> None:
        """Hear of them on a channel of `listener`."""
        self._waiting: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._closed = False
        listener.on_payload(channel, self._heard)

    @contextlib.contextmanager
    def expect(self, row_id: UUID) -> Iterator[asyncio.Event]:
        """An event that is set when something may have happened to the row."""
        key, event = str(row_id), asyncio.Event()
        if self._closed:
            event.set()
        self._waiting[key].add(event)
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return sum(map(len, self._waiting.values()))

    @property
    def closed(self) -> bool:
        """Whether nobody should wait any more, because the server stops."""
        return self._closed

    def close(self) -> None:
        """Let all who wait go with what is known now."""
        self._closed = True
        self._heard("")

    def _heard(self, row_id: str) -> None:
        # Without an id something may have been missed, so all have to look.
        heard = [row_id] if row_id else list(self._waiting)
        for key in heard:
            for event in self._waiting.get(key, ()):
                event.set()
