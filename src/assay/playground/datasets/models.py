"""Tables of datasets, their items, and what items were before.

A dataset's version goes up by one with every change of its items, so that a run can say which
it saw. An item knows the versions it came with, got its present content in, and went in; what
its content was in between is in its revisions.
"""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, query_expression

from assay.core.database import Base, CreatedAt, Id, Json, Name, UpdatedAt
from assay.playground.projects.models import UseCase


class Dataset(Base):
    """A set of items to test prompts on."""

    __tablename__ = "datasets"
    __table_args__ = {"schema": "playground"}  # noqa: RUF012  # SQLAlchemy reads it as it stands

    id: Mapped[Id]
    use_case_id: Mapped[UUID] = mapped_column(
        ForeignKey(UseCase.id, ondelete="CASCADE"), index=True
    )
    name: Mapped[Name]
    description: Mapped[str | None]
    input_schema: Mapped[Json | None]
    expected_output_schema: Mapped[Json | None]
    default_assertions: Mapped[Json | None]
    version: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    # What is inside; filled where a query asks for it.
    counts: Mapped[Any] = query_expression(expire_on_flush=False)


class DatasetItem(Base):
    """One test case: the variables, what is expected, and assertions of its own.

    A deleted one stays for the runs that saw it, with `deleted_in` set.
    """

    __tablename__ = "dataset_items"
    __table_args__ = (
        # Runs read the items of a dataset in the order of their ids, page by page.
        UniqueConstraint("dataset_id", "id"),
        CheckConstraint("created_in <= changed_in", name="made_before_changed"),
        CheckConstraint("deleted_in > changed_in", name="changed_before_deleted"),
        {"schema": "playground"},
    )

    id: Mapped[Id]
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey(Dataset.id, ondelete="CASCADE"))
    input: Mapped[Json]
    expected_output: Mapped[Json | None]
    assertions: Mapped[Json | None]
    # `metadata` is taken by SQLAlchemy on the class; the column has the contract's name.
    item_metadata: Mapped[Json | None] = mapped_column("metadata")
    created_in: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    changed_in: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    deleted_in: Mapped[int | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class ItemRevision(Base):
    """What an item held from one version of its dataset until before another."""

    __tablename__ = "dataset_item_revisions"
    __table_args__ = {"schema": "playground"}  # noqa: RUF012  # SQLAlchemy reads it as it stands

    item_id: Mapped[UUID] = mapped_column(
        ForeignKey(DatasetItem.id, ondelete="CASCADE"), primary_key=True
    )
    from_version: Mapped[int] = mapped_column(primary_key=True)
    to_version: Mapped[int]
    input: Mapped[Json]
    expected_output: Mapped[Json | None]
    assertions: Mapped[Json | None]
    item_metadata: Mapped[Json | None] = mapped_column("metadata")
