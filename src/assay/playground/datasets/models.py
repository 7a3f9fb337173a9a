"""Tables of datasets and their items."""

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
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
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    # What is inside; filled where a query asks for it.
    counts: Mapped[Any] = query_expression(expire_on_flush=False)


class DatasetItem(Base):
    """One test case: the variables, what is expected, and assertions of its own."""

    __tablename__ = "dataset_items"
    # Runs read the items of a dataset in the order of their ids, page by page.
    __table_args__ = (UniqueConstraint("dataset_id", "id"), {"schema": "playground"})

    id: Mapped[Id]
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey(Dataset.id, ondelete="CASCADE"))
    input: Mapped[Json]
    expected_output: Mapped[Json | None]
    assertions: Mapped[Json | None]
    # `metadata` is taken by SQLAlchemy on the class; the column has the contract's name.
    item_metadata: Mapped[Json | None] = mapped_column("metadata")
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
