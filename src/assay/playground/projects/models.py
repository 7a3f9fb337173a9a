"""Tables of projects and use cases."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, query_expression

from assay.core.database import Base, CreatedAt, Id, Name, UpdatedAt, one_of
from assay.identity.actor import Role
from assay.identity.users.models import User


class Project(Base):
    """The outermost folder: one product or team."""

    __tablename__ = "projects"
    __table_args__ = {"schema": "playground"}  # noqa: RUF012  # SQLAlchemy reads it as it stands

    id: Mapped[Id]
    name: Mapped[Name]
    description: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    # What is inside; filled where a query asks for it.
    counts: Mapped[Any] = query_expression(expire_on_flush=False)


class ProjectMember(Base):
    """Somebody a project is shared with, and what they may do in it."""

    __tablename__ = "project_members"
    __table_args__ = {"schema": "playground"}  # noqa: RUF012  # SQLAlchemy reads it as it stands

    project_id: Mapped[UUID] = mapped_column(
        ForeignKey(Project.id, ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[UUID] = mapped_column(
        ForeignKey(User.id, ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[Role] = mapped_column(one_of(Role, 20))
    added_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class UseCase(Base):
    """One thing a model is used for in a project: its prompts and its datasets."""

    __tablename__ = "use_cases"
    __table_args__ = {"schema": "playground"}  # noqa: RUF012  # SQLAlchemy reads it as it stands

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(ForeignKey(Project.id, ondelete="CASCADE"), index=True)
    name: Mapped[Name]
    description: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    # What is inside; filled where a query asks for it.
    counts: Mapped[Any] = query_expression(expire_on_flush=False)
