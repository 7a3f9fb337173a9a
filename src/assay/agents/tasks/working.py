"""The model at work: turn by turn, each kept before the next one begins."""

from collections.abc import Iterator, Sequence

from pydantic_ai import ModelRequestNode
from pydantic_ai.exceptions import UnexpectedModelBehavior
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    UserPromptPart,
)
from pydantic_ai.tools import DeferredToolRequests
from pydantic_ai.usage import UsageLimits
from pydantic_graph import End

from assay.agents.agents.models import Agent
from assay.agents.agents.policy import ApprovalPolicy
from assay.agents.sandboxes.providers.types import Sandbox
from assay.agents.tasks.agent import Waiting, build_agent, unfinished, waiting_for
from assay.agents.tasks.asks import Ask
from assay.agents.tasks.events.models import TaskEventKind
from assay.agents.tasks.journal import Event, Journal, Told
from assay.agents.tasks.listening import LiveDesk
from assay.agents.tasks.model import GatewayModel
from assay.agents.tasks.models import Task
from assay.agents.tasks.prompt import first_message, instructions, survey
from assay.agents.tasks.storable import storable
from assay.agents.tasks.tools.desk import Desk
from assay.agents.tasks.tools.planning import Finished
from assay.agents.tasks.tools.toolset import edits_schema
from assay.agents.tasks.workshop import Workshop
from assay.core.errors import AssayError

# Ours count over all workers that a task had.
_NO_LIMITS = UsageLimits(request_limit=None)


class TaskLimit(AssayError):
    """The task has used up what its agent may use."""

    code = "task_limit"


class NotDone(AssayError):
    """The model says that the task cannot be done, or does not get on with it."""

    code = "task_not_done"


class Work:
    """The model's part of a task, from wherever it was left."""

    def __init__(self, shop: Workshop, journal: Journal, task: Task, agent: Agent) -> None:
        """Take what is needed, and how far the task is."""
        self._shop = shop
        self._journal = journal
        self._task = task
        self._agent = agent
        self._steps = task.steps
        self._cost = task.cost
        model = shop.gateway.model(agent.model or "")
        self._worker = build_agent(
            GatewayModel(model, agent.model_parameters, self._spend),
            instructions(agent.name, agent.role, agent.instructions),
            agent.tools,
        )

    async def go_on(self, sandbox: Sandbox) -> Finished | list[Ask]:
        """Work until the model finishes, or has to wait for people.

        Raises:
            TaskLimit: the agent's steps or money are used up.
            ModelError: the model cannot be asked.
            SandboxGone, LostJob
        """
        history = unfinished(await self._journal.messages())
        results, decisions = await self._journal.calls()
        policy = ApprovalPolicy.model_validate(self._agent.approval_policy)
        prompt = None
        if not history:
            found = await survey(sandbox)
            prompt = first_message(self._task.title, self._task.description, found)
        live = LiveDesk(self._journal)
        async with live.opened(sandbox, policy, results, decisions) as desk:
            while True:
                output, history = await self._converse(prompt, history, desk)
                await self._journal.keep(history)
                if isinstance(output, DeferredToolRequests):
                    return [self._ask(waiting) for waiting in waiting_for(output)]
                # Somebody may have said something at the last moment.
                if await self._journal.unread() is None:
                    return output
                prompt = None

    async def _converse(
        self, prompt: str | None, history: list[ModelMessage], desk: Desk
    ) -> tuple[Finished | DeferredToolRequests, list[ModelMessage]]:
        """Go on from `history` to the end of a run; gives what came out, and all messages."""
        going = self._worker.iter(
            prompt, message_history=history, deps=desk, usage_limits=_NO_LIMITS
        )
        try:
            async with going as run:
                node = run.next_node
                while not isinstance(node, End):
                    if not isinstance(node, ModelRequestNode):
                        node = await run.next(node)
                        continue
                    read = await self._before_answer(node.request)
                    node = await run.next(node)
                    await self._keep_answer(run.all_messages(), read)
                return node.data.output, run.all_messages()
        except UnexpectedModelBehavior as error:
            raise NotDone(f"The model does not work with its tools: {error}") from error

    async def _before_answer(self, request: ModelRequest) -> int | None:
        """Put what people have said into a request; gives how far they are read with it."""
        self._require_means()
        told = await self._journal.unread()
        if told is None:
            return None
        request.parts = [*request.parts, *_said(told)]
        return told.until

    async def _keep_answer(self, messages: Sequence[ModelMessage], read: int | None) -> None:
        """Keep a new answer of the model before its calls are done."""
        fields = {} if read is None else {"read_sequence": read}
        await self._journal.keep(messages, *_told_of(messages[-1]), **fields)

    def _spend(self, cost: float | None, tokens_in: int, tokens_out: int) -> None:
        self._steps += 1
        self._cost += cost or 0.0
        self._journal.spent.add(cost, tokens_in, tokens_out)

    def _require_means(self) -> None:
        agent = self._agent
        if self._steps >= agent.max_steps:
            raise TaskLimit(
                f"The agent has taken its {agent.max_steps} turns without finishing. Give it more "
                "with max_steps, or a smaller task."
            )
        if agent.max_cost is not None and self._cost >= agent.max_cost:
            raise TaskLimit(
                f"The task has cost {self._cost:.4g} USD, and {agent.max_cost:.4g} are allowed "
                "(max_cost)."
            )

    def _ask(self, waiting: Waiting) -> Ask:
        question = waiting.kind == "question"
        about = waiting.arguments.get("command") or waiting.arguments.get("path")
        allowing = f"{waiting.tool}: {about}" if about else f"Allow {waiting.tool}?"
        return Ask(
            people=self._shop.people,
            call_id=waiting.call_id,
            tool=waiting.tool,
            title=waiting.reason if question else allowing,
            approval=not question,
            arguments=storable(waiting.arguments),
            description=waiting.reason,
            options=waiting.options,
            edits=None if question else edits_schema(waiting.tool),
        )


def _said(told: Told) -> Iterator[UserPromptPart]:
    for text in told.texts:
        yield UserPromptPart(f"A person says while you work:\n{text}")


def _told_of(message: ModelMessage) -> Iterator[Event]:
    if not isinstance(message, ModelResponse):
        return
    text = "".join(part.content for part in message.parts if isinstance(part, TextPart))
    if text.strip():
        yield TaskEventKind.message, {"role": "agent", "text": storable(text)}
