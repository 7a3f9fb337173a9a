"""Ask people from a program without an event loop: each call blocks until there is an answer."""

from collections.abc import Sequence
from typing import Any, TypeVar, Unpack

from assay.asking.decisions import Approval, Decision, approval, decision
from assay.asking.options import AnyAskOptions, AskOptions, question
from assay.asking.shapes import Shape
from assay.client import Client
from assay.client.options import Json
from assay.client.question import AnyKind
from assay.client.synchronous.settling import settled

T = TypeVar("T")


def ask(
    title: str,
    *,
    kind: AnyKind = "text",
    client: Client | None = None,
    **options: Unpack[AnyAskOptions],
) -> Decision[Any]:
    """Ask people something, and wait for their answer.

    The wait goes on over restarts of the server and lost connections.

    Args:
        title: what is asked, in a line; the rest belongs into `description` and `context`.
        kind: what an answer is: a text, an approval, one of `options`, or a form of
            `response_schema`. `approve`, `choose` and `form` give those in types of their own.
        client: of the server; without one, that of ASSAY_URL and ASSAY_API_KEY.
        options: as `assay.asking.AskOptions` tells.

    Raises:
        NoAnswer: the deadline passed, and there is no default_response.
        RequestCancelled: somebody took the request back.
        StillPending: the timeout passed.
        ClientError: the server refuses the question, or cannot be asked.
    """
    return decision(settled(question(title, kind, options), client))


def approve(
    title: str,
    *,
    edits_schema: Json | None = None,
    client: Client | None = None,
    **options: Unpack[AskOptions],
) -> Approval:
    """Have people approve something; what comes is true if they did.

    Args:
        title: what is to be approved, in a line.
        edits_schema: the JSON Schema of what they may change, which comes as `edits`.
        client: as of `ask`.
        options: as of `ask`.

    Raises:
        NoAnswer, RequestCancelled, StillPending, ClientError: as `ask`.
    """
    more = {} if edits_schema is None else {"edits_schema": edits_schema}
    return approval(settled(question(title, "approve", options, **more), client))


def choose(
    title: str,
    choices: Sequence[str | Json],
    *,
    client: Client | None = None,
    **options: Unpack[AskOptions],
) -> Decision[str]:
    """Have people choose; the value is that of one of the choices.

    Args:
        title: what is asked, in a line.
        choices: texts, or objects with `value`, `label` and `description`.
        client: as of `ask`.
        options: as of `ask`.

    Raises:
        NoAnswer, RequestCancelled, StillPending, ClientError: as `ask`.
    """
    return decision(settled(question(title, "choose", options, options=choices), client))


def form(
    title: str,
    form: type[T],
    *,
    client: Client | None = None,
    **options: Unpack[AskOptions],
) -> Decision[T]:
    """Have people fill in a form; the value is an instance of the type.

    Args:
        title: what is asked, in a line.
        form: a model class of pydantic, a dataclass, a TypedDict or another type of an object;
            its JSON Schema is the form, and the server holds answers to it.
        client: as of `ask`.
        options: as of `ask`.

    Raises:
        InvalidAnswer: the type has rules beyond its schema, and refuses the answer.
        NoAnswer, RequestCancelled, StillPending, ClientError: as `ask`.
    """
    shape = Shape(form)
    asked = question(title, "form", options, response_schema=shape.schema)
    return shape.read(settled(asked, client))
