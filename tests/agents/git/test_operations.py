import asyncio
from uuid import UUID

import pytest
from sqlalchemy import delete

from assay.agents.git.errors import BranchMoved
from assay.agents.git.models import GitOperation, OperationStatus, OperationType
from assay.agents.git.operations import fail_unfinished, list_operations, record_operation
from assay.agents.tasks.models import Task
from assay.core.database import Database
from assay.core.pagination import Page


@pytest.fixture
async def task_id(database: Database) -> UUID:
    async with database.session() as session:
        task = Task(title="Fix it", created_by="default")
        session.add(task)
    return task.id


async def rows(database: Database, task_id: UUID) -> list[GitOperation]:
    async with database.reading() as session:
        return list(await list_operations(session, task_id, Page()))


async def test_row_is_there_before_and_tells_the_end(database: Database, task_id: UUID) -> None:
    async with record_operation(database, task_id, None, OperationType.push) as operation:
        (row,) = await rows(database, task_id)
        assert (row.status, row.duration) == (OperationStatus.running, None)
        operation.commit_sha = "1" * 40
    (row,) = await rows(database, task_id)
    assert (row.status, row.commit_sha) == (OperationStatus.completed, "1" * 40)
    assert row.error_message is None
    assert row.duration
    assert row.operation_type is OperationType.push


async def test_failure_is_recorded_and_goes_on(database: Database, task_id: UUID) -> None:
    with pytest.raises(BranchMoved):
        async with record_operation(database, task_id, None, OperationType.push):
            raise BranchMoved("Moved\0.")
    with pytest.raises(KeyError):
        async with record_operation(database, task_id, None, OperationType.commit):
            raise KeyError("secret")
    failed, strange = await rows(database, task_id)
    assert (failed.status, failed.error_message) == (OperationStatus.failed, "Moved.")
    assert strange.error_message == "KeyError: see the log of the worker."


async def test_cancelled(database: Database, task_id: UUID) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with record_operation(database, task_id, None, OperationType.clone):
            begun.set()
            await asyncio.Event().wait()

    working = asyncio.create_task(work())
    await begun.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    (row,) = await rows(database, task_id)
    assert row.status is OperationStatus.failed
    assert "stopped" in (row.error_message or "")


async def test_task_that_is_deleted_meanwhile(database: Database, task_id: UUID) -> None:
    async with (
        record_operation(database, task_id, None, OperationType.clone),
        database.session() as session,
    ):
        await session.execute(delete(Task).where(Task.id == task_id))
    assert await rows(database, task_id) == []


async def test_what_a_killed_worker_left(database: Database, task_id: UUID) -> None:
    async with record_operation(database, task_id, None, OperationType.clone):
        pass
    async with database.session() as session:
        session.add(GitOperation(task_id=task_id, operation_type=OperationType.push))
    async with database.session() as session:
        await fail_unfinished(session, task_id)
    done, left = await rows(database, task_id)
    assert done.status is OperationStatus.completed
    assert left.status is OperationStatus.failed
    assert "worker" in (left.error_message or "")
