"""Rules and queries of stored credentials."""

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.config import Settings
from assay.core.errors import NotFound
from assay.core.secrets import load_secret_key
from assay.events.models import Topic
from assay.gateway.credentials.models import ProviderCredential
from assay.gateway.credentials.schemas import ProviderPut, ProviderRead, Source
from assay.gateway.providers.catalog import BUILTIN, KNOWN
from assay.identity.actor import Actor
from assay.identity.audit.service import Change, record


class NothingStored(NotFound):
    """Nothing is stored for this provider."""


async def list_providers(
    session: AsyncSession, _actor: Actor, settings: Settings
) -> list[ProviderRead]:
    """The providers that are known, and those that something is stored for, by name."""
    stored = {row.provider: row for row in await session.scalars(select(ProviderCredential))}
    names = sorted({*KNOWN, *stored} - {BUILTIN})
    return [_read(name, settings, stored.get(name)) for name in names]


async def put_provider(
    session: AsyncSession, actor: Actor, settings: Settings, name: str, new: ProviderPut
) -> ProviderRead:
    """Store a provider's key and address, in place of what was stored."""
    key = new.api_key.get_secret_value() if new.api_key else None
    values = {
        "api_key": load_secret_key(settings).seal(key) if key else None,
        "base_url": new.base_url,
        "updated_by": actor.user_id,
    }
    row = insert(ProviderCredential).values(provider=name, **values)
    stored = await session.scalar(
        row.on_conflict_do_update(
            index_elements=[ProviderCredential.provider],
            set_={**values, "updated_at": func.clock_timestamp()},
        )
        .returning(ProviderCredential)
        .execution_options(populate_existing=True)
    )
    _record(session, actor, "provider.stored", name)
    return _read(name, settings, stored)


async def delete_provider(session: AsyncSession, actor: Actor, name: str) -> None:
    """Forget what is stored for a provider.

    Raises:
        NothingStored
    """
    statement = delete(ProviderCredential).where(ProviderCredential.provider == name)
    if await session.scalar(statement.returning(ProviderCredential.provider)) is None:
        raise NothingStored
    _record(session, actor, "provider.forgotten", name)


def _read(name: str, settings: Settings, stored: ProviderCredential | None) -> ProviderRead:
    given, known = settings.provider(name), KNOWN.get(name)
    from_environment = given.api_key is not None or given.base_url is not None
    used = None if from_environment else stored
    key = None
    if given.api_key is not None:
        key = Source.environment
    elif used is not None and used.api_key is not None:
        key = Source.stored
    return ProviderRead(
        provider=name,
        key=key,
        base_url=given.base_url
        or (used.base_url if used else None)
        or (known.base_url if known else None),
        updated_at=stored.updated_at if stored else None,
    )


def _record(session: AsyncSession, actor: Actor, action: str, name: str) -> None:
    record(session, actor, Change(Topic.users, action, name))
