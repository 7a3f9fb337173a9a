"""Tables of prompts, their versions, and the labels on versions."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, query_expression

from assay.core.database import Base, CreatedAt, Id, Json, Name, UpdatedAt, one_of
from assay.playground.projects.models import UseCase


class PromptType(StrEnum):
    """Whether a version is one text or a list of chat messages."""

    text = "text"
    chat = "chat"


class Prompt(Base):
    """A prompt: a name for a line of versions."""

    __tablename__ = "prompts"
    __table_args__ = (
        Index("ix_prompts_tags", "tags", postgresql_using="gin"),
        {"schema": "playground"},
    )

    id: Mapped[Id]
    use_case_id: Mapped[UUID] = mapped_column(
        ForeignKey(UseCase.id, ondelete="CASCADE"), index=True
    )
    name: Mapped[Name]
    description: Mapped[str | None]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default=text("'{}'"))
    # The highest number ever given: that of a deleted version is not given again.
    last_version_number: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    # Filled where a query asks for them; `labels` gives the version number of each.
    counts: Mapped[Any] = query_expression(expire_on_flush=False)
    latest_version: Mapped[int | None] = query_expression(expire_on_flush=False)
    labels: Mapped[Any] = query_expression(expire_on_flush=False)


class PromptVersion(Base):
    """A version of a prompt; once made it never changes."""

    __tablename__ = "prompt_versions"
    __table_args__ = (
        UniqueConstraint("prompt_id", "version_number"),
        # What labels refer to, so that a label can only name a version of its own prompt.
        UniqueConstraint("prompt_id", "id"),
        CheckConstraint(
            "(type = 'text') = (template_text IS NOT NULL)"
            " AND (type = 'chat') = (template_messages IS NOT NULL)",
            name="template_fits_type",
        ),
        {"schema": "playground"},
    )

    id: Mapped[Id]
    prompt_id: Mapped[UUID] = mapped_column(ForeignKey(Prompt.id, ondelete="CASCADE"))
    version_number: Mapped[int]
    type: Mapped[PromptType] = mapped_column(one_of(PromptType, 10))
    template_text: Mapped[str | None]
    template_messages: Mapped[Json | None]
    model_defaults: Mapped[Json | None]
    variables_schema: Mapped[Json | None]
    commit_message: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    created_by: Mapped[str | None] = mapped_column(String(255))

    # Filled where a query asks for it.
    labels: Mapped[Any] = query_expression(expire_on_flush=False)


class PromptLabel(Base):
    """A label such as `production`: it names at most one version of a prompt."""

    __tablename__ = "prompt_labels"
    __table_args__ = (
        ForeignKeyConstraint(
            ["prompt_id", "version_id"],
            [PromptVersion.prompt_id, PromptVersion.id],
            ondelete="CASCADE",
        ),
        {"schema": "playground"},
    )

    prompt_id: Mapped[UUID] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(String(100), primary_key=True)
    version_id: Mapped[UUID]
    updated_at: Mapped[UpdatedAt]


class LabelGate(Base):
    """What a version needs before it gets a protected label: a good enough run on a dataset."""

    __tablename__ = "label_gates"
    __table_args__ = (
        CheckConstraint("min_pass_rate BETWEEN 0 AND 1", name="pass_rate_is_a_share"),
        {"schema": "playground"},
    )

    prompt_id: Mapped[UUID] = mapped_column(
        ForeignKey(Prompt.id, ondelete="CASCADE"), primary_key=True
    )
    label: Mapped[str] = mapped_column(String(100), primary_key=True)
    # No cascade: a label must not lose its protection with a dataset.
    dataset_id: Mapped[UUID] = mapped_column(ForeignKey("playground.datasets.id"), index=True)
    min_pass_rate: Mapped[float] = mapped_column(Double)
    updated_by: Mapped[str] = mapped_column(String(255))
    updated_at: Mapped[UpdatedAt]
