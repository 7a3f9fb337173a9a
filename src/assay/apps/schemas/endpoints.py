"""Output schemas of an app over HTTP."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, status

from assay.apps.access import AppReader, AppWriter
from assay.apps.schemas import service
from assay.apps.schemas.models import AppSchema
from assay.apps.schemas.schemas import AppSchemaCreate, AppSchemaRead, AppSchemaUpdate
from assay.apps.schemas.service import AppSchemaNotFound
from assay.apps.versioned import DefaultStays
from assay.apps.wire import AppQuery, Deleted, NumberPath, Text20, Text50
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.offsets import OffsetPaging
from assay.core.problems import problems

# The front ends ask for prompts and schemas with the same query.
SourceType = Annotated[
    Text20 | None,
    Query(
        alias="source_type",
        description="As for prompts; schemas are for every source, so it narrows nothing",
    ),
]

router = APIRouter(prefix="/schemas", tags=["app-schemas"], responses=problems(Invalid))


@router.get("", response_model=list[AppSchemaRead])
async def list_schemas(
    session: Session,
    actor: AppReader,
    page: OffsetPaging,
    app_id: AppQuery,
    prompt_type: Text50 | None = None,
    _source_type: SourceType = None,
) -> Sequence[AppSchema]:
    """List the output schemas of an app, newest first."""
    return await service.list_schemas(session, actor, page, app_id, prompt_type=prompt_type)


@router.post("", status_code=status.HTTP_201_CREATED, response_model=AppSchemaRead)
async def create_schema(session: Session, actor: AppWriter, new: AppSchemaCreate) -> AppSchema:
    """Store a schema as the next version of its app and type."""
    return await service.create_schema(session, actor, new)


@router.post("/ensure-defaults", response_model=list[AppSchemaRead])
async def ensure_defaults(
    session: Session, actor: AppWriter, app_id: AppQuery
) -> Sequence[AppSchema]:
    """Make the app's default schemas where they are missing, and read the newest of each type."""
    return await service.ensure_defaults(session, actor, app_id)


@router.get("/{app_schema_id}", response_model=AppSchemaRead, responses=problems(AppSchemaNotFound))
async def get_schema(session: Session, actor: AppReader, app_schema_id: NumberPath) -> AppSchema:
    """Read a schema."""
    return await service.get_schema(session, actor, app_schema_id)


@router.put("/{app_schema_id}", response_model=AppSchemaRead, responses=problems(AppSchemaNotFound))
async def update_schema(
    session: Session, actor: AppWriter, app_schema_id: NumberPath, changes: AppSchemaUpdate
) -> AppSchema:
    """Change a schema: only the fields that are sent. Its version stays."""
    return await service.update_schema(session, actor, app_schema_id, changes)


@router.delete("/{app_schema_id}", responses=problems(AppSchemaNotFound, DefaultStays))
async def delete_schema(session: Session, actor: AppWriter, app_schema_id: NumberPath) -> Deleted:
    """Delete a schema that is not a default."""
    await service.delete_schema(session, actor, app_schema_id)
    return Deleted(id=app_schema_id)
