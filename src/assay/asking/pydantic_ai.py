"""Agents of pydantic-ai ask people.

`AskPeople` is a capability: `Agent(…, capabilities=[AskPeople()])`. Tools that need an approval
wait for it, and the model gets a tool to ask people itself. A program that handles deferred tools
on its own uses `answer_deferred`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeVar, Unpack, cast
from uuid import uuid4

from pydantic_ai import Agent, AgentRunResult, RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.messages import ModelResponse, ToolCallPart
from pydantic_ai.tools import AgentDepsT, DeferredToolRequests, DeferredToolResults
from pydantic_ai.toolsets import ExternalToolset

from assay.asking.deferred_tools import ASK_HUMAN, PeopleOfAgent, answer_deferred, hash_of
from assay.asking.options import AskOptions
from assay.client import AsyncClient

__all__ = ["ASK_HUMAN", "AskPeople", "answer_deferred", "run_with_people"]

OutputT = TypeVar("OutputT")


class AskPeople(AbstractCapability[AgentDepsT]):
    """Lets people approve the tools of an agent that need it, and answer what the model asks.

    The agent waits inside of its run. With `ask` the model has the tool `ask_human`.
    """

    def __init__(
        self,
        *,
        key: str | None = None,
        editable: Sequence[str] = (),
        ask: bool = True,
        client: AsyncClient | None = None,
        **options: Unpack[AskOptions],
    ) -> None:
        """Take how people are asked.

        Args:
            key: of what the agent is to do, such as the id of a ticket: where it is done again
                with the same key, since the program was started again, calls with the same
                arguments at the same step find the requests that were made before, with their
                answers. Without it, every run asks anew.
            editable: names of tools whose arguments a reviewer may change.
            ask: whether the model may ask people itself.
            client: as of `assay.ask`.
            options: as of `assay.ask`.
        """
        self._key = key
        self._editable = editable
        self._asks = ask
        self._client = client
        self._options = options
        self._seen: Counter[tuple[int, str]] = Counter()

    @classmethod
    def get_serialization_name(cls) -> str | None:
        """None: a client cannot be written into a file."""
        return None

    async def for_run(self, ctx: RunContext[AgentDepsT]) -> "AskPeople[AgentDepsT]":
        """One of its own, as it counts the calls of a run."""
        return AskPeople(
            key=self._key or str(uuid4()),
            editable=self._editable,
            ask=self._asks,
            client=self._client,
            **self._options,
        )

    def get_toolset(self) -> ExternalToolset[AgentDepsT] | None:
        """`ask_human`, if the model may ask."""
        return ExternalToolset([ASK_HUMAN]) if self._asks else None

    async def handle_deferred_tool_calls(
        self, ctx: RunContext[AgentDepsT], *, requests: DeferredToolRequests
    ) -> DeferredToolResults:
        """Ask people about all of them at the same time.

        Raises:
            ApprovalMismatch, StillPending, ClientError: as `answer_deferred`.
        """
        step = sum(isinstance(each, ModelResponse) for each in ctx.messages)
        keys = {
            call.tool_call_id: self._key_of(step, call)
            for call in (*requests.approvals, *requests.calls)
        }
        schemas = {
            name: ctx.tools[name].parameters_json_schema
            for name in self._editable
            if name in ctx.tools
        }
        people = PeopleOfAgent(
            self._options,
            self._client,
            lambda call: keys[call.tool_call_id],
            schemas,
            ctx.agent.name if ctx.agent else None,
        )
        return await people.answer(requests)

    def _key_of(self, step: int, call: ToolCallPart) -> str:
        """A key that is the same in another run that comes to the same call at the same step.

        Two equal calls of one step are two: what is done twice is approved twice.
        """
        subject = hash_of(call)
        self._seen[step, subject] += 1
        return (
            f"{self._key}/{step}/{subject.removeprefix('sha256:')[:32]}/{self._seen[step, subject]}"
        )


async def run_with_people(
    agent: Agent[AgentDepsT, OutputT],
    prompt: str,
    *,
    people: AskPeople[AgentDepsT] | None = None,
    deps: AgentDepsT = None,  # type: ignore[assignment]  # as pydantic-ai has it: None is no deps
    **run: Any,
) -> AgentRunResult[OutputT]:
    """Run an agent to its output; where it needs people, they are asked and waited for.

    Args:
        agent: whatever its tools are.
        prompt: what it is to do.
        people: how people are asked.
        deps: of the agent.
        run: other arguments of `Agent.run`.

    Raises:
        ApprovalMismatch, StillPending, ClientError: as `answer_deferred`.
    """
    capabilities = [*run.pop("capabilities", ()), people or AskPeople()]
    result = await agent.run(prompt, deps=deps, capabilities=capabilities, **run)
    return cast("AgentRunResult[OutputT]", result)
