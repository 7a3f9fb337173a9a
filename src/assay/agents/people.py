"""Whom tasks ask: people, through whatever room they are asked in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from assay.identity.actor import Actor
from assay.jobs.service import NewJob


@dataclass(frozen=True, slots=True)
class TaskQuestion:
    """Something that a task asks.

    Attributes:
        title: the question in a line.
        description: more of it, Markdown.
        approval: whether it is about a yes or no; otherwise a text is wanted, or an option.
        options: to choose from.
        context: what people see beside it, JSON by name.
        metadata: which task and call it is about; not for people.
        agent_id: who asks.
        project_id: who sees it sees the question.
        edits: the JSON Schema of what people may change while they allow it.
        subject_hash: of what exactly is to be approved.
        wakes: the job to be enqueued with the decision. Its parameters get `request_id`,
            `status` (answered, expired or cancelled), `response` (the text or option, or
            `{"approved": bool, "edits": {}}`), `decided_by`, and `answers`
            (`[{"by", "value", "comment"}]`).
    """

    title: str
    description: str | None
    approval: bool
    context: Mapping[str, Any]
    metadata: Mapping[str, Any]
    agent_id: UUID
    project_id: UUID | None
    wakes: NewJob
    options: Sequence[str] = field(default_factory=tuple)
    edits: Mapping[str, Any] | None = None
    subject_hash: str | None = None


class People(Protocol):
    """Asks people, and takes questions back."""

    async def ask(self, session: AsyncSession, actor: Actor, question: TaskQuestion) -> UUID:
        """Write a request in this transaction; gives its id."""
        ...

    async def withdraw(
        self, session: AsyncSession, actor: Actor, request_ids: Sequence[UUID], reason: str
    ) -> Sequence[UUID]:
        """Take back those of the requests that are not decided yet; gives them."""
        ...
