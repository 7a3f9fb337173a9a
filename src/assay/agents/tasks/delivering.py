"""What a task has changed, on its way out: commit, push, pull request.

Each step can be done again without harm: what is committed, pushed or opened already is found.
"""

import asyncio

from assay.agents.agents.models import Agent
from assay.agents.agents.policy import ApprovalPolicy
from assay.agents.git import clones
from assay.agents.git.models import OperationType
from assay.agents.git.operations import last_commit, record_operation
from assay.agents.git.pushing import push
from assay.agents.git.receiving import receive
from assay.agents.sandboxes.providers.types import Sandbox
from assay.agents.tasks.asks import Ask
from assay.agents.tasks.changes import diff_of
from assay.agents.tasks.journal import Journal
from assay.agents.tasks.models import Task, TaskStep
from assay.agents.tasks.preparing import author_of
from assay.agents.tasks.tools.desk import Decision, Verdict
from assay.agents.tasks.workshop import Workshop
from assay.core.database import Database


class Refused(Exception):  # a signal, not an error
    """A person does not want this to go out; the message says why, for the model."""


class Delivery:
    """The way out of what one task has changed."""

    def __init__(
        self, shop: Workshop, database: Database, journal: Journal, task: Task, agent: Agent
    ) -> None:
        """Take what is needed, and the task as it is."""
        assert task.repo_url is not None
        assert task.git_branch is not None
        assert task.base_sha is not None
        self._shop = shop
        self._database = database
        self._journal = journal
        self._task = task
        self._agent = agent
        self._remote = shop.remote(task.repo_url)
        self._branch = task.git_branch
        self._base = task.base_sha
        self._policy = ApprovalPolicy.model_validate(agent.approval_policy)

    async def commit(self, sandbox: Sandbox) -> str | None:
        """Commit what is left, and take all commits out of the sandbox; gives the last one.

        `None` where nothing was changed.

        Raises:
            CommitsRefused: what is in the sandbox cannot be taken; also for the model to read.
            CloneBroken, SandboxGone, LostJob
        """
        task, author = self._task, author_of(self._agent)
        start = task.pushed_sha or self._base
        commit = OperationType.commit
        async with record_operation(self._database, task.id, sandbox.id, commit) as operation:
            await clones.commit_all(sandbox, self._message(), author)
            bundle = await clones.take_commits(sandbox, start)
            if bundle is None:
                operation.commit_sha = head = await clones.head(sandbox)
                changed = task.pushed_sha is not None
            else:
                mirrors = self._shop.mirrors
                received = await receive(mirrors, self._remote, bundle, task.id, start)
                operation.commit_sha = head = received.head_sha
                changed = True
        await self._journal.enter(TaskStep.push, diff=await diff_of(sandbox, self._base))
        return head if changed else None

    async def taken(self) -> str | None:
        """The commit that was taken out of the sandbox before, where the mirror still has it."""
        async with self._database.reading() as session:
            sha = await last_commit(session, self._task.id)
        if sha is None or sha == self._base:
            return None
        mirror = self._shop.mirrors.path(self._remote)
        if not await asyncio.to_thread(mirror.exists):
            return None
        found = await self._shop.mirrors.git.run("cat-file", "-e", f"{sha}^{{commit}}", at=mirror)
        return sha if found.exit_code == 0 else None

    async def push(self, sandbox_id: str | None, sha: str) -> None:
        """Push a commit to the task's branch.

        Raises:
            BranchMoved, PushRefused, and what keeps git from the remote; LostJob
        """
        task, pushing = self._task, OperationType.push
        async with record_operation(self._database, task.id, sandbox_id, pushing) as operation:
            operation.commit_sha = sha
            await push(self._shop.mirrors, self._remote, sha, self._branch, task.pushed_sha)
        await self._journal.enter(TaskStep.pull_request, pushed_sha=sha)

    async def open_pull_request(self) -> None:
        """Open the pull request, where the host of the repository has such.

        Raises:
            PullRequestFailed, SignInRefused, RemoteUnreachable, LostJob
        """
        task = self._task
        opening = OperationType.pull_request
        if not self._shop.pull_requests.serves(self._remote):
            await self._journal.enter(TaskStep.done)
            return
        async with record_operation(self._database, task.id, None, opening) as operation:
            operation.commit_sha = task.pushed_sha
            url = await self._shop.pull_requests.ensure(
                self._remote, self._branch, task.base_branch or "main", task.title, self._body()
            )
        await self._journal.enter(TaskStep.done, pull_request_url=url)

    def leave_for(self, step: TaskStep, decisions: dict[str, Decision], sha: str) -> Ask | None:
        """What a person has to be asked before a step; `None` where it may be done.

        Raises:
            Refused: a person said no.
        """
        needed = self._policy.push if step is TaskStep.push else self._policy.pull_request
        if not needed:
            return None
        call_id = f"{step}:{sha}"
        decision = decisions.get(call_id)
        if decision is not None:
            if decision.verdict is Verdict.approved:
                return None
            raise Refused(decision.text)
        what = "Push" if step is TaskStep.push else "Open a pull request for"
        return Ask(
            people=self._shop.people,
            call_id=call_id,
            tool=step,
            title=f"{what} {self._branch}?",
            approval=True,
            arguments={"repository": self._remote.url, "branch": self._branch, "commit": sha},
            description=self._body(),
            with_diff=True,
        )

    def _message(self) -> str:
        return f"{self._task.title}\n\n{self._body()}\n\nAssay-Task: {self._task.id}\n"

    def _body(self) -> str:
        return self._task.summary or self._task.description or self._task.title
