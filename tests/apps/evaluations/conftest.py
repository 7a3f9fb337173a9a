"""Rows as the batch evaluations write them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.apps.calling import FrontEnd
from tests.identity.people import Installation, Person, installed

from assay.apps.evaluations.models import (
    EvaluationRun,
    ThreadEvaluation,
    new_run_id,
)
from assay.core.config import Settings
from assay.core.database import Base, Database
from assay.identity.actor import Role

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


@pytest.fixture(scope="module")
async def installation(
    settings: Settings, new_database_dsn: Callable[[], Awaitable[str]]
) -> AsyncIterator[Installation]:
    async with installed(settings, database_url=await new_database_dsn()) as installation:
        yield installation


@pytest.fixture
def stored(installation: Installation) -> Database:
    return installation.database


@pytest.fixture
async def person(installation: Installation) -> Person:
    """Somebody new, who has no runs."""
    return await installation.person(Role.editor)


@pytest.fixture
def front_end(person: Person) -> FrontEnd:
    return FrontEnd(person.client)


async def store(database: Database, *rows: Base) -> None:
    async with database.session() as session:
        for row in rows:
            session.add(row)
            await session.flush()


def a_run(person: Person, **fields: Any) -> EvaluationRun:
    return EvaluationRun(
        **{"id": new_run_id(), "command": "evaluate-threads", "user_id": str(person.id)} | fields
    )


def a_thread(run: EvaluationRun, **fields: Any) -> ThreadEvaluation:
    return ThreadEvaluation(**{"run_id": run.id, "thread_id": "t", "result": {}} | fields)
