"""What goes over the wire about tasks."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from assay.agents.git.branches import check_branch
from assay.agents.git.errors import BranchInvalid
from assay.agents.git.models import OperationStatus, OperationType
from assay.agents.tasks.models import TaskPriority, TaskStatus, TaskStep
from assay.core.schemas import Input, Output, absent
from assay.core.text import Location, Text, located

Title = Annotated[Text, Field(min_length=1, max_length=500)]
Description = Annotated[Text, Field(max_length=100_000)]
RepoUrl = Annotated[
    Text,
    Field(min_length=1, max_length=2000, examples=["https://github.com/example/shop.git"]),
]


def _check_branch(name: str) -> str:
    try:
        return check_branch(name)
    except BranchInvalid as error:
        raise ValueError(str(error)) from None


Branch = Annotated[
    Text, Field(min_length=1, max_length=200, examples=["main"]), AfterValidator(_check_branch)
]
EXAMPLE: JsonDict = {
    "title": "Round prices up",
    "description": "Prices of carts are rounded down. Round them half up, and add a test.",
    "repo_url": "https://github.com/example/shop.git",
}


class TaskCreate(Input):
    """Something to be done in a repository."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    title: Title
    description: Description | None = None
    priority: TaskPriority = TaskPriority.medium
    assigned_agent_id: UUID | None = None
    repo_url: RepoUrl | None = None
    base_branch: Branch | None = Field(
        default=None, description="Where to start from; without it, the default branch"
    )
    project_id: UUID | None = Field(
        default=None, description="Whose people see it; without it, that of its agent, if one's"
    )


class TaskUpdate(Input):
    """The fields of a task that are to change.

    Where it begins (agent, repository, branch) only while it can be started: before that, and
    after it has failed or was cancelled.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [{"priority": "high"}]})

    title: Title = Field(default_factory=absent)
    description: Description | None = None
    priority: TaskPriority = Field(default_factory=absent)
    assigned_agent_id: UUID | None = None
    repo_url: RepoUrl | None = None
    base_branch: Branch | None = None


class TaskStart(Input):
    """Which task to begin: `task_id`, or a new one by its title and repository.

    One that failed or was cancelled begins anew.
    """

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    task_id: UUID | None = None
    title: Title | None = None
    description: Description | None = None
    repo_url: RepoUrl | None = None
    base_branch: Branch | None = None
    priority: TaskPriority = TaskPriority.medium

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if faults := list(self._faults()):
            raise located(*faults)
        return self

    def _faults(self) -> Iterator[tuple[Location, str]]:
        new = self.model_fields_set - {"task_id"}
        if self.task_id is not None and new:
            yield ("task_id",), "Give either the id of a task, or what a new one is"
        if self.task_id is None and self.title is None:
            yield ("title",), "A new task needs a title; one that is there, its task_id"
        if self.task_id is None and self.repo_url is None:
            yield ("repo_url",), "A new task needs the repository that it is about"


class TaskMessageCreate(Input):
    """Something to tell the agent while it works."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Leave the API as it is."}]})

    text: Annotated[Text, Field(min_length=1, max_length=20_000)]


class TaskRead(Output):
    """A task."""

    id: UUID
    title: str
    description: str | None
    status: TaskStatus
    priority: TaskPriority
    step: TaskStep
    assigned_agent_id: UUID | None
    git_branch: str | None
    pull_request_url: str | None
    repo_url: str | None
    base_branch: str | None
    base_sha: str | None
    pushed_sha: str | None
    summary: str | None
    plan: list[dict[str, Any]] | None
    error: str | None
    cost: float
    tokens: int
    tokens_in: int
    tokens_out: int
    steps: int
    seconds: float
    project_id: UUID | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


class TaskDiff(Output):
    """What a task has changed so far, as a unified diff."""

    base_sha: str | None
    diff: str
    live: bool = Field(description="Whether it comes from the sandbox, and not from a commit")


class GitOperationRead(Output):
    """One step with git; `duration` in seconds."""

    id: UUID
    sandbox_id: str | None
    operation_type: OperationType
    status: OperationStatus
    commit_sha: str | None
    error_message: str | None
    duration: float | None
    created_at: datetime
