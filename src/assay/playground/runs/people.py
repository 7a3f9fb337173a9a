"""Whom a run asks about answers: people, through whatever room they are asked in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, cast
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from assay.grading.questions import PersonQuestion
from assay.identity.actor import Actor
from assay.jobs.service import NewJob


@dataclass(frozen=True, slots=True)
class CellQuestion:
    """A question about the answer of one cell.

    Attributes:
        question: what is asked, of whom, and until when.
        context: what people see beside the question, JSON by name.
        metadata: which cell it is about; not for people.
        project_id: who sees it sees the question.
        wakes: the job to be enqueued with the decision. Its parameters get `request_id`,
            `status` (answered, expired or cancelled), `response` (`{"approved": bool}` or None),
            `decided_by` (reviewers, default or None) and `answers`
            (`[{"by": name, "value": {"approved": bool}, "comment": text or None}]`).
    """

    question: PersonQuestion
    context: Mapping[str, Any]
    metadata: Mapping[str, Any]
    project_id: UUID
    wakes: NewJob


class People(Protocol):
    """Asks people, and takes questions back."""

    async def check(
        self, session: AsyncSession, actor: Actor, project_id: UUID, assignees: Sequence[str]
    ) -> None:
        """See to it that those who are named, by email or id, can be asked.

        Raises:
            AssayError: its `errors` name each who cannot.
        """

    async def ask(
        self, session: AsyncSession, actor: Actor, questions: Sequence[CellQuestion]
    ) -> Sequence[UUID]:
        """Write a request for each question, in this transaction, and give their ids in order.

        Raises:
            AssayError: somebody who is named cannot be asked.
        """
        ...

    async def withdraw(
        self, session: AsyncSession, actor: Actor, request_ids: Sequence[UUID], reason: str
    ) -> None:
        """Take back those of the requests that are not decided yet."""


def _people(request: Request) -> People:
    return cast("People", request.app.state.people)


AskedPeople = Annotated[People, Depends(_people)]
