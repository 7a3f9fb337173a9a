"""Cells that wait for people."""

from typing import Any
from uuid import UUID

from sqlalchemy import JSON, ForeignKey, Index, SmallInteger, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, CreatedAt, Id, Json
from assay.playground.datasets.models import DatasetItem
from assay.playground.runs.models import EvalRun


class WaitingCell(Base):
    """A cell with an answer that people were asked about; its result is stored once they said.

    `questions` has the key of the question, as hex, by the id of the request to people, and
    `answers` what came of those requests that are decided.
    """

    __tablename__ = "waiting_cells"
    __table_args__ = (
        UniqueConstraint(
            "eval_run_id",
            "dataset_item_id",
            "model_id",
            "repetition",
            name="uq_waiting_cells_cell",
        ),
        Index("ix_waiting_cells_dataset_item_id", "dataset_item_id"),
        {"schema": "playground"},
    )

    id: Mapped[Id]
    eval_run_id: Mapped[UUID] = mapped_column(ForeignKey(EvalRun.id, ondelete="CASCADE"))
    dataset_item_id: Mapped[UUID] = mapped_column(ForeignKey(DatasetItem.id, ondelete="CASCADE"))
    model_id: Mapped[str] = mapped_column(String(255))
    repetition: Mapped[int] = mapped_column(SmallInteger)
    # As text: what judges wrote may hold what jsonb does not take, and nobody looks into it here.
    payload: Mapped[Any] = mapped_column(JSON)
    questions: Mapped[Json]
    answers: Mapped[Json]
    created_at: Mapped[CreatedAt]
