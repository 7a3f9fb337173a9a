"""The table of who changed what."""

from uuid import UUID

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, CreatedAt, Id, Json


class AuditEntry(Base):
    """One change that somebody made; written in its transaction, and never changed."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_created_at", "created_at"),
        Index("ix_audit_log_user_id_id", "user_id", "id"),
        Index("ix_audit_log_subject_id", "subject", "id"),
        Index("ix_audit_log_project_id_id", "project_id", "id"),
        {"schema": "identity"},
    )

    id: Mapped[Id]
    user_id: Mapped[str] = mapped_column(String(100))
    key_id: Mapped[UUID | None]
    action: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(100))
    project_id: Mapped[UUID | None]
    details: Mapped[Json | None]
    request_id: Mapped[str | None] = mapped_column(String(128))
    created_at: Mapped[CreatedAt]
