"""Options of calls that have many; what each means is said with the API's own fields."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict
from uuid import UUID

from assay.core.decoding import Encoding
from assay.playground.datasets.imports.schemas import DelimiterName, FileFormat
from assay.playground.datasets.items.schemas import ItemCreate
from assay.playground.runs.schemas import JudgeEntry, ModelEntry

Json = Mapping[str, Any]
NewItem = ItemCreate | Json
AnyModel = str | ModelEntry | Json
AnyFormat = FileFormat | Literal["csv", "jsonl"]
AnyRole = Literal["reviewer", "editor", "admin"]


class Changes(TypedDict, total=False):
    """What can be changed in most things; what is not said stays as it is."""

    name: str
    description: str | None


class PromptChanges(Changes, total=False):
    """What can be changed in a prompt."""

    tags: Sequence[str]


class DatasetChanges(Changes, total=False):
    """What can be changed in a dataset; None takes it away."""

    input_schema: Json | None
    expected_output_schema: Json | None
    default_assertions: Sequence[Json] | None


class ItemChanges(TypedDict, total=False):
    """What can be changed in an item; None takes it away."""

    input: Json
    expected_output: Any
    assertions: Sequence[Json] | None
    metadata: Json | None


class VersionOptions(TypedDict, total=False):
    """What a version of a prompt can have beside its template."""

    model_defaults: Json
    variables_schema: Json
    commit_message: str


class DatasetOptions(TypedDict, total=False):
    """What a dataset can have beside its name."""

    description: str
    input_schema: Json
    expected_output_schema: Json
    default_assertions: Sequence[Json]


class ImportOptions(TypedDict, total=False):
    """How a file is read; what is not said is found from the file."""

    format: AnyFormat
    delimiter: DelimiterName | Literal["comma", "semicolon", "tab", "pipe"]
    encoding: Encoding
    mapping: Mapping[str, str | None]
    partial: bool


class RunOptions(TypedDict, total=False):
    """What a run can have beside its prompt, dataset and models."""

    assertions: Sequence[Json]
    judge: JudgeEntry | Json
    derived_metrics: Sequence[Json]
    name: str
    concurrency: int
    cache: Literal["on", "off", "refresh"]
    max_cost: float
    repeat: int
    pass_when: Literal["any", "all", "mean"]
    threshold: float


class RunFilters(TypedDict, total=False):
    """Which runs are listed."""

    project_id: UUID | str
    prompt_id: UUID | str
    dataset_id: UUID | str
    status: Literal["pending", "running", "completed", "failed", "canceled"]


class ResultFilters(TypedDict, total=False):
    """Which results of a run are listed, and in which order."""

    model: str
    passed: bool
    error: bool
    failed_assertion: str
    search: str
    item_id: UUID | str
    repetition: int
    sort: Literal["item", "score", "cost", "latency"]
    order: Literal["asc", "desc"]


class RequestOptions(TypedDict, total=False):
    """What a request to people can have beside its title and kind."""

    description: str
    options: Sequence[str | Json]
    response_schema: Json
    edits_schema: Json
    context: Json
    metadata: Json
    priority: Literal["low", "medium", "high", "urgent"]
    project_id: UUID | str
    agent_id: str
    assignees: Sequence[str]
    assignee_role: AnyRole
    quorum: int
    rule: Literal["first", "majority", "unanimous"]
    deadline: datetime
    deadline_in: float
    default_response: Any
    escalate_after: float
    escalate_to: Sequence[str]
    escalate_to_role: AnyRole
    subject_hash: str
    callback_url: str
    callback_secret: str


class RequestFilters(TypedDict, total=False):
    """Which requests to people are listed, and in what order."""

    status: Literal["pending", "answered", "expired", "cancelled"]
    priority: Literal["low", "medium", "high", "urgent"]
    assignee: str
    agent: str
    text: str
    sort: Literal["newest", "urgent"]
