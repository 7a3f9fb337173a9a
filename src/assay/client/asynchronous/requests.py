"""Requests to people."""

from collections.abc import AsyncIterator, Sequence
from itertools import repeat
from typing import Any, Literal, Unpack
from uuid import uuid4

from assay.client.asynchronous.resource import AsyncResource
from assay.client.asynchronous.waiting import async_until_ended
from assay.client.options import AnyRole, RequestFilters, RequestOptions
from assay.client.wire import Call, Id, at, given, post
from assay.consults.requests.comments.schemas import CommentRead
from assay.consults.requests.models import RequestStatus
from assay.consults.requests.schemas import (
    RequestCreated,
    RequestEventRead,
    RequestRead,
    RequestSummary,
)

# The server holds an answer for as long as this, and needs a moment to send it.
HELD_SECONDS = 50.0
SENT_SECONDS = 10.0

AnyKind = Literal["approve", "choose", "text", "form"]


class AsyncRequests(AsyncResource):
    """`client.requests`."""

    async def create(
        self,
        title: str,
        kind: AnyKind,
        *,
        idempotency_key: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> RequestCreated:
        """Ask people; `wait` gives their answer.

        Args:
            title: what is asked.
            kind: what an answer is: an approval, one of `options`, a text, or a form of
                `response_schema`.
            idempotency_key: with the same key a question that is asked again, also by a program
                that was started again, is the one of the first time; without it, a new one.
            options: beside these.
        """
        body = {"title": title, "kind": kind, **options}
        key = idempotency_key or str(uuid4())
        call = post(at("requests"), body, Idempotency_Key=key)
        return await self._transport.read(RequestCreated, call)

    def list(
        self, *, limit: int | None = None, **filters: Unpack[RequestFilters]
    ) -> AsyncIterator[RequestSummary]:
        """The requests that you asked or may answer; `limit` is how many a request brings."""
        return self._transport.pages(RequestSummary, at("requests"), limit=limit, **filters)

    async def get(self, request_id: Id) -> RequestRead:
        """Read a request as it stands."""
        return await self._transport.read(RequestRead, Call("GET", at("requests", request_id)))

    async def wait(
        self,
        request_id: Id,
        *,
        timeout: float | None = None,  # noqa: ASYNC109  # its end is told with how it stands
    ) -> RequestRead:
        """Wait until a request has been decided, has expired or was cancelled, and give it.

        The server holds its answer until then, so it comes at once; where the server is away for
        a while, that is waited for as well.

        Args:
            request_id: the request.
            timeout: seconds; without it, for as long as it takes.

        Raises:
            TimedOut: it is still open.
        """
        path = at("requests", request_id)

        async def look(seconds_left: float) -> RequestRead:
            held = min(seconds_left, HELD_SECONDS)
            call = Call("GET", path, {"wait": held}, read_seconds=held + SENT_SECONDS)
            return await self._transport.read(RequestRead, call)

        return await async_until_ended(
            look,
            lambda request: request.status is not RequestStatus.pending,
            pauses=repeat(0.0),
            timeout=timeout,
            told=lambda request: f"{len(request.responses)} have answered {request.title!r}",
        )

    async def respond(
        self,
        request_id: Id,
        value: Any,
        *,
        comment: str | None = None,
        subject_hash: str | None = None,
    ) -> RequestRead:
        """Answer a request, as a reviewer.

        Raises:
            Invalid: the value is not what was asked for; `errors` says where, with a `pointer`.
            Conflict: it has been decided already.
        """
        body = {"value": value, **given(comment=comment, subject_hash=subject_hash)}
        return await self._transport.read(
            RequestRead, post(at("requests", request_id, "respond"), body)
        )

    async def cancel(self, request_id: Id, *, reason: str | None = None) -> RequestRead:
        """Take a request back; nobody can answer it any more."""
        body = given(reason=reason)
        return await self._transport.read(
            RequestRead, post(at("requests", request_id, "cancel"), body)
        )

    async def assign(
        self, request_id: Id, *, assignees: Sequence[str] = (), assignee_role: AnyRole | None = None
    ) -> RequestRead:
        """Say who is to answer from now on, in place of who was.

        Args:
            request_id: the request.
            assignees: ids or addresses; with no role either, any reviewer may answer.
            assignee_role: all who have it, or more.

        Raises:
            Invalid: somebody named may not answer it.
        """
        body = {"assignees": assignees, **given(assignee_role=assignee_role)}
        call = post(at("requests", request_id, "assign"), body)
        return await self._transport.read(RequestRead, call)

    async def escalate(
        self,
        request_id: Id,
        *,
        escalate_to: Sequence[str] = (),
        escalate_to_role: AnyRole | None = None,
        reason: str | None = None,
    ) -> RequestRead:
        """Let more people answer, and raise the priority by a step.

        Args:
            request_id: the request.
            escalate_to: ids or addresses; with no role either, whom the asker named for that.
            escalate_to_role: all who have it, or more.
            reason: which is kept with the request's events.

        Raises:
            Invalid: somebody named may not answer it, or nobody is named.
        """
        to = given(escalate_to_role=escalate_to_role, reason=reason)
        call = post(at("requests", request_id, "escalate"), {"escalate_to": escalate_to, **to})
        return await self._transport.read(RequestRead, call)

    async def comment(self, request_id: Id, text: str) -> CommentRead:
        """Say something about a request to its reviewers and its asker."""
        call = post(at("requests", request_id, "comments"), {"text": text})
        return await self._transport.read(CommentRead, call)

    def comments(self, request_id: Id, *, limit: int | None = None) -> AsyncIterator[CommentRead]:
        """What was said about a request, the first first; `limit` is how many a request brings."""
        path = at("requests", request_id, "comments")
        return self._transport.pages(CommentRead, path, limit=limit)

    def events(
        self, request_id: Id, *, limit: int | None = None
    ) -> AsyncIterator[RequestEventRead]:
        """What happened to a request, the first first; `limit` is how many a request brings."""
        return self._transport.pages(
            RequestEventRead, at("requests", request_id, "events"), limit=limit
        )
