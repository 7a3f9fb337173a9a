"""Deferred tool calls of agents of pydantic-ai, put to people."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Unpack, cast
from uuid import uuid4

from pydantic_ai.exceptions import ModelRetry, ToolFailed
from pydantic_ai.messages import ToolCallPart
from pydantic_ai.tools import (
    DeferredToolRequests,
    DeferredToolResults,
    ToolApproved,
    ToolDefinition,
    ToolDenied,
)

from assay.asking.decisions import approval, decision
from assay.asking.errors import ApprovalMismatch, NotAnswered
from assay.asking.options import AskOptions, question
from assay.asking.shapes import edits_schema
from assay.asking.subjects import subject_hash, titled
from assay.client import AsyncClient, Conflict, Invalid
from assay.client.asynchronous.settling import async_settled
from assay.client.options import Json
from assay.client.question import Question
from assay.consults.requests.schemas import RequestRead

_OF_THE_MODEL = ("body.options", "body.description")

ASK_HUMAN = ToolDefinition(
    name="ask_human",
    description=(
        "Ask a person a question and wait for the answer. Use it where you lack a fact that only "
        "a person has, or where a decision is not yours to make. The person sees only what you "
        "write here."
    ),
    parameters_json_schema={
        "type": "object",
        "properties": {
            "question": {"type": "string", "description": "The question, in a sentence or two"},
            "background": {"type": "string", "description": "What the person needs to know"},
            "options": {
                "type": "array",
                "items": {"type": "string"},
                "description": "The answers to choose from; without them the answer is free text",
            },
        },
        "required": ["question"],
        "additionalProperties": False,
    },
)


async def answer_deferred(
    requests: DeferredToolRequests,
    *,
    key: str | None = None,
    editable: Mapping[str, Json] | None = None,
    client: AsyncClient | None = None,
    **options: Unpack[AskOptions],
) -> DeferredToolResults:
    """Ask people about the deferred tool calls of an agent, all at the same time.

    A refusal tells the model its reason, and so does a request that ended without an answer.

    Args:
        requests: approvals, and calls of `ask_human`; other calls are left out of the results.
        key: of the run, such as its id: with the same key and the same tool call ids a program
            that was started again finds the requests that it made before.
        editable: JSON Schemas of arguments that a reviewer may change, by the name of the tool.
        client: as of `assay.ask`.
        options: as of `assay.ask`; `idempotency_key` is made from `key`.

    Raises:
        ApprovalMismatch: the key was used for a call with other arguments.
        StillPending, ClientError: as `assay.ask`.
    """
    run = key or str(uuid4())
    people = PeopleOfAgent(
        options, client, lambda call: f"{run}/{call.tool_call_id}", editable or {}
    )
    return await people.answer(requests)


@dataclass(frozen=True, slots=True)
class PeopleOfAgent:
    """How the calls of one agent are put to people.

    Attributes:
        options: as of `assay.ask`.
        client: as of `assay.ask`.
        key_of: gives the idempotency key of a call.
        editable: JSON Schemas of arguments that a reviewer may change, by the name of the tool.
        agent: its name, if it has one.
    """

    options: AskOptions
    client: AsyncClient | None
    key_of: Callable[[ToolCallPart], str]
    editable: Mapping[str, Json]
    agent: str | None = None

    async def answer(self, requests: DeferredToolRequests) -> DeferredToolResults:
        """Ask about all calls at the same time; those that no person can answer are left out.

        Raises:
            ApprovalMismatch, StillPending, ClientError: as `answer_deferred`.
        """
        results = DeferredToolResults()
        asks = [call for call in requests.calls if call.tool_name == ASK_HUMAN.name]
        await _side_by_side(
            [
                *(self._approve(call, results) for call in requests.approvals),
                *(self._ask(call, results) for call in asks),
            ]
        )
        return results

    async def _approve(self, call: ToolCallPart, results: DeferredToolResults) -> None:
        arguments = call.args_as_dict()
        more: dict[str, Any] = {}
        if (schema := self.editable.get(call.tool_name)) is not None:
            more["edits_schema"] = _with_defaults(schema, arguments)
        asked = question(
            titled(f"Call {call.tool_name}?"),
            "approve",
            self._options(call),
            context=self._context({"tool": call.tool_name, "arguments": arguments}),
            subject_hash=hash_of(call),
            **more,
        )
        results.approvals[call.tool_call_id] = _of_approval(await self._settled(asked), arguments)

    async def _ask(self, call: ToolCallPart, results: DeferredToolResults) -> None:
        arguments = call.args_as_dict()
        text = str(arguments.get("question", ""))
        background = arguments.get("background")
        choices = arguments.get("options")
        more: dict[str, Any] = {}
        if choices:
            more["options"] = list(dict.fromkeys(map(str, choices)))
        asked = question(
            titled(text) or "A question of an agent",
            "choose" if choices else "text",
            self._options(call),
            description="\n\n".join(filter(None, [text, background])),
            context=self._context({}),
            subject_hash=hash_of(call),
            **more,
        )
        results.calls[call.tool_call_id] = await self._answer(asked)

    async def _answer(self, asked: Question) -> str | ToolFailed | ModelRetry:
        try:
            return str(decision(await self._settled(asked)).value)
        except NotAnswered as error:
            return ToolFailed(error.detail)
        except Invalid as error:
            # What the model wrote it can write better; what the program gave it cannot.
            if all(fault.place.startswith(_OF_THE_MODEL) for fault in error.errors):
                return ModelRetry(str(error))
            raise

    async def _settled(self, asked: Question) -> RequestRead:
        wanted = asked.options.get("subject_hash")
        try:
            request = await async_settled(asked, self.client)
        except Conflict as error:
            if error.code != "idempotency_key_reused":
                raise
            raise ApprovalMismatch(
                f"The key of {asked.title!r} was used for a call with other arguments or options"
            ) from error
        if request.subject_hash != wanted:
            raise ApprovalMismatch(f"The request {request.id} is about another call")
        return request

    def _options(self, call: ToolCallPart) -> AskOptions:
        named = {"agent_id": self.agent} if self.agent else {}
        return cast("AskOptions", {**named, **self.options, "idempotency_key": self.key_of(call)})

    def _context(self, shown: Mapping[str, Any]) -> dict[str, Any]:
        return {**self.options.get("context", {}), **shown}


def _of_approval(request: RequestRead, arguments: Mapping[str, Any]) -> ToolApproved | ToolDenied:
    try:
        given = approval(request)
    except NotAnswered as error:
        return ToolDenied(f"{error.detail}. It was not done.")
    if not given:
        return ToolDenied(f"{given.by} refused this: {given.reason or 'no reason was given'}")
    return ToolApproved(override_args={**arguments, **given.edits} if given.edits else None)


async def _side_by_side(asks: Sequence[Coroutine[Any, Any, None]]) -> None:
    """Do all at the same time; where one fails, the others are given up."""
    tasks = [asyncio.ensure_future(ask) for ask in asks]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _with_defaults(schema: Json, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of edits; a form begins with the arguments as they are."""
    properties = {
        name: {**kind, "default": arguments[name]} if name in arguments else kind
        for name, kind in schema.get("properties", {}).items()
    }
    return edits_schema({**schema, "properties": properties})


def hash_of(call: ToolCallPart) -> str:
    """What an approval of a call is bound to: the hash of its tool and arguments."""
    return subject_hash(call.tool_name, call.args_as_dict())
