"""The record of what was done with git for a task."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.agents.git.models import GitOperation, OperationStatus, OperationType
from assay.core.database import Database
from assay.core.errors import AssayError
from assay.core.pagination import Page

_WORKER_LOST = "The worker that was at it has ended; another one has taken the task over."
_CANCELLED = "It was stopped before it had come to its end."


@asynccontextmanager
async def record_operation(
    database: Database, task_id: UUID, sandbox_id: str | None, operation_type: OperationType
) -> AsyncIterator[GitOperation]:
    """Record one step: its row is there before it begins, and says at the end what came of it.

    Set `commit_sha` on what it gives. No transaction is open while the step is done.

    Raises:
        Exception: whatever the step raises, once it is recorded.
    """
    operation = GitOperation(task_id=task_id, sandbox_id=sandbox_id, operation_type=operation_type)
    async with database.session() as session:
        session.add(operation)
    begun = time.perf_counter()
    status, fault = OperationStatus.failed, _CANCELLED
    try:
        yield operation
        status, fault = OperationStatus.completed, ""
    except Exception as error:
        fault = _message(error)
        raise
    finally:
        done = {
            "status": status,
            "error_message": fault or None,
            "commit_sha": operation.commit_sha,
            "duration": time.perf_counter() - begun,
        }
        async with database.session() as session:
            # Nothing, where the task was deleted meanwhile.
            await session.execute(
                update(GitOperation).where(GitOperation.id == operation.id).values(done)
            )


async def fail_unfinished(session: AsyncSession, task_id: UUID) -> None:
    """Say of operations that a killed worker has left that they came to nothing known.

    For who takes the task over; what they were at is done again where it has to be.
    """
    left = GitOperation.task_id == task_id, GitOperation.status == OperationStatus.running
    await session.execute(
        update(GitOperation)
        .where(*left)
        .values(status=OperationStatus.failed, error_message=_WORKER_LOST)
    )


async def last_commit(session: AsyncSession, task_id: UUID) -> str | None:
    """The commit that was last taken out of the sandbox of a task."""
    query = (
        select(GitOperation.commit_sha)
        .where(
            GitOperation.task_id == task_id,
            GitOperation.operation_type == OperationType.commit,
            GitOperation.status == OperationStatus.completed,
        )
        .order_by(GitOperation.id.desc())
        .limit(1)
    )
    return await session.scalar(query)


async def is_cloned(session: AsyncSession, sandbox_id: str) -> bool:
    """Whether the clone in a sandbox was made to its end."""
    query = select(GitOperation.id).where(
        GitOperation.sandbox_id == sandbox_id,
        GitOperation.operation_type == OperationType.clone,
        GitOperation.status == OperationStatus.completed,
    )
    return await session.scalar(query.limit(1)) is not None


async def list_operations(
    session: AsyncSession, task_id: UUID, page: Page
) -> Sequence[GitOperation]:
    """A page of the operations of a task, in the order in which they were done.

    The one who asks must be known to see the task.
    """
    query = select(GitOperation).where(GitOperation.task_id == task_id)
    return await page.fetch(session, query, GitOperation.id, descending=False)


def _message(error: Exception) -> str:
    """What an error of ours says; of others their kind alone, for they may quote anything."""
    if isinstance(error, AssayError):
        return str(error).replace("\0", "")
    return f"{type(error).__name__}: see the log of the worker."
