"""Ask people from a program with an event loop."""

from collections.abc import Sequence
from typing import Any, TypeVar, Unpack

from assay.asking.decisions import Approval, Decision, approval, decision
from assay.asking.options import AnyAskOptions, AskOptions, question
from assay.asking.shapes import Shape
from assay.client import AsyncClient
from assay.client.asynchronous.settling import async_settled
from assay.client.options import Json
from assay.client.question import AnyKind

T = TypeVar("T")


async def ask_async(
    title: str,
    *,
    kind: AnyKind = "text",
    client: AsyncClient | None = None,
    **options: Unpack[AnyAskOptions],
) -> Decision[Any]:
    """As `assay.ask`, in an event loop."""
    return decision(await async_settled(question(title, kind, options), client))


async def approve_async(
    title: str,
    *,
    edits_schema: Json | None = None,
    client: AsyncClient | None = None,
    **options: Unpack[AskOptions],
) -> Approval:
    """As `assay.approve`, in an event loop."""
    more = {} if edits_schema is None else {"edits_schema": edits_schema}
    return approval(await async_settled(question(title, "approve", options, **more), client))


async def choose_async(
    title: str,
    choices: Sequence[str | Json],
    *,
    client: AsyncClient | None = None,
    **options: Unpack[AskOptions],
) -> Decision[str]:
    """As `assay.choose`, in an event loop."""
    return decision(
        await async_settled(question(title, "choose", options, options=choices), client)
    )


async def form_async(
    title: str,
    form: type[T],
    *,
    client: AsyncClient | None = None,
    **options: Unpack[AskOptions],
) -> Decision[T]:
    """As `assay.form`, in an event loop."""
    shape = Shape(form)
    asked = question(title, "form", options, response_schema=shape.schema)
    return shape.read(await async_settled(asked, client))
