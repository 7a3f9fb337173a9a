"""The table of users."""

from sqlalchemy import CheckConstraint, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, CreatedAt, Id, Name, Timestamp, UpdatedAt, one_of
from assay.identity.actor import Role


class User(Base):
    """Somebody who can sign in. Switched off and not deleted, so that what they did has a name."""

    __tablename__ = "users"
    __table_args__ = (
        CheckConstraint("email = lower(email)", name="email_in_lower_case"),
        Index("ix_users_role", "role", postgresql_where=text("is_active")),
        {"schema": "identity"},
    )

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(String(320), unique=True)
    name: Mapped[Name]
    role: Mapped[Role] = mapped_column(one_of(Role, 20))
    password_hash: Mapped[str | None] = mapped_column(String(300))
    is_active: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    last_login_at: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
