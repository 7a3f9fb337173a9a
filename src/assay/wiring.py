"""The only place where rooms are bound: to the foundation, and through protocols to each other."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from assay.agents.people import TaskQuestion
from assay.agents.router import router as agents_router
from assay.agents.sandboxes.lifecycle import Sandboxes
from assay.agents.tasks.tasks import task_handlers
from assay.agents.tasks.workshop import Workshop, open_workshop
from assay.apps.router import router as apps_router
from assay.consults.requests.asking import ask, withdraw
from assay.consults.requests.models import Kind, Priority, Rule
from assay.consults.requests.people import ME, find_reviewers
from assay.consults.requests.schemas import Option, RequestCreate
from assay.consults.router import router as consults_router
from assay.consults.webhooks.deliveries.service import remove_old as remove_old_deliveries
from assay.consults.webhooks.deliveries.tasks import webhook_handlers
from assay.core.config import Settings
from assay.core.database import Base, Database
from assay.events.endpoints import Wanted, feed_router
from assay.events.feed import FeedEvent
from assay.events.models import Topic
from assay.events.service import remove_old as remove_old_events
from assay.files.removals import remove_due
from assay.files.storage import Storage
from assay.gateway.cache import CachedResponse
from assay.gateway.cache import remove_old as remove_old_answers
from assay.gateway.credentials.endpoints import router as providers_router
from assay.gateway.leases import Lease
from assay.gateway.service import Gateway
from assay.identity.access import Guard
from assay.identity.actor import Actor, Role, Scope
from assay.identity.audit.endpoints import router as audit_router
from assay.identity.audit.service import remove_old as remove_old_entries
from assay.identity.keys.endpoints import keys_router
from assay.identity.sessions.endpoints import router as auth_router
from assay.identity.sessions.service import remove_ended as remove_ended_sessions
from assay.identity.sight import LastingSight, Sight
from assay.identity.users.endpoints import router as users_router
from assay.jobs.handler import JobHandler
from assay.playground.projects.members.service import shared_projects
from assay.playground.projects.service import authorize_project
from assay.playground.router import router as playground_router
from assay.playground.runs.people import CellQuestion
from assay.playground.runs.tasks import run_handlers

# Importing the rooms above has put all their tables into this one description of the database.
metadata = Base.metadata
assert Lease.metadata is CachedResponse.metadata is metadata

_IMPORT = re.compile(r"/api/v1/datasets/[^/]+/import")
_UPLOAD = re.compile(r"/api/files/upload")
# What stands around a file in a form: boundaries, its name, small fields.
_AROUND_BYTES = 64 * 1024
LONGEST_DESCRIPTION = 50_000

# What an API key has to be for to follow a topic.
_TOPIC_SCOPES = {
    Topic.projects: Scope.playground_read,
    Topic.prompts: Scope.playground_read,
    Topic.datasets: Scope.playground_read,
    Topic.runs: Scope.playground_read,
    Topic.jobs: Scope.playground_read,
    Topic.apps: Scope.apps_read,
    Topic.requests: Scope.consults_read,
    Topic.webhooks: Scope.consults_read,
    Topic.agents: Scope.agents_read,
    Topic.tasks: Scope.agents_read,
    Topic.users: Scope.admin,
}


def v1_routers() -> list[APIRouter]:
    """The routers of all rooms under `/api/v1`."""
    # Whoever is signed in may follow the feed; what they see there is decided for each event.
    guard = Depends(Guard(Role.viewer, None))
    return [
        auth_router,
        users_router,
        keys_router(_require_project),
        audit_router,
        providers_router,
        feed_router(Depends(_reader_maker), [guard]),
        playground_router,
        consults_router,
        agents_router,
    ]


def api_routers() -> list[APIRouter]:
    """The routers under `/api`, whose paths and fields are a contract with front ends."""
    return [apps_router]


def upload_limits(settings: Settings) -> Mapping[re.Pattern[str], int]:
    """Paths that take whole files, which are not held in memory, and how large their bodies are."""
    return {
        _IMPORT: settings.max_import_bytes,
        _UPLOAD: settings.max_upload_bytes + _AROUND_BYTES,
    }


def workshop_of(settings: Settings, gateway: Gateway, sandboxes: Sandboxes) -> Workshop:
    """What a process has for tasks of agents, with the people they ask."""
    return open_workshop(settings, gateway, sandboxes, TaskPeople())


def job_handlers(settings: Settings, workshop: Workshop) -> Mapping[str, JobHandler]:
    """Every type of job that a worker does, with its handler."""
    in_flight = settings.worker_max_in_flight
    return {
        **run_handlers(workshop.gateway, RequestedPeople(), in_flight),
        **webhook_handlers(settings),
        **task_handlers(workshop),
    }


async def remove_old_rows(settings: Settings, session: AsyncSession, limit: int) -> int:
    """Remove up to `limit` rows of each kind that nobody needs any more; gives their number."""
    return (
        await remove_old_events(session, hours=settings.events_hours, limit=limit)
        + await remove_old_entries(session, days=settings.audit_days, limit=limit)
        + await remove_old_answers(session, days=settings.cache_days, limit=limit)
        + await remove_ended_sessions(session, limit=limit)
        + await remove_old_deliveries(session, days=settings.webhook_days, limit=limit)
    )


async def remove_unneeded_bytes(database: Database, storage: Storage) -> int:
    """Remove the bytes of files that are gone, or of uploads that never ended; gives how many."""
    return await remove_due(database, storage)


async def projects_of(session: AsyncSession, actor: Actor) -> Mapping[UUID, Role] | None:
    """The projects that an actor sees, and what they may do there; `None` for all and everything.

    A share never gives more than somebody's own role.
    """
    only = actor.project_id
    if actor.role is Role.admin or actor.own_id is None:
        return None if only is None else {only: actor.role}
    return {
        project_id: role if actor.role.covers(role) else actor.role
        for project_id, role in (await shared_projects(session, actor.own_id)).items()
        if only in (None, project_id)
    }


class RequestedPeople:
    """The people that runs ask: each question is a request for a yes or no."""

    async def check(
        self, session: AsyncSession, actor: Actor, project_id: UUID, assignees: Sequence[str]
    ) -> None:
        """See to it that those who are named can be asked; see `People`."""
        sight = Sight(actor, None, projects_of)
        await find_reviewers(session, sight, assignees, project_id, where="assignees")

    async def ask(
        self, session: AsyncSession, actor: Actor, questions: Sequence[CellQuestion]
    ) -> Sequence[UUID]:
        """Write a request for each question; see `People`."""
        # Whoever started the run saw its project then; an admin sees it without a share.
        sight = Sight(actor, None, projects_of)
        return [
            (await ask(session, sight, _request_of(each), wakes=each.wakes)).id
            for each in questions
        ]

    async def withdraw(
        self, session: AsyncSession, actor: Actor, request_ids: Sequence[UUID], reason: str
    ) -> None:
        """Take back what is not decided yet; see `People`."""
        await withdraw(session, actor, request_ids, reason)


class TaskPeople:
    """The people that tasks of agents ask; see `assay.agents.people.People`."""

    async def ask(self, session: AsyncSession, actor: Actor, question: TaskQuestion) -> UUID:
        """Write a request; of a task that belongs to no project, its maker alone is asked."""
        kind = Kind.approve if question.approval else Kind.text
        if question.options:
            kind = Kind.choose
        new = RequestCreate(
            title=question.title,
            kind=kind,
            description=question.description,
            options=[Option(value=each) for each in question.options] or None,
            edits_schema=None if question.edits is None else dict(question.edits),
            context=dict(question.context),
            metadata=dict(question.metadata),
            project_id=question.project_id,
            agent_id=str(question.agent_id),
            assignees=[] if question.project_id else [ME],
            subject_hash=question.subject_hash,
        )
        sight = Sight(actor, None, projects_of)
        return (await ask(session, sight, new, wakes=question.wakes)).id

    async def withdraw(
        self, session: AsyncSession, actor: Actor, request_ids: Sequence[UUID], reason: str
    ) -> Sequence[UUID]:
        """Take back what is not decided yet; see `People`."""
        return await withdraw(session, actor, request_ids, reason)


def _request_of(asked: CellQuestion) -> RequestCreate:
    question, options = asked.question, asked.question.options
    default = None if options.default is None else {"approved": options.default}
    return RequestCreate(
        title=question.title,
        kind=Kind.approve,
        description=question.text[:LONGEST_DESCRIPTION],
        context=dict(asked.context),
        metadata=dict(asked.metadata),
        priority=Priority(options.priority),
        project_id=asked.project_id,
        assignees=list(options.assignees),
        assignee_role=None if options.role is None else Role(options.role),
        quorum=options.quorum,
        rule=Rule(options.rule),
        deadline_in=options.deadline,
        default_response=default,
    )


async def _require_project(session: AsyncSession, actor: Actor, project_id: UUID) -> None:
    await authorize_project(session, actor, Role.viewer, project_id)


@dataclass(frozen=True, slots=True)
class _ActorSight:
    """What an actor sees of the feed."""

    wanted: Wanted
    topics: frozenset[Topic]
    user_id: str | None
    projects: frozenset[UUID] | None
    reviews: bool

    def sees(self, event: FeedEvent) -> bool:
        if event.topic not in self.topics or not self.wanted.takes(event.topic, event.subject):
            return False
        if event.topic is Topic.apps:
            # What is in that room is its owner's alone, whoever else may see all projects.
            return event.user_id is not None and event.user_id == self.user_id
        if event.topic is Topic.requests and event.project_id is None and self.reviews:
            # The event says no more than that there is something to look at.
            return True
        return (
            self.projects is None
            or event.project_id in self.projects
            or (event.user_id is not None and event.user_id == self.user_id)
        )


class _ActorReader:
    """A reader of the feed who came with a request, and what they may see from then on."""

    def __init__(self, request: Request, wanted: Wanted) -> None:
        self._lasting = LastingSight(request, request.state.actor)
        self._wanted = wanted
        self._has_looked = False

    @property
    def stale(self) -> bool:
        return not self._has_looked or self._lasting.stale

    async def sight(self) -> _ActorSight | None:
        sight = await self._lasting.now()
        if sight is None:
            return None
        self._has_looked = True
        actor = sight.actor
        topics = frozenset(topic for topic, scope in _TOPIC_SCOPES.items() if actor.may_use(scope))
        user_id = actor.user_id if actor.project_id is None else None
        reviews = actor.role.covers(Role.reviewer) and actor.project_id is None
        projects = None if sight.projects is None else frozenset(sight.projects)
        return _ActorSight(self._wanted, topics, user_id, projects, reviews)


def _reader_maker(request: Request) -> Callable[[Wanted], _ActorReader]:
    def make(wanted: Wanted) -> _ActorReader:
        return _ActorReader(request, wanted)

    return make
