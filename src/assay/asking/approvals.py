"""A person approves a call before it is made."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar, Unpack, overload

from assay.asking.calls import Call, Gated
from assay.asking.decisions import Approval, approval
from assay.asking.errors import ApprovalMismatch, Refused
from assay.asking.options import AskOptions, question
from assay.client import AsyncClient, Client, Conflict
from assay.client.asynchronous.settling import async_settled
from assay.client.question import Question
from assay.client.synchronous.settling import settled
from assay.consults.requests.schemas import RequestRead

P = ParamSpec("P")
R = TypeVar("R")

KEY_REUSED = "idempotency_key_reused"


@overload
def require_approval(function: Callable[P, R], /) -> Callable[P, R]: ...


@overload
def require_approval(
    *,
    title: str | None = None,
    editable: Sequence[str] = (),
    exclude: Sequence[str] = (),
    client: Client | AsyncClient | None = None,
    **options: Unpack[AskOptions],
) -> Callable[[Callable[P, R]], Callable[P, R]]: ...


def require_approval(
    function: Callable[..., Any] | None = None,
    /,
    *,
    title: str | None = None,
    editable: Sequence[str] = (),
    exclude: Sequence[str] = (),
    client: Client | AsyncClient | None = None,
    **options: Unpack[AskOptions],
) -> Any:
    """Have a person approve each call of a function before it is made; waits for that.

    An approval is bound to the function and its arguments, defaults included, by a hash: the one
    of other arguments is refused. It covers neither `self` nor `cls`.

    Args:
        function: where it is written without parentheses.
        title: of the request; `{name}` stands for an argument.
        editable: arguments that the reviewer may change; the function is called with what they
            say. What they may say is told by the annotations.
        exclude: arguments that are not shown or sent, and so not covered by the approval.
        client: an `AsyncClient` for a coroutine function, a `Client` for another one; without
            it, that of ASSAY_URL and ASSAY_API_KEY.
        options: as `assay.asking.AskOptions` tells; in `idempotency_key` too `{name}` stands for
            an argument.

    Raises, when the function is called:
        Refused: a person refused the call.
        ApprovalMismatch: the approval is of other arguments.
        InvalidAnswer: the reviewer changed an argument to something that its type refuses.
        NoAnswer, RequestCancelled, StillPending, ClientError: as `assay.ask`.
        TypeError: an argument is no JSON.

    Raises:
        TypeError: the function is a generator, or has no such arguments.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        key = options.get("idempotency_key")
        templates = [text for text in (title, key) if text is not None]
        gated = Gated(function, editable=editable, exclude=exclude, templates=templates)
        asked = functools.partial(_question, gated, title, options)
        if inspect.iscoroutinefunction(function):
            return _in_event_loop(function, gated, asked, _of_kind(AsyncClient, client, gated))
        return _in_threads(function, gated, asked, _of_kind(Client, client, gated))

    return decorate if function is None else decorate(function)


def _in_threads(
    function: Callable[..., Any],
    gated: Gated,
    asked: Callable[[Call], Question],
    client: Client | None,
) -> Callable[..., Any]:
    @functools.wraps(function)
    def call_when_approved(*args: Any, **kwargs: Any) -> Any:
        call = gated.call(args, kwargs)
        try:
            request = settled(asked(call), client)
        except Conflict as error:
            raise _mismatch(error, gated) from error
        bound = gated.approved(call, granted(request))
        return function(*bound.args, **bound.kwargs)

    return call_when_approved


def _in_event_loop(
    function: Callable[..., Any],
    gated: Gated,
    asked: Callable[[Call], Question],
    client: AsyncClient | None,
) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call_when_approved(*args: Any, **kwargs: Any) -> Any:
        call = gated.call(args, kwargs)
        try:
            request = await async_settled(asked(call), client)
        except Conflict as error:
            raise _mismatch(error, gated) from error
        bound = gated.approved(call, granted(request))
        return await function(*bound.args, **bound.kwargs)

    return call_when_approved


def granted(request: RequestRead) -> Approval:
    """The approval of a request that has come to its end.

    Raises:
        Refused: it was refused.
        NoAnswer, RequestCancelled: as `assay.ask`.
    """
    given = approval(request)
    if not given:
        raise Refused(request, given.reason, given.by)
    return given


def _question(gated: Gated, title: str | None, options: AskOptions, call: Call) -> Question:
    asked = dict(options)
    if (key := options.get("idempotency_key")) is not None:
        asked["idempotency_key"] = gated.filled(key, call)
    more: dict[str, Any] = {
        "context": {**options.get("context", {}), **gated.context(call)},
        "subject_hash": call.subject_hash,
    }
    if (schema := gated.edits_schema(call)) is not None:
        more["edits_schema"] = schema
    return question(gated.title(title, call), "approve", asked, **more)


def _mismatch(error: Conflict, gated: Gated) -> Exception:
    if error.code != KEY_REUSED:
        return error
    return ApprovalMismatch(
        f"The idempotency key of this call of {gated.name} was used for one with other arguments "
        "or options"
    )


ClientT = TypeVar("ClientT", Client, AsyncClient)


def _of_kind(kind: type[ClientT], client: object, gated: Gated) -> ClientT | None:
    if client is not None and not isinstance(client, kind):
        raise TypeError(f"{gated.name} wants its client to be an {kind.__name__}")
    return client
