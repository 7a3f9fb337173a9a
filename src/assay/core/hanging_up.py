"""Clients that hang up before they have their answer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import Receive


@asynccontextmanager
async def until_hung_up(receive: Receive) -> AsyncIterator[None]:
    """Cancel what goes on inside when the client hangs up, and go on behind it.

    `receive` is that of the request, whose body has been read.
    """
    task = asyncio.current_task()
    assert task is not None
    hung_up = False

    async def watch() -> None:
        nonlocal hung_up
        while (await receive())["type"] != "http.disconnect":
            pass
        hung_up = True
        task.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    except asyncio.CancelledError:
        # Others may have cancelled the task as well, and that has to go on.
        if not hung_up or task.uncancel() > 0:
            raise
    finally:
        watching.cancel()
