"""The least that a read could cost: a FastAPI app with one route, a session and one query.

    BARE_DATABASE_URL=postgresql://... uvicorn --app-dir benchmarks bare_read:app

The engine, the table, the query and the shape of the answer are Assay's. Nobody signs in, there
is no middleware, and the session is what FastAPI's and SQLAlchemy's manuals show.
"""

import os
from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, HTTPException
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import with_expression

from assay.core.database import Database
from assay.playground.datasets.models import Dataset
from assay.playground.projects.models import Project, UseCase
from assay.playground.projects.schemas import ProjectRead
from assay.playground.prompts.models import Prompt
from assay.playground.runs.models import EvalRun

_inside = select(func.count()).where(UseCase.project_id == Project.id).correlate(Project)
_prompts = _inside.join_from(Prompt, UseCase, UseCase.id == Prompt.use_case_id)
_datasets = _inside.join_from(Dataset, UseCase, UseCase.id == Dataset.use_case_id)
_runs = _datasets.join(EvalRun, EvalRun.dataset_id == Dataset.id)
_counts = func.jsonb_build_object(
    *("use_cases", _inside.select_from(UseCase).scalar_subquery()),
    *("prompts", _prompts.scalar_subquery()),
    *("datasets", _datasets.scalar_subquery()),
    *("runs", _runs.scalar_subquery()),
    type_=JSONB,
)
PROJECTS = select(Project).options(with_expression(Project.counts, _counts))

app = FastAPI()
sessions = async_sessionmaker(
    Database(os.environ["BARE_DATABASE_URL"]).engine, expire_on_commit=False
)


async def get_session() -> AsyncIterator[AsyncSession]:
    """The session of a request."""
    async with sessions() as session:
        yield session


@app.get("/projects/{project_id}", response_model=ProjectRead)
async def get_project(
    project_id: UUID, session: Annotated[AsyncSession, Depends(get_session)]
) -> Project:
    """Read a project."""
    project = await session.scalar(PROJECTS.where(Project.id == project_id))
    if project is None:
        raise HTTPException(404)
    return project
