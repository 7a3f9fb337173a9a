"""An agent, a task and a sandbox for the walks over all routes."""

from datetime import UTC, datetime, timedelta

from assay.agents.agents.models import Agent
from assay.agents.sandboxes.models import Sandbox, SandboxStatus
from assay.agents.tasks.models import Task
from assay.core.database import Database
from assay.core.ids import new_id


async def make_agents_world(database: Database, user_id: str) -> dict[str, str]:
    """What this user has of each; gives ids by the names they have in paths."""
    async with database.session() as session:
        agent = Agent(name="Coder", role="coder", created_by=user_id)
        session.add(agent)
        await session.flush()
        task = Task(title="Mend it", assigned_agent_id=agent.id, created_by=user_id)
        session.add(task)
        await session.flush()
        sandbox = Sandbox(
            id=str(new_id()),
            agent_id=agent.id,
            task_id=task.id,
            provider="local",
            status=SandboxStatus.creating,
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
        session.add(sandbox)
    return {"agent_id": str(agent.id), "task_id": str(task.id), "sandbox_id": sandbox.id}
