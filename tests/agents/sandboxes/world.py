"""A task and its agent, and what their rows say."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update

from assay.agents.agents.models import Agent
from assay.agents.sandboxes.models import Sandbox, SandboxStatus
from assay.agents.tasks.models import Task, TaskStatus
from assay.core.database import Database
from assay.events.models import Event


@dataclass(frozen=True)
class Desk:
    """A task and the agent that is at it."""

    database: Database
    agent: Agent
    task: Task

    @classmethod
    async def make(cls, database: Database, provider: str, **of_task: Any) -> "Desk":
        """A task that is running, of somebody called ada."""
        async with database.session() as session:
            agent = Agent(
                name="Coder", role="coder", created_by="ada", provider=provider, max_seconds=100
            )
            session.add(agent)
            await session.flush()
            task = Task(
                **{
                    "title": "Mend it",
                    "status": TaskStatus.running,
                    "assigned_agent_id": agent.id,
                    "repo_url": "https://example.com/repo.git",
                    "git_branch": "assay/mend-it",
                    "created_by": "ada",
                    **of_task,
                }
            )
            session.add(task)
            await session.flush()
            agent.current_task_id = task.id
        return cls(database, agent, task)

    async def rows(self) -> list[Sandbox]:
        """The sandboxes of the task, from the first to the last."""
        query = select(Sandbox).where(Sandbox.task_id == self.task.id).order_by(Sandbox.created_at)
        async with self.database.reading() as session:
            return list(await session.scalars(query))

    async def states(self) -> list[SandboxStatus]:
        return [row.status for row in await self.rows()]

    async def seconds_left(self) -> float:
        """Seconds until the newest sandbox expires."""
        [*_, row] = await self.rows()
        async with self.database.reading() as session:
            now = (await session.execute(select(func.clock_timestamp()))).scalar_one()
        return float((row.expires_at - now).total_seconds())

    async def agents_sandbox(self) -> str | None:
        async with self.database.reading() as session:
            return await session.scalar(select(Agent.sandbox_id).where(Agent.id == self.agent.id))

    async def set_task(self, status: TaskStatus) -> None:
        async with self.database.session() as session:
            await session.execute(update(Task).where(Task.id == self.task.id).values(status=status))

    async def set_rows(self, **values: Any) -> None:
        async with self.database.session() as session:
            changed = update(Sandbox).where(Sandbox.task_id == self.task.id).values(**values)
            await session.execute(changed)

    async def told(self) -> list[str]:
        """The types of the events that ada may see."""
        query = select(Event.type).where(Event.user_id == "ada").order_by(Event.id)
        async with self.database.reading() as session:
            return list(await session.scalars(query))
