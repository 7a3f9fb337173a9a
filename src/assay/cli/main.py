"""The entry point `assay`.

A command's module, and with it the database and web libraries, is imported only when that
command runs, so that `assay --help` answers at once. The list of commands needs only the names
and summaries here.
"""

import gc
import signal
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from assay.cli.console import print_error
from assay.cli.typer_app import typer_app
from assay.core.errors import AssayError

COMMANDS = {
    "up": "Serve the API and work on jobs.",
    "demo": "Evaluate the sample project, print the comparison, then serve.",
    "eval": "Run an evaluation file from the shell.",
    "compare": "Hold runs against each other and say whether one is better.",
    "import": "Make prompts and a dataset of a promptfoo configuration.",
    "datasets": "Bring items of datasets in from files, and out again.",
    "task": "Let an agent do a task in a repository, and look after tasks.",
    "worker": "Work on jobs beside a server, or on another machine.",
    "mcp": "Let any MCP client ask people.",
    "users": "Make the people who can sign in, and change what they may do.",
    "keys": "Make and revoke API keys, with which programs act for people.",
    "secrets": "Look after SECRET_KEY, which stored secrets are sealed with.",
    "migrate": "Bring the database to the revision that this Assay needs.",
    "doctor": "Check the set-up and say how to mend what is wrong.",
}
# A module cannot be called `import`.
_MODULES = {"import": "promptfoo"}
FAULTY = 2
INTERRUPTED = 130


def load_command(name: str) -> Any:
    """The command or group of a name in `COMMANDS`, from its own module."""
    # What is imported stays to the end. Looking for garbage in it, again and again while it
    # grows, takes a sixth of the start; frozen, later looks pass it by too.
    gc.disable()
    try:
        module = import_module(f"assay.cli.{_MODULES.get(name, name)}")
        gc.freeze()
    finally:
        gc.enable()
    return get_command(module.app)


class LateCommands(TyperGroup):
    """A group that lists its commands without importing them."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that `args` name, from its own module."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, load_command(str(name)), rest


app = typer_app(
    cls=LateCommands,
    no_args_is_help=True,
    epilog="Start with [bold]assay demo[/bold]. [bold]assay COMMAND --help[/bold] has examples.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from assay import __version__  # noqa: PLC0415  # looks into the installed packages

        typer.echo(f"assay {__version__}")
        raise typer.Exit


@app.callback()
def assay(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Prompts, datasets and evaluations of language models, in one self-hosted server."""


def _listed() -> None:
    """Stands for a command in the list; `LateCommands` finds the real one."""


for _name, _summary in COMMANDS.items():
    app.command(_name, help=_summary)(_listed)


def main() -> None:
    """Run `assay` with the arguments of this process.

    Exit codes: 0 well, 1 where what was asked for came out badly, 2 for a fault in the
    command, a file or the set-up, 130 when interrupted.
    """
    # Until a command listens to signals itself there is nothing to bring to an end.
    signal.signal(signal.SIGINT, lambda *_: sys.exit(INTERRUPTED))
    try:
        app(prog_name="assay")
    except AssayError as error:
        print_error(error)
        sys.exit(FAULTY)


if __name__ == "__main__":
    main()
