"""Shows how far runs are: a bar on a terminal, a line now and then elsewhere."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from assay.cli.console import note, notes
from assay.cli.follow import Display, Standing

LINE_EVERY = 5.0


@contextmanager
def progress_display() -> Iterator[Display]:
    """A display on standard error that fits what standard error is."""
    console = notes()
    if not console.is_terminal:
        yield _Lines()
        return
    bar = Progress(
        TextColumn("[bold]{task.fields[count]}"),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[share]}"),
        TextColumn("{task.fields[rest]}"),
        console=console,
        auto_refresh=False,
    )
    with bar, _logs_above():
        yield _Bar(bar, bar.add_task("", total=None, count="starting", share="", rest=""))


class _Bar:
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def show(self, standing: Standing, pace: float) -> None:
        self._bar.update(
            self._task,
            total=standing.total,
            completed=standing.completed,
            count=_count(standing),
            share=_share(standing),
            rest=in_words(standing, pace),
            refresh=True,
        )

    def say(self, message: str) -> None:
        self._bar.console.print(escape(message))


class _Lines:
    def __init__(self) -> None:
        self._said = 0.0
        self._shown: Standing | None = None

    def show(self, standing: Standing, pace: float) -> None:
        now = time.monotonic()
        # People can take days, in which there is nothing new to say.
        nothing_new = standing == self._shown and standing.waiting > 0
        if standing.active and (now - self._said < LINE_EVERY or nothing_new):
            return
        self._said, self._shown = now, standing
        note(f"{_count(standing)}  {_share(standing)}  {in_words(standing, pace)}")

    def say(self, message: str) -> None:
        note(escape(message))


def _count(standing: Standing) -> str:
    return f"{standing.completed:,}/{standing.total:,} cells"


def _share(standing: Standing) -> str:
    # Rounded down: 100 % is when it is done.
    share = 100 * standing.completed // standing.total if standing.total else 100
    return f"{share:3}%"


def in_words(standing: Standing, pace: float) -> str:
    """Pace, cost, failures and the time left, as far as there is something to say."""
    parts = [f"{pace:,.0f} cells/s" if pace >= 10 else f"{pace:.1f} cells/s"]
    if standing.cost:
        parts.append(f"${standing.cost:,.4f}")
    if standing.failed:
        parts.append(f"{standing.failed:,} failed")
    if standing.errors:
        parts.append(f"{standing.errors:,} in error")
    if standing.waiting:
        parts.append(f"{standing.waiting:,} wait for people")
    left = standing.total - standing.completed - standing.waiting
    if left and pace:
        minutes, seconds = divmod(round(left / pace), 60)
        parts.append(f"{minutes}:{seconds:02} left")
    return "  ".join(parts)


@contextmanager
def _logs_above() -> Iterator[None]:
    """Let log lines appear above a live bar; rich has put a stream for that into sys.stderr."""
    handlers = [
        handler
        for handler in logging.getLogger().handlers
        if isinstance(handler, logging.StreamHandler)
    ]
    streams = [handler.setStream(sys.stderr) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, streams, strict=True):
            if stream is not None:
                handler.setStream(stream)
