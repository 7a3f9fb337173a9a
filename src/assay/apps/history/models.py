"""The table of what was done in apps."""

from sqlalchemy import BigInteger, Double, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from assay.apps.columns import AppId, Str20, Str50, Str200, UserId
from assay.core.database import Base, Id, Json


class HistoryEntry(Base):
    """Something that was done: what kind, to what, when, and how it went."""

    __tablename__ = "history"
    __table_args__ = (
        Index(None, "timestamp"),
        Index(None, "entity_type", "entity_id", "timestamp"),
        Index(None, "source_type", "source_id", "timestamp"),
        Index(None, "app_id", "source_type", "timestamp"),
        Index(None, "entity_id", "source_type", "source_id", "timestamp"),
        # Everybody reads only their own: by time, and by what does not narrow it down to a few.
        Index(None, "user_id", "timestamp", "id"),
        Index(None, "user_id", "app_id", "timestamp", "id"),
        Index(None, "user_id", "app_id", "source_type", "timestamp", "id"),
        Index(None, "user_id", "app_id", "status", "timestamp", "id"),
        {"schema": "apps"},
    )

    id: Mapped[Id]
    app_id: Mapped[AppId]
    entity_type: Mapped[Str50 | None]
    entity_id: Mapped[Str200 | None]
    source_type: Mapped[Str50]
    source_id: Mapped[Str200 | None]
    status: Mapped[Str20]
    duration_ms: Mapped[float | None] = mapped_column(Double)
    data: Mapped[Json | None]
    triggered_by: Mapped[Str20] = mapped_column(default="manual", server_default=text("'manual'"))
    schema_version: Mapped[Str20 | None]
    user_context: Mapped[Json | None]
    timestamp: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[UserId]
