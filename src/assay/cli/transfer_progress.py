"""Shows how far an import is: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from assay.cli.console import note, notes

LINE_EVERY = 5.0


class TransferDisplay(Protocol):
    """What shows how far it is."""

    def show(self, rows: int, refused: int, read: int) -> None:
        """Show items and refused rows so far, and the bytes read."""
        ...


@contextmanager
def transfer_display(size: int | None) -> Iterator[TransferDisplay]:
    """A display on standard error that fits what standard error is; `size` in bytes if known."""
    console = notes()
    if not console.is_terminal:
        yield _Lines(size)
        return
    bar = Progress(
        TextColumn("[bold]{task.fields[count]}"),
        BarColumn(bar_width=24),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )
    with bar:
        yield _Bar(bar, bar.add_task("", total=size, count="starting"))


class _Bar:
    def __init__(self, bar: Progress, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def show(self, rows: int, refused: int, read: int) -> None:
        self._bar.update(self._task, completed=read, count=_count(rows, refused))


class _Lines:
    def __init__(self, size: int | None) -> None:
        self._size = size
        self._said = time.monotonic()

    def show(self, rows: int, refused: int, read: int) -> None:
        now = time.monotonic()
        if now - self._said >= LINE_EVERY:
            self._said = now
            share = f"  {100 * read // self._size}%" if self._size else ""
            note(f"{_count(rows, refused)}{share}")


def _count(rows: int, refused: int) -> str:
    return f"{rows:,} items" + (f", {refused:,} rows refused" if refused else "")
