"""Rules and queries of settings."""

from collections.abc import Sequence

from sqlalchemy import delete, func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps.access import owned
from assay.apps.recording import tell
from assay.apps.settings.models import Setting
from assay.apps.settings.schemas import SettingPut
from assay.core.errors import NotFound
from assay.core.offsets import OffsetPage
from assay.identity.actor import Actor


class SettingNotFound(NotFound):
    """There is no setting with this key for this app."""


async def list_settings(
    session: AsyncSession, actor: Actor, page: OffsetPage, app_id: str, key: str | None
) -> Sequence[Setting]:
    """A page of what holds in an app: its own settings, then those for all apps.

    Each of the two is newest first. Where both have a key, both are there, and the app's own,
    which comes first, is the one that holds.
    """
    query = select(Setting).where(
        owned(actor, Setting.user_id), or_(Setting.app_id == app_id, Setting.app_id.is_(None))
    )
    if key is not None:
        query = query.where(Setting.key == key)
    order = (Setting.app_id.is_(None), Setting.updated_at.desc(), Setting.id.desc())
    return await page.fetch(session, query, *order)


async def put_setting(session: AsyncSession, actor: Actor, setting: SettingPut) -> None:
    """Keep a value under its app and key, in place of the one before."""
    new = insert(Setting).values(
        app_id=setting.app_id, key=setting.key, value=setting.value, user_id=actor.user_id
    )
    statement = new.on_conflict_do_update(
        index_elements=[Setting.app_id, Setting.key, Setting.user_id],
        set_={"value": new.excluded.value, "updated_at": func.clock_timestamp()},
    )
    number = await session.scalar(statement.returning(Setting.id))
    # Not the value, which can be a secret.
    told = {"app_id": setting.app_id, "key": setting.key}
    tell(session, actor, "setting.updated", str(number), **told)


async def delete_setting(session: AsyncSession, actor: Actor, app_id: str | None, key: str) -> None:
    """Delete the value under an app and key; those for all apps have no app.

    Raises:
        SettingNotFound
    """
    statement = delete(Setting).where(
        owned(actor, Setting.user_id),
        Setting.app_id.is_not_distinct_from(app_id),
        Setting.key == key,
    )
    number = await session.scalar(statement.returning(Setting.id))
    if number is None:
        raise SettingNotFound
    tell(session, actor, "setting.deleted", str(number), app_id=app_id, key=key)
