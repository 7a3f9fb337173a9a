"""The table of settings that front ends keep."""

from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from assay.apps.columns import AppId, Number, Str200, UserId
from assay.core.database import Base, UpdatedAt


class Setting(Base):
    """A value under a key, for one app or, without an app, for all of them."""

    __tablename__ = "settings"
    __table_args__ = (
        # Two settings for all apps are two of the same, though null is never equal to null.
        UniqueConstraint("app_id", "key", "user_id", postgresql_nulls_not_distinct=True),
        {"schema": "apps"},
    )

    id: Mapped[Number]
    app_id: Mapped[AppId | None]
    key: Mapped[Str200]
    # Any JSON, also null, which is a value here.
    value: Mapped[Any] = mapped_column(JSONB(none_as_null=False), nullable=False)
    updated_at: Mapped[UpdatedAt]
    user_id: Mapped[UserId]
