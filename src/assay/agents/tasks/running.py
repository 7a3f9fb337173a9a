"""One task in the hands of a worker: from step to step, from wherever it was left.

Importing this takes seconds, for pydantic-ai comes with it: `tasks.py` does so in a thread.
"""

import asyncio
import contextlib
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import structlog
from pydantic_ai.messages import ModelResponse

from assay.agents.agents.models import Agent
from assay.agents.agents.policy import ApprovalPolicy
from assay.agents.git.errors import (
    CloneBroken,
    CommitsRefused,
    GitTimeout,
    RemoteUnreachable,
)
from assay.agents.git.operations import is_cloned
from assay.agents.sandboxes import rows
from assay.agents.sandboxes.lifecycle import limits_of
from assay.agents.sandboxes.providers.types import (
    Sandbox,
    SandboxGone,
    SandboxLimits,
    SandboxUnreachable,
)
from assay.agents.tasks.asks import NETWORK, Ask, ask_for_network
from assay.agents.tasks.changes import diff_of
from assay.agents.tasks.delivering import Delivery, Refused
from assay.agents.tasks.events.models import TaskEventKind
from assay.agents.tasks.journal import Journal
from assay.agents.tasks.models import Task, TaskStatus, TaskStep
from assay.agents.tasks.preparing import make_anew, prepare
from assay.agents.tasks.tools.desk import CallResult, Verdict
from assay.agents.tasks.watching import Watch
from assay.agents.tasks.working import NotDone, TaskLimit, Work
from assay.agents.tasks.workshop import Workshop
from assay.core.errors import AssayError
from assay.gateway.errors import ModelError
from assay.jobs.handler import HandBack, RunningJob
from assay.jobs.service import LostJob

LOST = (
    "The sandbox was lost, and with it all that was not pushed. There is a new one, as the branch "
    "was last pushed. A call under way was not done: look at what is there before you go on."
)
log = structlog.get_logger(__name__)

# A model that is not to be had now is asked again after this, at least.
AGAIN_SECONDS = 30.0
# Sandboxes that a task may lose before it fails.
MOST_LOST = 3


async def run_task(job: RunningJob, shop: Workshop, watch: Watch) -> None:
    """Work on a task until it ends, waits for a person, or is not this worker's any more."""
    journal = Journal(job, UUID(job.params["task_id"]))
    work = asyncio.create_task(TaskRun(job, shop, journal).run())
    over = asyncio.create_task(watch.until_over(job))
    try:
        await asyncio.wait({work, over}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            await work
        elif job.stopping.is_set():
            raise HandBack
    finally:
        work.cancel()
        over.cancel()
        await asyncio.gather(work, over, return_exceptions=True)


class TaskRun:
    """The steps of one task."""

    def __init__(self, job: RunningJob, shop: Workshop, journal: Journal) -> None:
        """Work on behalf of a job."""
        self._database = job.database
        self._shop = shop
        self._journal = journal
        self._sandbox: Sandbox | None = None
        self._lost = 0
        self._at = TaskStep.prepare

    async def run(self) -> None:
        """Take one step after another.

        What goes wrong for good ends the task with its reason.

        Raises:
            HandBack: the model, or where the work goes to, is not to be had now.
        """
        try:
            await self._journal.take_over()
            while (loaded := await self._journal.load()) is not None:
                if await self._step(*loaded):
                    return
        except LostJob:
            log.info("task was cancelled, or is with another worker", task_id=self._journal.task_id)
        except AssayError as error:
            if self._may_pass(error):
                delay = max(getattr(error, "retry_after", None) or 0.0, AGAIN_SECONDS)
                await self._journal.tell_of_pause(str(error), delay)
                raise HandBack(timedelta(seconds=delay)) from None
            await self._journal.complete(TaskStatus.failed, str(error).replace("\0", ""))

    def _may_pass(self, error: AssayError) -> bool:
        """Whether it is worth it to try again later: there is work that would be lost."""
        if isinstance(error, ModelError):
            return error.transient
        away = isinstance(error, (RemoteUnreachable, GitTimeout, SandboxUnreachable))
        return away and self._at is not TaskStep.prepare

    async def _step(self, task: Task, agent: Agent) -> bool:
        """Take the next step; `True` where there is nothing more to do now."""
        try:
            return await self._do(task, agent)
        except SandboxGone as error:
            await self._replace(task, agent, error)
            return False

    async def _do(self, task: Task, agent: Agent) -> bool:
        self._at = task.step
        if task.step is TaskStep.prepare:
            return await self._prepare(task, agent)
        if task.step is TaskStep.work:
            return await self._work(task, agent)
        if task.step is TaskStep.done:
            await self._journal.complete(TaskStatus.completed)
            return True
        return await self._deliver(task, agent)

    async def _prepare(self, task: Task, agent: Agent) -> bool:
        limits, asked = await self._limits(task, agent)
        if asked is not None:
            return await self._wait(task, asked)
        args = (self._shop, self._database, self._journal, task, agent, limits)
        self._sandbox = await prepare(*args)
        return False

    async def _limits(self, task: Task, agent: Agent) -> tuple[SandboxLimits, Ask | None]:
        """What the sandbox may use; and what has to be asked before it reaches the network."""
        limits = limits_of(self._shop.settings, agent)
        if not limits.network or not ApprovalPolicy.model_validate(agent.approval_policy).network:
            return limits, None
        _, decisions = await self._journal.calls()
        decision = decisions.get(NETWORK)
        if decision is None:
            return limits, ask_for_network(self._shop.people, task, limits.network)
        if decision.verdict is Verdict.approved:
            return limits, None
        return replace(limits, network=()), None

    async def _work(self, task: Task, agent: Agent) -> bool:
        sandbox = await self._open(task, agent)
        left = agent.max_seconds - task.seconds
        try:
            async with asyncio.timeout(left) as limit:
                outcome = await Work(self._shop, self._journal, task, agent).go_on(sandbox)
        except TimeoutError:
            if not limit.expired():
                raise
            raise TaskLimit(
                f"The agent has worked its {agent.max_seconds} seconds without finishing. Give it "
                "more with max_seconds, or a smaller task."
            ) from None
        if isinstance(outcome, list):
            return await self._wait(task, *outcome)
        if not outcome.done:
            raise NotDone(f"The agent could not do it: {outcome.summary}")
        summary = f"{outcome.summary}\n\nTested: {outcome.tested}"
        await self._journal.enter(TaskStep.commit, summary=summary)
        return False

    async def _deliver(self, task: Task, agent: Agent) -> bool:
        delivery = Delivery(self._shop, self._database, self._journal, task, agent)
        _, decisions = await self._journal.calls()
        try:
            if task.step is TaskStep.pull_request:
                asked = delivery.leave_for(task.step, decisions, task.pushed_sha or "")
                if asked is not None:
                    return await self._wait(task, asked)
                await delivery.open_pull_request()
                return False
            sha = await delivery.taken() if task.step is TaskStep.push else None
            if sha is None:
                sha = await delivery.commit(await self._open(task, agent))
            if sha is None:
                await self._journal.enter(TaskStep.done)
                return False
            if asked := delivery.leave_for(TaskStep.push, decisions, sha):
                return await self._wait(task, asked)
            await delivery.push(self._sandbox.id if self._sandbox else None, sha)
        except Refused as refusal:
            reason = f": {refusal}" if str(refusal) else ", without a reason"
            await self._back_to_work(
                f"A person refused the {task.step}{reason}. Do it differently."
            )
        except CommitsRefused as error:
            await self._back_to_work(f"What you have committed cannot be taken: {error}")
        return False

    async def _back_to_work(self, told: str) -> None:
        step = TaskStep.work
        status = {"status": TaskStatus.running, "step": step}
        message = {"role": "user", "text": told, "by": None}
        events = (TaskEventKind.status, status), (TaskEventKind.message, message)
        await self._journal.write(*events, step=step)

    async def _wait(self, task: Task, *asked: Ask) -> bool:
        """Let the task wait for people, who may look at what was changed meanwhile.

        The sandbox is paused before: once people are asked, another worker may open it any time.
        """
        if self._sandbox is not None and task.base_sha is not None:
            with contextlib.suppress(CloneBroken):
                await self._journal.write(diff=await diff_of(self._sandbox, task.base_sha))
        async with self._database.reading() as session:
            row = await rows.newest_active(session, task.id)
        if row is not None:
            with contextlib.suppress(SandboxUnreachable):
                await self._shop.sandboxes.pause(self._database, row.id)
        await self._journal.wait(*asked)
        return True

    async def _open(self, task: Task, agent: Agent) -> Sandbox:
        if self._sandbox is None:
            limits, _ = await self._limits(task, agent)
            sandbox = await self._shop.sandboxes.reopen(self._database, task, limits)
            async with self._database.reading() as session:
                cloned = await is_cloned(session, sandbox.id)
            if not cloned:
                # Made in place of one that was lost, by a worker that was killed then.
                await self._shop.sandboxes.destroy(self._database, sandbox.id)
                raise SandboxGone(f"Sandbox {sandbox.id} has no whole clone")
            self._sandbox = sandbox
        return self._sandbox

    async def _replace(self, task: Task, agent: Agent, error: SandboxGone) -> None:
        """Make a sandbox in place of one that is gone, and let the model know."""
        # It may be gone because the task was cancelled.
        await self._journal.write()
        if self._sandbox is not None:
            await self._shop.sandboxes.fail(self._database, self._sandbox.id, str(error))
        self._sandbox = None
        self._count_loss(error)
        if task.step is TaskStep.prepare:
            return
        await self._tell_of_loss(task)
        limits, _ = await self._limits(task, agent)
        while self._sandbox is None:
            try:
                self._sandbox = await make_anew(self._shop, self._database, task, agent, limits)
            except SandboxGone as again:
                self._count_loss(again)

    def _count_loss(self, error: SandboxGone) -> None:
        self._lost += 1
        if self._lost > MOST_LOST:
            raise TaskLimit(f"The sandbox was lost again and again: {error}.")

    async def _tell_of_loss(self, task: Task) -> None:
        """Before there is a new sandbox, so that no call is done in it which came before."""
        if task.step is not TaskStep.work:
            await self._back_to_work(LOST)
            return
        results, _ = await self._journal.calls()
        lost: CallResult = {"text": LOST, "outcome": "failed"}
        last = (await self._journal.messages())[-1:]
        calls = last[0].tool_calls if last and isinstance(last[0], ModelResponse) else ()
        cut_off = [call for call in calls if call.tool_call_id not in results]
        for call in cut_off:
            await self._journal.keep_result(call.tool_call_id, call.tool_name, lost)
        if last and not cut_off:
            message = {"role": "user", "text": LOST, "by": None}
            await self._journal.write((TaskEventKind.message, message))
