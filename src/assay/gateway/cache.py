"""Answers kept by what was asked, so that an equal request need not be paid for twice."""

from sqlalchemy import Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, CreatedAt, Json


class CachedResponse(Base):
    """A model's answer; `key` is a hash of the model, the parameters and the messages."""

    __tablename__ = "response_cache"
    __table_args__ = (Index("ix_response_cache_created_at", "created_at"), {"schema": "gateway"})

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    model: Mapped[str] = mapped_column(String(255))
    response: Mapped[Json]
    created_at: Mapped[CreatedAt]
