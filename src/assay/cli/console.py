"""What is printed, and where to: results to standard output, all else to standard error."""

import sys

from rich.console import Console
from rich.markup import escape

from assay.core.errors import AssayError

# What a table takes where there is no terminal to ask.
PIPE_WIDTH = 140
FAULTS_SHOWN = 30


def output() -> Console:
    """The console of standard output."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def notes() -> Console:
    """The console of standard error."""
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else PIPE_WIDTH)


def note(text: str) -> None:
    """Print a line of rich markup to standard error."""
    notes().print(text, soft_wrap=True)


def print_error(error: AssayError) -> None:
    """Print what is wrong, each fault with its place on a line of its own."""
    note(f"[bold red]Error:[/] {escape(error.detail)}")
    for fault in error.errors[:FAULTS_SHOWN]:
        note(f"  [bold]{escape(fault.place)}[/]: {escape(fault.message)}")
    if len(error.errors) > FAULTS_SHOWN:
        note(f"  and {len(error.errors) - FAULTS_SHOWN} more")
