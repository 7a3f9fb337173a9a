"""A command as a process: settings and logs first, then an event loop that signals end."""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from sqlalchemy.exc import DBAPIError

from assay.core.config import Settings
from assay.core.database import is_disconnect
from assay.core.errors import Unavailable
from assay.core.logging import configure_logging

if sys.platform == "win32":
    from asyncio import new_event_loop
else:
    from uvloop import new_event_loop

INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def load_settings(*, quiet: bool = False, **overrides: object) -> Settings:
    """Read the settings and set up the logs.

    Args:
        quiet: log errors only, unless LOG_LEVEL says otherwise; for commands that print
            something better, such as the cells that failed.
        overrides: options of the command line, which win over the environment.

    Raises:
        SetupError: a setting has a value that it does not take.
    """
    settings = Settings.load(**overrides)
    if quiet and "log_level" not in settings.model_fields_set:
        settings = settings.model_copy(update={"log_level": "ERROR"})
    configure_logging(settings)
    return settings


def run(command: Coroutine[Any, Any, int], *, interrupted: int = INTERRUPTED) -> int:
    """Run a command to its end and give its exit code.

    SIGINT and SIGTERM cancel it, which gives `interrupted`; inside `on_stop` they do what that
    says. A second signal while something is being ended cancels that too.

    Raises:
        Unavailable: the database went away in the middle.
    """
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_cancelled_by_signals(command, interrupted))


async def _cancelled_by_signals(command: Coroutine[Any, Any, int], interrupted: int) -> int:
    task = asyncio.current_task()
    assert task is not None
    with on_stop(task.cancel):
        try:
            return await command
        except asyncio.CancelledError:
            return interrupted
        except (DBAPIError, ConnectionError) as error:
            if not is_disconnect(error):
                raise
            reason = str(error).splitlines()[0]
            raise Unavailable(f"The database went away: {reason}. Try again.") from error


@contextmanager
def stop_event() -> Iterator[asyncio.Event]:
    """An event that the first SIGINT or SIGTERM sets; a second one cancels the task."""
    task = asyncio.current_task()
    assert task is not None
    stopped = asyncio.Event()

    def stop() -> None:
        if stopped.is_set():
            task.cancel()
        stopped.set()

    with on_stop(stop):
        yield stopped


@contextmanager
def on_stop(action: Callable[[], object]) -> Iterator[None]:
    """While the context lasts, SIGINT and SIGTERM call `action` in the running event loop."""
    loop = asyncio.get_running_loop()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(action)

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
