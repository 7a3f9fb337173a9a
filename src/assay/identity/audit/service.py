"""Record who changed what, and read it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import structlog
from sqlalchemy import delete, func, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.database import Base, to_json
from assay.core.pagination import Page
from assay.events.models import Topic
from assay.events.service import publish
from assay.identity.actor import Actor
from assay.identity.audit.models import AuditEntry

LONGEST_VALUE = 1000
# Set by the database with every change, so they say nothing.
_NOT_TOLD = frozenset({"updated_at", "password_hash"})


@dataclass(frozen=True, slots=True)
class Change:
    """Something that somebody did to one thing.

    Attributes:
        topic: whom it interests.
        action: what was done, as `prompt.updated`.
        subject: the id of the thing, or its name where it has none.
        project_id: the project it is in, if it is in one.
        details: what else readers of the audit and of the feed are told; nothing secret.
        owner_id: whose the thing is, where it belongs to one person; they are told of it.
    """

    topic: Topic
    action: str
    subject: UUID | str
    project_id: UUID | None = None
    details: Mapping[str, Any] | None = None
    owner_id: str | None = None


def record(session: AsyncSession, actor: Actor, change: Change) -> None:
    """Write a change to the audit and to the event log, in the transaction of the change."""
    details = dict(change.details or {})
    session.add(
        AuditEntry(
            user_id=actor.user_id,
            key_id=actor.key_id,
            action=change.action,
            subject=str(change.subject),
            project_id=change.project_id,
            details=details or None,
            request_id=structlog.contextvars.get_contextvars().get("request_id"),
        )
    )
    publish(
        session,
        change.topic,
        change.action,
        {
            "id": str(change.subject),
            "project_id": str(change.project_id) if change.project_id else None,
            "by": actor.user_id,
            **details,
        },
        subject=change.subject,
        project_id=change.project_id,
        user_id=change.owner_id,
    )


def changed_fields(row: Base) -> dict[str, Any]:
    """What is about to be written of a row: `{"changes": {field: {"from": ..., "to": ...}}}`.

    Long values are left out. To be called before the flush.
    """
    changes: dict[str, Any] = {}
    for attribute in inspect(row).attrs:
        history = attribute.history
        if not history.has_changes() or attribute.key in _NOT_TOLD:
            continue
        before = history.deleted[0] if history.deleted else None
        after = history.added[0] if history.added else None
        if before != after:
            changes[attribute.key] = {"from": _told(before), "to": _told(after)}
    return {"changes": changes}


def _told(value: object) -> object:
    # The driver has a kind of UUID of its own.
    text = to_json(str(value) if isinstance(value, UUID) else value)
    return orjson.loads(text) if len(text) <= LONGEST_VALUE else f"({len(text)} characters)"


async def list_entries(
    session: AsyncSession,
    page: Page,
    *,
    user_id: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    project_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Sequence[AuditEntry]:
    """A page of the audit, newest first, as far as the filters let through."""
    query = select(AuditEntry)
    if user_id is not None:
        query = query.where(AuditEntry.user_id == user_id)
    if action is not None:
        query = query.where(AuditEntry.action == action)
    if subject is not None:
        query = query.where(AuditEntry.subject == subject)
    if project_id is not None:
        query = query.where(AuditEntry.project_id == project_id)
    if since is not None:
        query = query.where(AuditEntry.created_at >= since)
    if until is not None:
        query = query.where(AuditEntry.created_at < until)
    return await page.fetch(session, query, AuditEntry.id)


async def remove_old(session: AsyncSession, *, days: float, limit: int) -> int:
    """Remove up to `limit` entries older than `days`; gives their number."""
    old = (
        select(AuditEntry.id)
        .where(AuditEntry.created_at < func.clock_timestamp() - timedelta(days=days))
        .order_by(AuditEntry.created_at)
        .limit(limit)
    )
    statement = delete(AuditEntry).where(AuditEntry.id.in_(old)).returning(AuditEntry.id)
    return len((await session.execute(statement)).all())
