"""The table of comments."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from assay.consults.requests.models import ConsultationRequest
from assay.core.database import Base, CreatedAt, Id


class Comment(Base):
    """What somebody said about a request, for its reviewers and its asker."""

    __tablename__ = "comments"
    __table_args__ = (
        Index("ix_comments_request_id_id", "request_id", "id"),
        {"schema": "consults"},
    )

    id: Mapped[Id]
    request_id: Mapped[UUID] = mapped_column(ForeignKey(ConsultationRequest.id, ondelete="CASCADE"))
    user_id: Mapped[str] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[CreatedAt]
