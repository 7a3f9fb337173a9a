"""Wire shapes of comparisons."""

from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, Field

from assay.core.schemas import Count, Output
from assay.playground.runs.comparison.verdict import Outcome
from assay.playground.runs.models import RunStatus

Share = tuple[float, float]


class ComparedRun(BaseModel):
    """One of the runs."""

    id: UUID
    name: str | None
    status: RunStatus
    prompt_version_id: UUID
    prompt: str = Field(description="The prompt's name", examples=["Intent of a message"])
    version_number: int = Field(examples=[3])
    dataset_id: UUID
    dataset_version: int = Field(description="The version of the dataset that it is about")
    models: list[str] = Field(examples=[["builtin/keyword-classifier"]])


class Spent(BaseModel):
    """USD over the pairs."""

    total: float | None
    mean: float | None
    items: Count = Field(description="Items whose price is known")


class Latency(BaseModel):
    """Milliseconds over the pairs."""

    total: float | None
    mean: float | None
    median: float | None
    items: Count = Field(description="Items that were asked, and not taken from the cache")


class ComparedSide(BaseModel):
    """What one side came to over the pairs."""

    model: str = Field(examples=["builtin/keyword-classifier"])
    passed: Count
    pass_rate: float | None
    pass_rate_interval: Share | None = Field(description="Wilson interval, 95 %")
    mean_score: float | None
    cost: Spent
    latency_ms: Latency


class PassDifference(BaseModel):
    """The difference of the pass rates, after less before."""

    difference: float
    interval: Share | None = Field(description="95 %, by Newcombe's method for pairs")
    p_value: float = Field(description="Of McNemar's exact test, two-sided")
    p_adjusted: float = Field(description="The same by Holm's method, over all comparisons")


class ScoreDifference(BaseModel):
    """The difference of the mean scores, after less before."""

    difference: float
    interval: Share = Field(description="95 %, by the paired bootstrap (BCa)")
    p_value: float = Field(description="Of the bootstrap test, two-sided")
    p_adjusted: float = Field(description="The same by Holm's method, over all comparisons")


class ChangedItems(BaseModel):
    """Items that came out otherwise."""

    count: Count
    item_ids: list[UUID] = Field(
        description="The first of them; all are in `GET /eval-runs/compare/items`"
    )


class Comparison(BaseModel):
    """A run held against the first one, with one model of each."""

    run_id: UUID
    before: ComparedSide = Field(description="The first run")
    after: ComparedSide = Field(description="This run")
    pairs: Count = Field(description="Items with a result in both, on which all here is reckoned")
    only_before: Count = Field(description="Items that only the first run has")
    only_after: Count = Field(description="Items that only this run has")
    changed: Count = Field(description="Items of both that were changed in between, left out here")
    pass_rate: PassDifference
    score: ScoreDifference | None = Field(description="Null with fewer than two pairs")
    better: ChangedItems
    worse: ChangedItems
    verdict: Outcome
    smallest_difference: float | None = Field(
        description="The least difference of the pass rates that so many items would have shown"
    )
    text: str = Field(
        description="The verdict in words",
        examples=[
            "No difference that these 189 items can show: 9 got better and 12 worse (p = 0.66). "
            "A difference of 5.8 points or more would have shown; a smaller one may be there all "
            "the same."
        ],
    )


class RunComparison(BaseModel):
    """Runs held against the first of them."""

    runs: list[ComparedRun]
    graded_alike: bool = Field(
        description="Whether all runs have the same assertions and rule for passing"
    )
    comparisons: list[Comparison]


class Change(StrEnum):
    """How an item came out in the other run."""

    better = "better"
    worse = "worse"


class ChangedItem(Output):
    """An item that came out otherwise."""

    item_id: UUID
    score_before: float
    score_after: float
