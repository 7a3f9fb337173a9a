"""What goes over the wire about requests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self, TypeVar
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, ConfigDict, Field, SecretStr, field_validator, model_validator

from assay.consults.requests.models import (
    DecidedBy,
    Kind,
    Priority,
    RequestStatus,
    Rule,
)
from assay.core.database import to_json
from assay.core.schemas import Input, Moment, Output
from assay.core.text import JsonObject, JsonValue, Location, Text, located
from assay.grading.json_schemas import JsonSchema
from assay.identity.actor import Role

JsonAny = TypeVar("JsonAny")

YEAR = 366 * 24 * 3600
_LONGEST_JSON = 1_000_000

Title = Annotated[Text, Field(min_length=1, max_length=255, examples=["Refund order 1234?"])]
Description = Annotated[Text, Field(max_length=50_000)]
Assignees = Annotated[
    list[Annotated[Text, Field(min_length=1, max_length=320)]],
    Field(max_length=100, description="E-mail addresses or ids of users, or `me`"),
]
ReviewingRole = Annotated[Role, Field(description="Everybody with this role or one that covers it")]
Seconds = Annotated[float, Field(strict=True, gt=0, le=YEAR)]


def _in_bounds(value: JsonAny) -> JsonAny:
    if len(to_json(value)) > _LONGEST_JSON:
        raise located(((), f"Takes up to {_LONGEST_JSON:,} characters of JSON"))
    return value


Answer = Annotated[JsonValue, AfterValidator(_in_bounds), Field(examples=[{"approved": True}])]
Material = Annotated[JsonObject, AfterValidator(_in_bounds)]


class Option(Input):
    """One of the answers to choose from."""

    value: Annotated[Text, Field(min_length=1, max_length=255)]
    label: Annotated[Text, Field(max_length=255)] | None = None
    description: Annotated[Text, Field(max_length=2000)] | None = None


class RequestCreate(Input):
    """A question to people."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Refund order 1234?",
                    "kind": "approve",
                    "context": {"amount": 89.5},
                    "deadline_in": 3600,
                    "default_response": {"approved": False},
                }
            ]
        }
    )

    title: Title
    kind: Kind
    description: Description | None = Field(default=None, description="Markdown")
    options: Annotated[list[Option], Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="Of `choose`: texts, or objects with value and label"
    )
    response_schema: JsonSchema | None = Field(
        default=None, description="Of `form`: what an answer has to conform to (2020-12)"
    )
    edits_schema: JsonSchema | None = Field(
        default=None, description="Of `approve`: what a reviewer may change, as `edits`"
    )
    context: Material = Field(
        default_factory=dict, description="What reviewers need to see: texts, diffs, links"
    )
    metadata: Material = Field(default_factory=dict, description="For you alone, kept with it")
    priority: Priority = Priority.medium
    project_id: UUID | None = Field(default=None, description="Only who sees it sees the request")
    agent_id: Annotated[Text, Field(max_length=255)] | None = None
    assignees: Assignees = Field(default_factory=list)
    assignee_role: ReviewingRole | None = None
    quorum: Annotated[int, Field(strict=True, ge=1, le=100)] = 1
    rule: Rule = Rule.first
    deadline: Moment | None = None
    deadline_in: Seconds | None = Field(default=None, description="Seconds from now to a deadline")
    default_response: Answer | None = Field(
        default=None, description="The answer at the deadline; without it the request expires"
    )
    escalate_after: Seconds | None = None
    escalate_to: Assignees = Field(default_factory=list)
    escalate_to_role: ReviewingRole | None = None
    subject_hash: Annotated[Text, Field(min_length=1, max_length=100)] | None = Field(
        default=None, description="Hash of what exactly is to be approved"
    )
    callback_url: Annotated[Text, Field(max_length=2000)] | None = Field(
        default=None, description="Told of the end by a signed webhook"
    )
    callback_secret: SecretStr | None = Field(
        default=None, description="`whsec_…`, signs the callback; made where it is missing"
    )

    @field_validator("options", mode="before")
    @classmethod
    def _from_texts(cls, options: Any) -> Any:
        if not isinstance(options, list):
            return options
        return [{"value": each} if isinstance(each, str) else each for each in options]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if faults := list(self._faults()):
            raise located(*faults)
        return self

    def _faults(self) -> Iterator[tuple[Location, str]]:
        belongs = {
            "options": Kind.choose,
            "response_schema": Kind.form,
            "edits_schema": Kind.approve,
        }
        for field, kind in belongs.items():
            if getattr(self, field) is not None and self.kind is not kind:
                yield (field,), f"Only for requests of the kind {kind}"
        for field in ("options", "response_schema"):
            if getattr(self, field) is None and self.kind is belongs[field]:
                yield (field,), f"A request of the kind {self.kind} needs it"
        values = [option.value for option in self.options or ()]
        if len(set(values)) < len(values):
            yield ("options",), "Each option needs a value of its own"
        yield from self._faults_of_people()
        yield from self._faults_of_time()
        if self.callback_secret is not None and self.callback_url is None:
            yield ("callback_secret",), "Only with a callback_url"

    def _faults_of_people(self) -> Iterator[tuple[Location, str]]:
        if self.rule is Rule.first and self.quorum > 1:
            yield (
                ("quorum",),
                "With the rule `first` one answer decides: take majority or unanimous",
            )
        named = len(set(self.assignees))
        if named and self.assignee_role is None and named < self.quorum:
            yield ("quorum",), f"There are only {named} assignees to answer"
        for field in ("assignee_role", "escalate_to_role"):
            role = getattr(self, field)
            if role is not None and not role.covers(Role.reviewer):
                yield (field,), "A viewer answers no requests: take reviewer, editor or admin"

    def _faults_of_time(self) -> Iterator[tuple[Location, str]]:
        if self.deadline is not None and self.deadline_in is not None:
            yield ("deadline_in",), "Give either deadline or deadline_in"
        if self.deadline is not None and self.deadline <= datetime.now(UTC):
            yield ("deadline",), "A deadline must not have passed already"
        limited = self.deadline is not None or self.deadline_in is not None
        if self.default_response is not None and not limited:
            yield ("default_response",), "Without a deadline it would never be used"
        target = bool(self.escalate_to) or self.escalate_to_role is not None
        if self.escalate_after is not None and not target:
            yield ("escalate_after",), "Say to whom, with escalate_to or escalate_to_role"


class ResponseCreate(Input):
    """A reviewer's answer."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"value": {"approved": True}, "comment": "Within the limit"}]
        }
    )

    value: Answer = Field(description="Has to conform to the request's response_schema")
    comment: Annotated[Text, Field(max_length=20_000)] | None = None
    subject_hash: Annotated[Text, Field(max_length=100)] | None = Field(
        default=None, description="Of what you have seen; refused where the request is of another"
    )


class Reason(Input):
    """Why something is done."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "No longer needed"}]})

    reason: Annotated[Text, Field(max_length=2000)] | None = None


class Assignment(Input):
    """Who is to answer from now on; nobody named and no role: any reviewer."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"assignees": ["ada@example.com"]}]})

    assignees: Assignees = Field(default_factory=list)
    assignee_role: ReviewingRole | None = None


class Escalation(Reason):
    """Who is to answer as well; by default whom the asker named for that."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"escalate_to_role": "admin", "reason": "Above my limit"}]}
    )

    escalate_to: Assignees = Field(default_factory=list)
    escalate_to_role: ReviewingRole | None = None


class Order(StrEnum):
    """How a list of requests is sorted."""

    newest = "newest"
    urgent = "urgent"


@dataclass(frozen=True, slots=True)
class RequestFilter:
    """Which requests are wanted in a list, and in what order."""

    status: RequestStatus | None = None
    priority: Priority | None = None
    assignee: Annotated[
        Text | None, Query(description="The id of a user; `me` for all that you may answer")
    ] = None
    agent: Text | None = None
    text: Annotated[
        Text | None, Query(min_length=1, max_length=200, description="In title or description")
    ] = None
    sort: Annotated[Order, Query(description="`urgent`: by priority, then by deadline")] = (
        Order.newest
    )


class ResponseRead(Output):
    """What one reviewer answered."""

    user_id: str
    name: str | None
    value: Any
    comment: str | None
    created_at: datetime


class RequestSummary(Output):
    """A request in a list."""

    id: UUID
    title: str
    kind: Kind
    priority: Priority
    status: RequestStatus
    requested_by: str
    agent_id: str | None
    project_id: UUID | None
    assignee_ids: Sequence[str]
    assignee_role: Role | None
    quorum: int
    rule: Rule
    deadline: datetime | None
    escalated_at: datetime | None
    response: Any | None
    decided_by: DecidedBy | None
    responded_at: datetime | None
    created_at: datetime
    updated_at: datetime


class RequestRead(RequestSummary):
    """A request. `metadata` and `callback_url` are shown to its asker alone.

    The answers of others are shown once there is a decision, so that reviewers make up their own
    minds; the asker and admins see them at once.
    """

    description: str | None
    options: list[Option] | None
    response_schema: dict[str, Any]
    context: dict[str, Any]
    metadata: dict[str, Any] | None
    default_response: Any | None
    escalate_at: datetime | None
    escalate_to_ids: Sequence[str]
    escalate_to_role: Role | None
    subject_hash: str | None
    callback_url: str | None
    may_answer: bool = Field(description="Whether you are one of those who may answer")
    responses: list[ResponseRead]


class RequestCreated(RequestRead):
    """A request that was made, with what its asker alone is told."""

    callback_secret: str | None = Field(description="Signs the callback")


class RequestEventRead(Output):
    """Something that happened to a request; of what the clock did, nobody is the one who did."""

    id: UUID
    type: str
    user_id: str | None
    name: str | None
    details: dict[str, Any]
    created_at: datetime
