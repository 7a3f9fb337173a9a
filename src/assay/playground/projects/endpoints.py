"""Endpoints of projects and use cases."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, status

from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.playground.access import Editor, Reader
from assay.playground.datasets.guarding import DatasetGuardsLabel
from assay.playground.projects import service
from assay.playground.projects.models import Project, UseCase
from assay.playground.projects.schemas import (
    ProjectCreate,
    ProjectRead,
    ProjectUpdate,
    UseCaseCreate,
    UseCaseRead,
    UseCaseUpdate,
)
from assay.playground.projects.service import ProjectNotFound, UseCaseNotFound
from assay.playground.runs.people import AskedPeople

projects = APIRouter(tags=["projects"], responses=problems(Invalid))
use_cases = APIRouter(tags=["use-cases"], responses=problems(Invalid))


@projects.get("/projects", response_model=list[ProjectRead])
async def list_projects(session: Session, actor: Reader, page: Paging) -> Sequence[Project]:
    """List projects, newest first."""
    return await service.list_projects(session, actor, page)


@projects.post("/projects", status_code=status.HTTP_201_CREATED, response_model=ProjectRead)
async def create_project(session: Session, actor: Editor, new: ProjectCreate) -> Project:
    """Make a project."""
    return await service.create_project(session, actor, new)


@projects.get(
    "/projects/{project_id}", response_model=ProjectRead, responses=problems(ProjectNotFound)
)
async def get_project(session: Session, actor: Reader, project_id: UUID) -> Project:
    """Read a project."""
    return await service.get_project(session, actor, project_id)


@projects.patch(
    "/projects/{project_id}", response_model=ProjectRead, responses=problems(ProjectNotFound)
)
async def update_project(
    session: Session, actor: Editor, project_id: UUID, changes: ProjectUpdate
) -> Project:
    """Change a project: only the fields that are sent."""
    return await service.update_project(session, actor, project_id, changes)


@projects.delete(
    "/projects/{project_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(ProjectNotFound),
)
async def delete_project(
    session: Session, actor: Editor, people: AskedPeople, project_id: UUID
) -> None:
    """Delete a project with everything in it; runs that go on are canceled."""
    await service.delete_project(session, actor, people, project_id)


@use_cases.get(
    "/projects/{project_id}/use-cases",
    response_model=list[UseCaseRead],
    responses=problems(ProjectNotFound),
)
async def list_use_cases(
    session: Session, actor: Reader, page: Paging, project_id: UUID
) -> Sequence[UseCase]:
    """List the use cases of a project, newest first."""
    return await service.list_use_cases(session, actor, project_id, page)


@use_cases.post(
    "/projects/{project_id}/use-cases",
    status_code=status.HTTP_201_CREATED,
    response_model=UseCaseRead,
    responses=problems(ProjectNotFound),
)
async def create_use_case(
    session: Session, actor: Editor, project_id: UUID, new: UseCaseCreate
) -> UseCase:
    """Make a use case in a project."""
    return await service.create_use_case(session, actor, project_id, new)


@use_cases.get(
    "/use-cases/{use_case_id}", response_model=UseCaseRead, responses=problems(UseCaseNotFound)
)
async def get_use_case(session: Session, actor: Reader, use_case_id: UUID) -> UseCase:
    """Read a use case."""
    return await service.get_use_case(session, actor, use_case_id)


@use_cases.patch(
    "/use-cases/{use_case_id}", response_model=UseCaseRead, responses=problems(UseCaseNotFound)
)
async def update_use_case(
    session: Session, actor: Editor, use_case_id: UUID, changes: UseCaseUpdate
) -> UseCase:
    """Change a use case: only the fields that are sent."""
    return await service.update_use_case(session, actor, use_case_id, changes)


@use_cases.delete(
    "/use-cases/{use_case_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(UseCaseNotFound, DatasetGuardsLabel),
)
async def delete_use_case(
    session: Session, actor: Editor, people: AskedPeople, use_case_id: UUID
) -> None:
    """Delete a use case with its prompts, datasets and runs; those that go on are canceled."""
    await service.delete_use_case(session, actor, people, use_case_id)
