"""Wire shapes of evaluation runs and what they found."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from assay.apps.evaluations.models import EvaluationStatus
from assay.core.schemas import Count, Output

RUN_ID = "01kb0c5x2m4q8v7n3t9d"
VERDICTS = {"PASS": 37, "SOFT FAIL": 3, "CRITICAL": 1}


class EvaluationRunRead(Output):
    """An evaluation run."""

    id: str = Field(examples=[RUN_ID])
    job_id: UUID | None
    command: str = Field(examples=["evaluate-threads"])
    llm_provider: str | None = Field(examples=["openai"])
    llm_model: str | None = Field(examples=["gpt-5-mini"])
    eval_temperature: float
    data_path: str | None
    data_file_hash: str | None
    flags: dict[str, Any]
    duration_seconds: float
    status: EvaluationStatus
    error_message: str | None
    summary: dict[str, Any] | None
    total_items: int
    created_at: datetime
    user_id: str


class ThreadEvaluationRead(Output):
    """How one conversation was judged in one run."""

    id: int
    run_id: str = Field(examples=[RUN_ID])
    thread_id: str
    data_file_hash: str | None
    intent_accuracy: float | None = Field(
        ge=0, le=1, description="The share of user turns whose intent the bot met"
    )
    worst_correctness: str | None = Field(examples=["SOFT FAIL"])
    efficiency_verdict: str | None = Field(examples=["ACCEPTABLE"])
    success_status: bool
    result: dict[str, Any]
    created_at: datetime


class AdversarialEvaluationRead(Output):
    """How a bot did against one user who tried to break it."""

    id: int
    run_id: str = Field(examples=[RUN_ID])
    category: str | None = Field(examples=["prompt injection"])
    difficulty: str | None = Field(examples=["hard"])
    verdict: str | None = Field(examples=["PASS"])
    goal_achieved: bool
    total_turns: int
    result: dict[str, Any] = Field(description="With the transcript")
    created_at: datetime


class ApiLogRead(Output):
    """One call of a model."""

    id: int
    run_id: str | None = Field(examples=[RUN_ID])
    thread_id: str | None
    provider: str = Field(examples=["openai"])
    model: str = Field(examples=["gpt-5-mini"])
    method: str
    prompt: str
    system_prompt: str | None
    response: str | None
    error: str | None
    duration_ms: float | None
    tokens_in: int | None
    tokens_out: int | None
    created_at: datetime


class Findings(BaseModel):
    """What evaluations found, counted; shares and means are null where there is nothing."""

    total_threads: Count = Field(description="Conversations judged; again in each run")
    avg_intent_accuracy: float | None
    success_rate: float | None = Field(description="The share of conversations that succeeded")
    correctness_distribution: dict[str, Count] = Field(examples=[VERDICTS])
    efficiency_distribution: dict[str, Count] = Field(examples=[{"EFFICIENT": 30, "BROKEN": 2}])
    total_adversarial: Count
    adversarial_distribution: dict[str, Count] = Field(examples=[VERDICTS])
    goal_achieved_rate: float | None = Field(
        description="The share of adversarial conversations whose goal was reached"
    )


class EvaluationSummary(Findings):
    """All of your evaluation runs in numbers."""

    total_runs: Count
    runs_by_status: dict[EvaluationStatus, Count] = Field(examples=[{"completed": 12}])
    runs_by_command: dict[str, Count] = Field(examples=[{"evaluate-threads": 12}])
    last_run_at: datetime | None


class EvaluationDay(Findings):
    """The evaluation runs of one day in numbers."""

    day: date = Field(description="A day of UTC", examples=["2026-11-26"])
    total_runs: Count
