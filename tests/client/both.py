"""One way to drive both clients, so that a test is written once."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

from assay.client import AsyncClient, Client

ENDED = object()


def in_threads(client: Client) -> AsyncClient:
    """A client for threads that looks like the other one: each call is made in a thread."""
    return cast("AsyncClient", _InThreads(client))


class _InThreads:
    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        name = {"aclose": "close"}.get(name, name)
        found = getattr(self._inner, name)
        if not inspect.ismethod(found):
            module = type(found).__module__
            return _InThreads(found) if module.startswith("assay.client.synchronous") else found
        if "Iterator" in str(inspect.signature(found).return_annotation):
            return lambda *args, **more: _taken(found(*args, **more))
        return _call(found)


def _call(method: Callable[..., Any]) -> Callable[..., Any]:
    async def call(*arguments: Any, **more: Any) -> Any:
        return await asyncio.to_thread(method, *arguments, **more)

    return call


async def _taken(things: Iterator[Any]) -> AsyncIterator[Any]:
    while (thing := await asyncio.to_thread(next, things, ENDED)) is not ENDED:
        yield thing
