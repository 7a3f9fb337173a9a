"""Rules and queries of output schemas: those of all that is kept in versions."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps import versioned
from assay.apps.defaults import Defaults
from assay.apps.schemas.models import AppSchema
from assay.apps.schemas.schemas import AppSchemaCreate, AppSchemaUpdate
from assay.apps.versioned import Kind
from assay.core.errors import NotFound
from assay.core.offsets import OffsetPage
from assay.identity.actor import Actor


class AppSchemaNotFound(NotFound):
    """There is no schema with this id."""


_SCHEMAS = Kind(AppSchema, "app_schema", AppSchemaNotFound, Defaults.schemas)


async def list_schemas(
    session: AsyncSession,
    actor: Actor,
    page: OffsetPage,
    app_id: str,
    *,
    prompt_type: str | None = None,
) -> Sequence[AppSchema]:
    """A page of the actor's schemas for an app, newest first."""
    return await versioned.list_versions(session, actor, page, _SCHEMAS, app_id, prompt_type)


async def get_schema(session: AsyncSession, actor: Actor, number: int) -> AppSchema:
    """The schema with this id.

    Raises:
        AppSchemaNotFound
    """
    return await versioned.get_version(session, actor, _SCHEMAS, number)


async def create_schema(session: AsyncSession, actor: Actor, new: AppSchemaCreate) -> AppSchema:
    """Store a schema as the next version of its type."""
    return await versioned.create_version(session, actor, _SCHEMAS, new.model_dump())


async def update_schema(
    session: AsyncSession, actor: Actor, number: int, changes: AppSchemaUpdate
) -> AppSchema:
    """Change the fields that were sent.

    Raises:
        AppSchemaNotFound
    """
    fields = changes.model_dump(exclude_unset=True)
    return await versioned.update_version(session, actor, _SCHEMAS, number, fields)


async def delete_schema(session: AsyncSession, actor: Actor, number: int) -> None:
    """Delete a schema that is not a default.

    Raises:
        AppSchemaNotFound, DefaultStays
    """
    await versioned.delete_version(session, actor, _SCHEMAS, number)


async def ensure_defaults(session: AsyncSession, actor: Actor, app_id: str) -> Sequence[AppSchema]:
    """Give the actor the default schemas of an app that they do not have yet; gives them all."""
    return await versioned.ensure_defaults(session, actor, _SCHEMAS, app_id)
