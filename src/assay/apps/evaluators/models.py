"""The table of evaluators."""

from uuid import UUID

from sqlalchemy import ForeignKey, Index, false, text
from sqlalchemy.orm import Mapped, mapped_column

from assay.apps.columns import AppId, LongText, Str100, Str200, UserId
from assay.core.database import Base, CreatedAt, Id, Json, UpdatedAt


class Evaluator(Base):
    """A judge that somebody defined: what it is asked, and the form of its answer.

    One with a listing belongs to that listing; a global one is offered for all of the app.
    """

    __tablename__ = "evaluators"
    __table_args__ = (
        Index("ix_evaluators_app_id", "app_id", "user_id", "id"),
        Index(
            "ix_evaluators_registry",
            "app_id",
            "user_id",
            "id",
            postgresql_where=text("is_global"),
        ),
        Index("ix_evaluators_listing_id", "listing_id", "id"),
        Index("ix_evaluators_forked_from", "forked_from"),
        {"schema": "apps"},
    )

    id: Mapped[Id]
    app_id: Mapped[AppId]
    listing_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("apps.listings.id", ondelete="SET NULL")
    )
    name: Mapped[Str200]
    prompt: Mapped[LongText]
    model_id: Mapped[Str100 | None]
    output_schema: Mapped[Json] = mapped_column(default=list, server_default=text("'[]'"))
    is_global: Mapped[bool] = mapped_column(default=False, server_default=false())
    show_in_header: Mapped[bool] = mapped_column(default=False, server_default=false())
    forked_from: Mapped[UUID | None] = mapped_column(
        ForeignKey("apps.evaluators.id", ondelete="SET NULL")
    )
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    user_id: Mapped[UserId]
