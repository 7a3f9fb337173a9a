"""The events of one task, live and from its beginning (server-sent events)."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import select

from assay.agents.tasks.events.models import TaskEvent
from assay.agents.tasks.events.service import read_events
from assay.agents.tasks.models import Task
from assay.core.database import Database
from assay.core.server_sent import HEARTBEAT, HEARTBEAT_SECONDS, ServerSentEvents, Tell
from assay.core.waiters import Waiters

AT_ONCE = 500

Seen = Callable[[], Awaitable[bool]]


class TaskEvents(ServerSentEvents):
    """The events of a task behind a sequence, until the task has ended.

    Each block has the sequence as its id, so that a reader who comes back goes on without a gap.
    Behind the last event of a task that has ended comes `event: end`.
    """

    def __init__(
        self,
        database: Database,
        waiters: Waiters,
        seen: Seen,
        task_id: UUID,
        after: int,
        *,
        follow: bool,
    ) -> None:
        """Begin behind `after`; without `follow`, end with what is there now.

        `seen` says whether the reader may go on; with the first no, the stream ends.
        """
        super().__init__()
        self._database = database
        self._seen = seen
        self._waiters = waiters
        self._task_id = task_id
        self._after = after
        self._follow = follow

    async def tell_all(self, tell: Tell) -> None:
        """Tell what is there, then what comes."""
        await tell(b"\n")
        while True:
            with self._waiters.expect(self._task_id) as woken:
                if not await self._seen():
                    return
                events, ended = await self._read()
                if events:
                    await tell(b"".join(map(_block, events)))
                    self._after = events[-1].sequence
                if len(events) == AT_ONCE:
                    continue
                if ended:
                    await tell(b"event: end\ndata: {}\n\n")
                if ended or not self._follow or self._waiters.closed:
                    return
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await woken.wait()
                        continue
            await tell(HEARTBEAT)

    async def _read(self) -> tuple[Sequence[TaskEvent], bool]:
        """What is new, and whether nothing will come any more."""
        async with self._database.reading() as session:
            # The status before the events: its own event is written together with it.
            query = select(Task.completed_at).where(Task.id == self._task_id)
            found = (await session.execute(query)).one_or_none()
            events = await read_events(session, self._task_id, after=self._after, limit=AT_ONCE)
        return events, found is None or found.completed_at is not None


def _block(event: TaskEvent) -> bytes:
    told: dict[str, Any] = {
        "sequence": event.sequence,
        "kind": event.kind,
        "payload": event.payload,
        "created_at": event.created_at,
    }
    return b"id: %d\ndata: %b\n\n" % (event.sequence, orjson.dumps(told))
