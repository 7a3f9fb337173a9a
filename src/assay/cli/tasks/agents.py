"""Who does a task of the command line: an agent that is named, or the one called `cli`."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from uuid import UUID

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.agents.access import visible
from assay.agents.agents.models import Agent, AgentStatus
from assay.agents.agents.policy import ApprovalPolicy
from assay.agents.agents.schemas import AgentCreate, AgentUpdate
from assay.agents.agents.service import create_agent, get_agent, update_agent
from assay.agents.tasks.models import ACTIVE, Task
from assay.agents.tasks.tools.names import TOOLS
from assay.cli.library import hold_library
from assay.cli.options import checked
from assay.core.errors import Invalid, NotFound
from assay.identity.sight import Sight

NAME, ROLE = "cli", "developer"
STEPS = ("push", "pull_request", "network")
"""What can need leave beside the calls of tools."""

_SETTINGS = ("model", "provider", "approval_policy", "max_steps", "max_seconds", "max_cost")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """How the agent is to work, as far as the command line says; `None` where it does not."""

    model: str | None = None
    provider: str | None = None
    approve: str | None = None
    max_steps: int | None = None
    max_seconds: int | None = None
    max_cost: float | None = None

    @property
    def given(self) -> Sequence[str]:
        """The options that are there, as they are written."""
        names = (each.name for each in fields(self) if getattr(self, each.name) is not None)
        return [f"--{name.replace('_', '-')}" for name in names]

    def settings(self) -> AgentCreate:
        """The agent `cli` with these settings, and the defaults where there are none.

        Raises:
            Invalid: naming the option.
        """
        if self.model is not None and not all(self.model.partition("/")):
            raise Invalid(
                f"--model {self.model} names no provider: it takes provider/model, such as "
                "openai/gpt-6-luna or ollama/qwen3:4b."
            )
        return checked(
            AgentCreate,
            name=NAME,
            role=ROLE,
            model=self.model,
            provider=self.provider,
            approval_policy=_policy(self.approve or ""),
            max_steps=self.max_steps,
            max_seconds=self.max_seconds,
            max_cost=self.max_cost,
        )


def _policy(approve: str) -> ApprovalPolicy:
    names = [name.strip() for name in approve.split(",") if name.strip()]
    unknown = [name for name in names if name not in (*STEPS, *TOOLS)]
    if unknown:
        raise Invalid(
            f"--approve does not know {', '.join(unknown)}: it takes {', '.join(STEPS)}, and the "
            f"names of tools ({', '.join(TOOLS)}), with commas."
        )
    steps = {name: True for name in names if name in STEPS}
    return ApprovalPolicy(**steps, tools=[name for name in names if name in TOOLS])


async def choose_agent(
    session: AsyncSession, sight: Sight, named: str | None, options: AgentOptions
) -> Agent:
    """The agent that is to do a task.

    One that is named works as it is set up. Without a name it is one called `cli` that is at no
    task, made where there is none: it works as the command line says, with the defaults of agents
    for the rest, but keeps its model. So no task changes how another one goes on.

    Raises:
        Invalid: options are given for an agent that is named, several have the name, or no model
            is known.
        NotFound: nobody has the name.
    """
    if named is None:
        return await _cli_agent(session, sight, options)
    if options.given:
        raise Invalid(
            f"{', '.join(options.given)} cannot be given together with --agent: {named} works as "
            "it is set up. Change that with PATCH /api/v1/agents/{id}, or leave out --agent."
        )
    return await _named(session, sight, named)


async def _named(session: AsyncSession, sight: Sight, named: str) -> Agent:
    try:
        return await get_agent(session, sight, UUID(named))
    except ValueError:
        pass
    seen = visible(sight, Agent.project_id, Agent.created_by)
    query = select(Agent).where(seen, Agent.name == named).order_by(Agent.id)
    found = (await session.scalars(query)).all()
    if not found:
        names = await session.scalars(select(Agent.name).where(seen).distinct().limit(20))
        known = ", ".join(sorted(names)) or "none yet"
        raise NotFound(f"There is no agent called {named}. There are: {known}.")
    if len(found) > 1:
        ids = ", ".join(str(agent.id) for agent in found)
        raise Invalid(f"Several agents are called {named}: take one by its id ({ids}).")
    return found[0]


async def _cli_agent(session: AsyncSession, sight: Sight, options: AgentOptions) -> Agent:
    wanted = options.settings()
    await hold_library(session)
    mine = (
        Agent.name == NAME,
        Agent.created_by == sight.actor.user_id,
        Agent.project_id.is_(None),
        Agent.status != AgentStatus.offline,
    )
    if wanted.model is None:
        wanted.model = await session.scalar(
            select(Agent.model)
            .where(*mine, Agent.model.is_not(None))
            .order_by(Agent.updated_at.desc())
            .limit(1)
        )
    if wanted.model is None:
        raise Invalid(
            "No model is given, and none is known from a task before: add --model provider/model, "
            "such as --model openai/gpt-6-luna with OPENAI_API_KEY set, or --model "
            "ollama/qwen3:4b with Ollama on this machine. assay doctor says which providers are "
            "set up."
        )
    busy = exists().where(Task.assigned_agent_id == Agent.id, Task.status.in_(ACTIVE))
    free = await session.scalar(select(Agent).where(*mine, ~busy).order_by(Agent.id).limit(1))
    if free is None:
        return await create_agent(session, sight, wanted)
    settings = wanted.model_dump(mode="json", include=set(_SETTINGS))
    if all(getattr(free, name) == value for name, value in settings.items()):
        return free
    return await update_agent(session, sight, free.id, AgentUpdate(**settings))
