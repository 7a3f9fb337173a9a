"""An MCP server, by which any client of the protocol can ask people."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import BaseModel, Field

from assay import __version__
from assay.asking.decisions import Decision
from assay.asking.options import question as question_of
from assay.client import AsyncClient
from assay.client.asynchronous.settling import async_at_end
from assay.client.question import StillPending
from assay.consults.requests.models import RequestStatus
from assay.consults.requests.schemas import RequestRead
from assay.core.errors import AssayError

# Clients of the protocol give up a call that tells of no progress, many of them after a minute.
WAIT_SECONDS = 45.0
LONGEST_WAIT = 3600.0
PROGRESS_SECONDS = 5.0
MOST_PENDING = 50

_NEXT = {
    RequestStatus.pending: (
        "No person has answered yet. Go on with other work and call read_answer with this "
        "request_id later, or with wait_seconds to wait. Do not ask the same question again, and "
        "do not act as if it were answered."
    ),
    RequestStatus.answered: "This is the decision; act on it.",
    RequestStatus.expired: "Nobody answered before the deadline. Treat it as not approved.",
    RequestStatus.cancelled: "The request was taken back. Treat it as not approved.",
}
_INSTRUCTIONS = (
    "Tools to ask people. Ask before anything that cannot be undone, that costs money or that is "
    "seen by others, and where you lack a fact that only a person has. An answer can take minutes "
    "or days: ask_person waits for a while and otherwise gives a request_id for read_answer."
)

RequestId = Annotated[UUID, Field(description="The request_id that ask_person gave")]
Wait = Annotated[
    float,
    Field(ge=0, le=LONGEST_WAIT, description="Seconds to wait for an answer before this returns"),
]
ToolContext = Context[Any, Any]


class Said(BaseModel):
    """What one person answered."""

    by: str
    answer: Any
    comment: str | None


class Outcome(BaseModel):
    """How a request stands."""

    request_id: UUID
    status: RequestStatus
    answer: Any = Field(
        default=None,
        description="The decision: a text, the value of an option, an object of the form, or of "
        "approve an object with `approved`",
    )
    by_default: bool = Field(
        default=False, description="Nobody answered, and the default was used at the deadline"
    )
    responses: list[Said] = Field(default_factory=list)
    next: str = Field(description="What to do now")


class Waiting(BaseModel):
    """A request that waits for an answer."""

    request_id: UUID
    question: str
    kind: str
    created_at: datetime
    deadline: datetime | None


class Pending(BaseModel):
    """The requests that wait for an answer."""

    requests: list[Waiting]


def people_server(client: AsyncClient, agent: str) -> MCPServer[Any]:
    """An MCP server with tools to ask people.

    Args:
        client: of the Assay server; the tools act for whom its key acts for.
        agent: under which name reviewers see who asks; `list_pending` lists what this one asked.
    """
    tools = _Tools(client, agent)
    server: MCPServer[Any] = MCPServer(
        "assay",
        title="People",
        instructions=_INSTRUCTIONS,
        version=__version__,
        log_level="WARNING",
    )
    for tool in (tools.ask_person, tools.read_answer, tools.list_pending, tools.cancel_request):
        server.add_tool(tool, description=" ".join((tool.__doc__ or "").split()))
    return server


class _Tools:
    def __init__(self, client: AsyncClient, agent: str) -> None:
        self._client = client
        self._agent = agent

    async def ask_person(  # noqa: PLR0913, PLR0917  # a model fills in flat arguments best
        self,
        context: ToolContext,
        question: Annotated[
            str, Field(max_length=255, description="The question in one line, such as a title")
        ],
        details: Annotated[
            str | None,
            Field(description="Markdown: all that the person has to know; they see nothing else"),
        ] = None,
        kind: Annotated[
            Literal["text", "approve", "choose", "form"],
            Field(
                description="What the answer is: `text` free text; `approve` yes or no; `choose` "
                "one of `options`; `form` an object that conforms to `form_schema`"
            ),
        ] = "text",
        options: Annotated[
            list[str] | None, Field(description="Only with kind `choose`: the possible answers")
        ] = None,
        form_schema: Annotated[
            dict[str, Any] | None,
            Field(description="Only with kind `form`: the JSON Schema of the answer"),
        ] = None,
        priority: Literal["low", "medium", "high", "urgent"] = "medium",
        assignees: Annotated[
            list[str] | None,
            Field(description="E-mail addresses of who may answer; without it, any reviewer"),
        ] = None,
        deadline_seconds: Annotated[
            float | None, Field(gt=0, description="Seconds from now, after which nobody can answer")
        ] = None,
        default_answer: Annotated[
            Any, Field(description="Only with a deadline: the answer if nobody gives one")
        ] = None,
        idempotency_key: Annotated[
            str | None,
            Field(description="The same key with the same question never asks twice"),
        ] = None,
        wait_seconds: Wait = WAIT_SECONDS,
    ) -> Outcome:
        """Ask a person a question and wait for the answer.

        Use it before anything irreversible, and for facts or decisions that only a person can
        give. If nobody answers within wait_seconds the status is `pending`: the question stays
        open, and read_answer with the request_id gives the answer later.
        """
        given = {
            "description": details,
            "options": options,
            "response_schema": form_schema,
            "assignees": assignees,
            "deadline_in": deadline_seconds,
            "default_response": default_answer,
            "idempotency_key": idempotency_key,
        }
        asked = question_of(
            question,
            kind,
            {name: value for name, value in given.items() if value is not None},
            priority=priority,
            agent_id=self._agent,
        )
        with _told():
            request = await self._client.requests.create(
                asked.title, asked.kind, idempotency_key=asked.key, **asked.options
            )
            return await self._outcome(context, request, wait_seconds)

    async def read_answer(
        self, context: ToolContext, request_id: RequestId, wait_seconds: Wait = 0
    ) -> Outcome:
        """Read the answer to a question that was asked before with ask_person.

        With wait_seconds it waits for the answer, as ask_person does.
        """
        with _told():
            request = await self._client.requests.get(request_id)
            return await self._outcome(context, request, wait_seconds)

    async def list_pending(self) -> Pending:
        """List the questions that were asked here and that nobody has answered yet.

        The newest come first. Use it to find the request_id of a question again.
        """
        waiting: list[Waiting] = []
        with _told():
            async for each in self._client.requests.list(status="pending", agent=self._agent):
                waiting.append(
                    Waiting(
                        request_id=each.id,
                        question=each.title,
                        kind=each.kind,
                        created_at=each.created_at,
                        deadline=each.deadline,
                    )
                )
                if len(waiting) == MOST_PENDING:
                    break
        return Pending(requests=waiting)

    async def cancel_request(
        self,
        request_id: RequestId,
        reason: Annotated[
            str | None, Field(description="Why, for the people who were asked")
        ] = None,
    ) -> Outcome:
        """Take back a question that needs no answer any more; nobody can answer it then."""
        with _told():
            return _outcome(await self._client.requests.cancel(request_id, reason=reason))

    async def _outcome(self, context: ToolContext, request: RequestRead, seconds: float) -> Outcome:
        """How a request stands after so many seconds, or as soon as it has ended."""
        begin = time.monotonic()
        while request.status is RequestStatus.pending:
            waited = time.monotonic() - begin
            if waited >= seconds:
                break
            await context.report_progress(waited, seconds, "Waiting for a person to answer")
            try:
                request = await async_at_end(
                    self._client, request, min(seconds - waited, PROGRESS_SECONDS)
                )
            except StillPending:
                continue
        return _outcome(request)


def _outcome(request: RequestRead) -> Outcome:
    return Outcome(
        request_id=request.id,
        status=request.status,
        answer=request.response,
        by_default=Decision(request.response, request).by_default,
        responses=[
            Said(by=each.name or each.user_id, answer=each.value, comment=each.comment)
            for each in request.responses
        ],
        next=_NEXT[request.status],
    )


@contextmanager
def _told() -> Iterator[None]:
    """What goes wrong is told to the model, in the words of the error."""
    try:
        yield
    except AssayError as error:
        raise ToolError(str(error)) from error
