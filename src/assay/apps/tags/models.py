"""The table of tags: the registry of what messages are tagged with."""

from sqlalchemy import CheckConstraint, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from assay.apps.columns import AppId, Number, Str100, UserId
from assay.core.database import Base, CreatedAt


class Tag(Base):
    """A tag of an owner's app, and how often it is used.

    No index has the count in it, so that counting leaves all indexes as they are; an owner has
    few tags.
    """

    __tablename__ = "tags"
    __table_args__ = (
        UniqueConstraint("app_id", "name", "user_id"),
        CheckConstraint("count >= 0", name="not_below_zero"),
        {"schema": "apps"},
    )

    id: Mapped[Number]
    app_id: Mapped[AppId]
    name: Mapped[Str100]
    count: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    last_used: Mapped[CreatedAt]
    user_id: Mapped[UserId]
