"""The sandbox of a task with its clone: made, found again, or made anew where it is gone."""

from assay.agents.agents.models import Agent
from assay.agents.git import clones
from assay.agents.git.branches import branch_name
from assay.agents.git.clones import Author
from assay.agents.git.mirrors import BaseCommit
from assay.agents.git.models import OperationType
from assay.agents.git.operations import record_operation
from assay.agents.git.seeds import make_seed
from assay.agents.sandboxes.providers.types import Sandbox, SandboxGone, SandboxLimits
from assay.agents.tasks.journal import Journal
from assay.agents.tasks.models import Task, TaskStep
from assay.agents.tasks.workshop import Workshop
from assay.core.database import Database


def author_of(agent: Agent) -> Author:
    """Who the commits of an agent are by."""
    return Author(agent.name, f"agent-{agent.id.hex[-8:]}@assay.invalid")


async def prepare(
    shop: Workshop,
    database: Database,
    journal: Journal,
    task: Task,
    agent: Agent,
    limits: SandboxLimits,
) -> Sandbox:
    """A sandbox with a clone of the repository, on the task's own branch.

    Raises:
        SandboxUnusable, SandboxUnreachable, SandboxLimit
        RemoteRefused, RepositoryNotFound, SignInRefused, BranchNotFound and their like: what is
            wrong with the repository.
    """
    try:
        sandbox = await shop.sandboxes.reopen(database, task, limits)
    except SandboxGone:
        sandbox = await shop.sandboxes.make(database, task, agent, limits)
    branch = task.git_branch or branch_name(task.id, task.title)
    base = await _clone(shop, database, task, agent, sandbox, branch)
    await journal.enter(
        TaskStep.work, git_branch=branch, base_branch=base.branch, base_sha=base.sha
    )
    return sandbox


async def _clone(
    shop: Workshop, database: Database, task: Task, agent: Agent, sandbox: Sandbox, branch: str
) -> BaseCommit:
    assert task.repo_url is not None
    remote = shop.remote(task.repo_url)
    clone, made = OperationType.clone, OperationType.branch
    async with record_operation(database, task.id, sandbox.id, clone) as operation:
        base = await shop.mirrors.refresh(remote, task.base_branch)
        seed = await make_seed(shop.mirrors, remote, base)
        operation.commit_sha = base.sha
        await clones.clone_into(sandbox, seed, branch, author_of(agent))
    async with record_operation(database, task.id, sandbox.id, made) as operation:
        # Made by the command that made the clone.
        operation.commit_sha = base.sha
    return base


async def make_anew(
    shop: Workshop, database: Database, task: Task, agent: Agent, limits: SandboxLimits
) -> Sandbox:
    """A new sandbox in place of one that is gone, with what was pushed; the rest is lost.

    Raises:
        As `prepare`.
    """
    assert task.repo_url is not None
    assert task.base_sha is not None
    assert task.git_branch is not None
    remote = shop.remote(task.repo_url)
    sandbox = await shop.sandboxes.make(database, task, agent, limits)
    async with record_operation(database, task.id, sandbox.id, OperationType.clone) as operation:
        if task.pushed_sha is not None:
            base = await shop.mirrors.refresh(remote, task.git_branch)
        else:
            await shop.mirrors.refresh(remote, task.base_branch)
            base = BaseCommit(task.base_branch or "main", task.base_sha)
        seed = await make_seed(shop.mirrors, remote, base)
        operation.commit_sha = base.sha
        await clones.clone_into(sandbox, seed, task.git_branch, author_of(agent))
    return sandbox
