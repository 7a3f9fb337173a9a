"""Endpoints of settings."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query

from assay.apps.access import AppReader, AppWriter
from assay.apps.settings import service
from assay.apps.settings.models import Setting
from assay.apps.settings.schemas import (
    SettingDeleted,
    SettingKey,
    SettingPut,
    SettingRead,
    SettingUpdated,
)
from assay.apps.settings.service import SettingNotFound
from assay.apps.wire import AppName, AppQuery
from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.offsets import OffsetPaging
from assay.core.problems import problems

router = APIRouter(prefix="/settings", tags=["settings"], responses=problems(Invalid))


@router.get("", response_model=list[SettingRead])
async def list_settings(
    session: Session,
    actor: AppReader,
    page: OffsetPaging,
    app_id: AppQuery,
    key: Annotated[SettingKey | None, Query(description="Only what has this key")] = None,
) -> Sequence[Setting]:
    """List your settings for an app, newest first, and behind them those for all apps."""
    return await service.list_settings(session, actor, page, app_id, key)


@router.put("")
async def put_setting(session: Session, actor: AppWriter, setting: SettingPut) -> SettingUpdated:
    """Keep a value under an app and key, in place of the one before."""
    await service.put_setting(session, actor, setting)
    return SettingUpdated()


@router.delete("", responses=problems(SettingNotFound))
async def delete_setting(
    session: Session,
    actor: AppWriter,
    key: Annotated[SettingKey, Query()],
    app_id: Annotated[
        AppName | None, Query(description="Left out: the setting for all apps")
    ] = None,
) -> SettingDeleted:
    """Delete the value under an app and key."""
    await service.delete_setting(session, actor, app_id, key)
    return SettingDeleted(app_id=app_id, key=key)
