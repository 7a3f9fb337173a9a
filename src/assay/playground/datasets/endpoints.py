"""Endpoints of datasets."""

from collections.abc import Sequence
from uuid import UUID

from fastapi import APIRouter, status

from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.playground.access import Editor, Reader
from assay.playground.datasets import service
from assay.playground.datasets.guarding import DatasetGuardsLabel
from assay.playground.datasets.models import Dataset
from assay.playground.datasets.schemas import DatasetCreate, DatasetRead, DatasetUpdate
from assay.playground.datasets.service import DatasetNotFound
from assay.playground.projects.service import UseCaseNotFound
from assay.playground.runs.people import AskedPeople

router = APIRouter(tags=["datasets"], responses=problems(Invalid))


@router.get(
    "/use-cases/{use_case_id}/datasets",
    response_model=list[DatasetRead],
    responses=problems(UseCaseNotFound),
)
async def list_datasets(
    session: Session, actor: Reader, page: Paging, use_case_id: UUID
) -> Sequence[Dataset]:
    """List the datasets of a use case, newest first."""
    return await service.list_datasets(session, actor, use_case_id, page)


@router.post(
    "/use-cases/{use_case_id}/datasets",
    status_code=status.HTTP_201_CREATED,
    response_model=DatasetRead,
    responses=problems(UseCaseNotFound),
)
async def create_dataset(
    session: Session, actor: Editor, use_case_id: UUID, new: DatasetCreate
) -> Dataset:
    """Make a dataset, as yet without items."""
    return await service.create_dataset(session, actor, use_case_id, new)


@router.get(
    "/datasets/{dataset_id}", response_model=DatasetRead, responses=problems(DatasetNotFound)
)
async def get_dataset(session: Session, actor: Reader, dataset_id: UUID) -> Dataset:
    """Read a dataset."""
    return await service.get_dataset(session, actor, dataset_id)


@router.patch(
    "/datasets/{dataset_id}", response_model=DatasetRead, responses=problems(DatasetNotFound)
)
async def update_dataset(
    session: Session, actor: Editor, dataset_id: UUID, changes: DatasetUpdate
) -> Dataset:
    """Change a dataset: only the fields that are sent."""
    return await service.update_dataset(session, actor, dataset_id, changes)


@router.delete(
    "/datasets/{dataset_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=problems(DatasetNotFound, DatasetGuardsLabel),
)
async def delete_dataset(
    session: Session, actor: Editor, people: AskedPeople, dataset_id: UUID
) -> None:
    """Delete a dataset with its items and the runs on it; those that go on are canceled."""
    await service.delete_dataset(session, actor, people, dataset_id)
