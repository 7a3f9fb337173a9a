"""What cells come to, on its way to the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from assay.grading.questions import Finding, PersonQuestion
from assay.grading.results import Answer
from assay.playground.runs.specification import Cell


class Attempt(Protocol):
    """An attempt at a job, which rows are stored by as long as it has the job."""

    @property
    def job_id(self) -> UUID:
        """The job."""
        ...

    @property
    def attempt(self) -> int:
        """Its number."""
        ...


class Holder(Attempt, Protocol):
    """A job on whose behalf rows are stored."""

    def stored(self, rows: int) -> None:
        """So many more of its rows are in the database."""

    def lost(self) -> None:
        """The job belongs to somebody else now; its rows were not stored."""


@dataclass(slots=True)
class ResultRow:
    """One row of `eval_results`; the JSON columns are JSON text already."""

    holder: Attempt
    id: UUID
    item_id: UUID
    model_id: str
    repetition: int
    request: str | None
    output: str | None
    output_json: str | None
    grading: str | None
    metrics: str
    passed: bool
    score: float
    error: str | None
    latency_ms: float | None
    cost: float | None
    failed_assertions: Sequence[str]


@dataclass(frozen=True, slots=True)
class AnsweredCell:
    """A cell with an answer, and what its row needs beside the grade.

    Attributes:
        cell: the cell.
        answer: what the model answered.
        request: what it was asked, as JSON text.
        output_json: its answer as JSON text, where that was asked for.
        metrics: what the answer took.
        cost: USD that were paid for it now, without judges; None where that is not known.
    """

    cell: Cell
    answer: Answer
    request: str | None
    output_json: str | None
    metrics: Mapping[str, Any]
    cost: float | None


@dataclass(frozen=True, slots=True)
class WaitingRow:
    """A cell with an answer that people have to be asked about.

    Attributes:
        holder: the job that has it.
        answered: the cell.
        questions: what to ask people.
        findings: what its judges found.
        cost: USD that were paid for the answer and its judges.
    """

    holder: Holder
    answered: AnsweredCell
    questions: Sequence[PersonQuestion]
    findings: Mapping[bytes, Finding]
    cost: float | None
