"""Tables of consultation requests, the answers of reviewers, and what happened to each request."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ColumnElement,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from assay.core.database import Base, CreatedAt, Id, Json, Timestamp, UpdatedAt, one_of
from assay.core.secrets import Sealed
from assay.identity.actor import Role


class Kind(StrEnum):
    """What is asked for: a yes or no, one of some options, a text, or a form."""

    approve = "approve"
    choose = "choose"
    text = "text"
    form = "form"


class Priority(StrEnum):
    """How much a request matters, from the least to the most."""

    low = "low"
    medium = "medium"
    high = "high"
    urgent = "urgent"


class RequestStatus(StrEnum):
    """Where a request stands; of those but the first it does not move on."""

    pending = "pending"
    answered = "answered"
    expired = "expired"
    cancelled = "cancelled"


class Rule(StrEnum):
    """How answers of several reviewers become one decision."""

    first = "first"
    majority = "majority"
    unanimous = "unanimous"


class DecidedBy(StrEnum):
    """Whose the response of a request is."""

    reviewers = "reviewers"
    default = "default"


class Urgency(TypeDecorator[Priority]):
    """A priority as a number: 0 is urgent, so that ascending order puts what matters first."""

    impl = SmallInteger
    cache_ok = True

    def process_bind_param(self, value: Priority | None, dialect: Dialect) -> int | None:
        """The number of a priority."""
        return None if value is None else _BY_URGENCY.index(Priority(value))

    def process_result_value(self, value: Any, dialect: Dialect) -> Priority | None:
        """The priority of a number."""
        return None if value is None else _BY_URGENCY[value]


_BY_URGENCY = tuple(reversed(Priority))
_PENDING = text("status = 'pending'")
NEVER_DUE: ColumnElement[datetime] = literal_column(
    "'9999-01-01 00:00:00+00'::timestamp with time zone", DateTime(timezone=True)
)
"""What counts as the deadline of a request without one where requests are sorted by it."""
_DUE_BY = text(f"coalesce(deadline, {NEVER_DUE})")


class ConsultationRequest(Base):
    """A question of a program to people, and the decision that came of it.

    `requested_by` is the user who asks, or whose API key does. With neither `assignee_ids` nor
    `assignee_role`, any reviewer who sees it may answer. `wakes` is the job that Assay itself
    wants to have enqueued with the decision: `{"job_type": ..., "params": {...}}`.
    """

    __tablename__ = "consultation_requests"
    __table_args__ = (
        CheckConstraint("quorum BETWEEN 1 AND 100", name="quorum_in_reach"),
        Index(
            "ix_consultation_requests_inbox",
            "status",
            "priority",
            text(f"coalesce(deadline, {NEVER_DUE})"),
            "id",
        ),
        Index("ix_consultation_requests_requested_by_id", "requested_by", "id"),
        Index("ix_consultation_requests_project_id", "project_id"),
        Index(
            "ix_consultation_requests_assignee_ids",
            "assignee_ids",
            postgresql_using="gin",
            postgresql_where=_PENDING,
        ),
        Index("ix_consultation_requests_deadline", "deadline", postgresql_where=_PENDING),
        Index("ix_consultation_requests_escalate_at", "escalate_at", postgresql_where=_PENDING),
        Index(
            "uq_consultation_requests_idempotency_key",
            "requested_by",
            "idempotency_key",
            unique=True,
            postgresql_where=text("idempotency_key IS NOT NULL"),
        ),
        {"schema": "consults"},
    )

    id: Mapped[Id]
    title: Mapped[str] = mapped_column(String(255))
    description: Mapped[str | None] = mapped_column(Text)
    kind: Mapped[Kind] = mapped_column(one_of(Kind, 20))
    options: Mapped[Json | None]
    response_schema: Mapped[Json]
    context: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    # Kept for the asker; reviewers do not see it. A class has an attribute `metadata` already.
    asker_metadata: Mapped[Json] = mapped_column("metadata", server_default=text("'{}'"))
    priority: Mapped[Priority] = mapped_column(Urgency)
    status: Mapped[RequestStatus] = mapped_column(
        one_of(RequestStatus, 20), default=RequestStatus.pending
    )
    requested_by: Mapped[str] = mapped_column(String(100))
    key_id: Mapped[UUID | None]
    project_id: Mapped[UUID | None]
    agent_id: Mapped[str | None] = mapped_column(String(255))
    assignee_ids: Mapped[list[str]] = mapped_column(
        ARRAY(String(100)), default=list, server_default=text("'{}'")
    )
    assignee_role: Mapped[Role | None] = mapped_column(one_of(Role, 20))
    quorum: Mapped[int] = mapped_column(SmallInteger, default=1, server_default=text("1"))
    rule: Mapped[Rule] = mapped_column(one_of(Rule, 20), default=Rule.first)
    deadline: Mapped[Timestamp | None]
    default_response: Mapped[Json | None]
    escalate_at: Mapped[Timestamp | None]
    escalate_to_ids: Mapped[list[str]] = mapped_column(
        ARRAY(String(100)), default=list, server_default=text("'{}'")
    )
    escalate_to_role: Mapped[Role | None] = mapped_column(one_of(Role, 20))
    escalated_at: Mapped[Timestamp | None]
    subject_hash: Mapped[str | None] = mapped_column(String(100))
    callback_url: Mapped[str | None] = mapped_column(String(2000))
    callback_secret: Mapped[bytes | None] = mapped_column(Sealed)
    idempotency_key: Mapped[str | None] = mapped_column(String(255))
    request_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    wakes: Mapped[Json | None]
    response: Mapped[Json | None]
    decided_by: Mapped[DecidedBy | None] = mapped_column(one_of(DecidedBy, 20))
    responded_at: Mapped[Timestamp | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class Response(Base):
    """What one reviewer answered; replaced when they answer again before the decision."""

    __tablename__ = "responses"
    __table_args__ = (UniqueConstraint("request_id", "user_id"), {"schema": "consults"})

    id: Mapped[Id]
    request_id: Mapped[UUID] = mapped_column(ForeignKey(ConsultationRequest.id, ondelete="CASCADE"))
    user_id: Mapped[str] = mapped_column(String(100))
    value: Mapped[Json]
    comment: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[CreatedAt]


class RequestEvent(Base):
    """Something that happened to a request: who did it, when and what; never changed."""

    __tablename__ = "request_events"
    __table_args__ = (
        Index("ix_request_events_request_id_id", "request_id", "id"),
        {"schema": "consults"},
    )

    id: Mapped[Id]
    request_id: Mapped[UUID] = mapped_column(ForeignKey(ConsultationRequest.id, ondelete="CASCADE"))
    type: Mapped[str] = mapped_column(String(50))
    # Of what the clock does, nobody.
    user_id: Mapped[str | None] = mapped_column(String(100))
    details: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    created_at: Mapped[CreatedAt]
