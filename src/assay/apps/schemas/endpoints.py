"""Output schemas of an app over HTTP."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, status

from assay.apps import versioned
from assay.apps.access import AppReader, AppWriter
from assay.apps.schemas.models import AppSchema
from assay.apps.schemas.schemas import AppSchemaCreate, AppSchemaRead, AppSchemaUpdate
from assay.apps.schemas.service import SCHEMAS, AppSchemaNotFound
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
    return await versioned.list_versions(
        session, actor, page, SCHEMAS, app_id, prompt_type=prompt_type
    )


@router.post("", status_code=status.HTTP_201_CREATED, response_model=AppSchemaRead)
async def create_schema(session: Session, actor: AppWriter, new: AppSchemaCreate) -> AppSchema:
    """Store a schema as the next version of its app and type."""
    return await versioned.create_version(session, actor, SCHEMAS, new)


@router.post("/ensure-defaults", response_model=list[AppSchemaRead])
async def ensure_defaults(
    session: Session, actor: AppWriter, app_id: AppQuery
) -> Sequence[AppSchema]:
    """Make the app's default schemas where they are missing, and read the newest of each type."""
    return await versioned.ensure_defaults(session, actor, SCHEMAS, app_id)


@router.get("/{app_schema_id}", response_model=AppSchemaRead, responses=problems(AppSchemaNotFound))
async def get_schema(session: Session, actor: AppReader, app_schema_id: NumberPath) -> AppSchema:
    """Read a schema."""
    return await versioned.get_version(session, actor, SCHEMAS, app_schema_id)


@router.put("/{app_schema_id}", response_model=AppSchemaRead, responses=problems(AppSchemaNotFound))
async def update_schema(
    session: Session, actor: AppWriter, app_schema_id: NumberPath, changes: AppSchemaUpdate
) -> AppSchema:
    """Change a schema: only the fields that are sent. Its version stays."""
    return await versioned.update_version(session, actor, SCHEMAS, app_schema_id, changes)


@router.delete("/{app_schema_id}", responses=problems(AppSchemaNotFound, DefaultStays))
async def delete_schema(session: Session, actor: AppWriter, app_schema_id: NumberPath) -> Deleted:
    """Delete a schema that is not a default."""
    await versioned.delete_version(session, actor, SCHEMAS, app_schema_id)
    return Deleted(id=app_schema_id)
