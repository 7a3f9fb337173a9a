"""Tasks as they stand: a list, one of them, and what it has changed."""

import sys
from uuid import UUID

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.agents.agents.models import Agent
from assay.agents.git.operations import list_operations
from assay.agents.tasks import service
from assay.agents.tasks.changes import read_diff
from assay.agents.tasks.models import Task, TaskStatus
from assay.agents.tasks.schemas import GitOperationRead
from assay.cli.console import output
from assay.cli.safe_text import safe
from assay.cli.tasks.ending import print_end
from assay.cli.tasks.json_lines import as_json as task_json
from assay.cli.tasks.json_lines import print_json
from assay.cli.tasks.lines import Lines
from assay.cli.tasks.starting import SIGHT
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.errors import Invalid, NotFound
from assay.core.pagination import MAX_LIMIT, Page
from assay.worker import open_gateway, open_workshop

LAST = "last"


async def find_task(session: AsyncSession, named: str) -> Task:
    """The task with this id, or the newest for `last`.

    Raises:
        Invalid: it is no id.
        NotFound
    """
    if named == LAST:
        newest = await service.list_tasks(session, SIGHT, Page(limit=1))
        if not newest:
            raise NotFound("There are no tasks yet: assay task run does one.")
        return newest[0]
    try:
        task_id = UUID(named)
    except ValueError:
        raise Invalid(
            f"{named} is no id of a task: assay task list has them, and {LAST} is the newest."
        ) from None
    try:
        return await service.get_task(session, SIGHT, task_id)
    except service.TaskNotFound:
        raise NotFound(
            f"There is no task {task_id}: assay task list has those there are."
        ) from None


async def list_tasks(
    database: Database, status: TaskStatus | None, limit: int, *, as_json: bool
) -> int:
    """Print the newest tasks; gives the exit code."""
    async with database.reading() as session:
        tasks = await service.list_tasks(session, SIGHT, Page(limit), status=status)
        agents = {row.id: row.name for row in await session.execute(select(Agent.id, Agent.name))}
    if as_json:
        print_json([task_json(task) for task in tasks])
        return 0
    table = Table("id", "status", "title", "agent", "made", "branch or pull request")
    for task in tasks:
        table.add_row(
            str(task.id),
            str(task.status),
            Text(safe(task.title)),
            Text(safe(agents.get(task.assigned_agent_id, "") if task.assigned_agent_id else "")),
            f"{task.created_at.astimezone():%Y-%m-%d %H:%M}",
            Text(safe(task.pull_request_url or task.git_branch or "")),
        )
    table.columns[0].no_wrap = True
    output().print(table)
    return 0


async def show_task(database: Database, named: str, *, as_json: bool) -> int:
    """Print a task with what was done with git; gives the exit code."""
    async with database.reading() as session:
        task = await find_task(session, named)
        await session.refresh(task, ["diff"])
        agent = await session.get(Agent, task.assigned_agent_id) if task.assigned_agent_id else None
        operations = await list_operations(session, task.id, Page(MAX_LIMIT))
    if as_json:
        rows = [
            GitOperationRead.model_validate(each).model_dump(mode="json") for each in operations
        ]
        print_json({**task_json(task), "git_operations": rows})
        return 0
    console = output()
    lines = Lines(console)
    lines.begin(task, agent)
    if task.description:
        console.print(Text(f"\n{safe(task.description)}", style="dim"), soft_wrap=True)
    console.print()
    for each in operations:
        lines.operation(each)
    print_end(console, task)
    return 0


async def show_diff(settings: Settings, database: Database, named: str) -> int:
    """Print what a task has changed, live where its sandbox is here; gives the exit code."""
    async with database.reading() as session:
        task = await find_task(session, named)
    async with (
        open_gateway(settings, database) as gateway,
        open_workshop(settings, database, gateway) as workshop,
    ):
        found = await read_diff(database, SIGHT, task.id, workshop)
    console = output()
    if console.is_terminal:
        _print_coloured(console, found.diff)
    else:
        # As git wrote it, so that git takes it.
        sys.stdout.buffer.write(found.diff.encode())
        sys.stdout.flush()
    return 0


def _print_coloured(console: Console, diff: str) -> None:
    styles = {"+": "green", "-": "red", "@": "cyan"}
    for line in diff.splitlines():
        style = "bold" if line.startswith(("+++ ", "--- ", "diff ")) else styles.get(line[:1], "")
        console.print(Text(safe(line), style=style), soft_wrap=True)
