"""The commands `assay task`."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from assay.agents.tasks.models import TaskStatus
from assay.cli.process import load_settings, run
from assay.cli.tasks import looking, working
from assay.cli.tasks.agents import AgentOptions
from assay.cli.tasks.starting import new_task
from assay.cli.typer_app import typer_app
from assay.core.config import Settings
from assay.core.database import Database
from assay.startup import open_database

app = typer_app(
    help="Let an agent do a task in a repository, and look after tasks.",
    no_args_is_help=True,
    epilog="""[dim]Examples[/dim]

    assay task run --repo . --title 'Round prices half up' --model openai/gpt-6-luna

    assay task show last --diff""",
)


class Provider(StrEnum):
    """Where sandboxes are."""

    local = "local"
    e2b = "e2b"


TaskId = Annotated[
    str, typer.Argument(help="The id of a task, or last for the newest.", metavar="ID")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
JsonLines = Annotated[
    bool, typer.Option("--json", help="Print each event as a line of JSON, for programs.")
]


@app.command(
    "run",
    epilog="""[dim]Examples[/dim]

    assay task run --repo https://github.com/example/shop.git --title 'Round prices half up'
    --model openai/gpt-6-luna

    assay task run --repo . --title 'Mend the tests' --description-file what.md --approve push

    assay task run --repo . --title 'Mend the tests' --max-cost 0.50 --json | jq -r .kind""",
)
def run_task(  # noqa: PLR0913, PLR0917  # each is an option of the command
    repo: Annotated[
        str, typer.Option(help="The repository: its address, or a folder on this machine.")
    ],
    title: Annotated[str, typer.Option(help="What is to be done, in a line.")],
    description: Annotated[
        str | None, typer.Option(help="What is to be done, in full.", show_default=False)
    ] = None,
    description_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A file that says it; - for standard input.", show_default=False
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="The branch to start from, else the default one.", show_default=False),
    ] = None,
    agent: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|ID",
            help="An agent that there is, which works as it is set up; else one called cli works "
            "as the options below say.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="PROVIDER/MODEL", help="The model, else that of last time.", show_default=False
        ),
    ] = None,
    provider: Annotated[
        Provider | None, typer.Option(help="Where its sandbox is, else local.", show_default=False)
    ] = None,
    approve: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT",
            help="What needs your leave: push, pull_request, network, or names of tools; with "
            "commas.",
            show_default=False,
        ),
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(help="Turns of the model at most, else 100.", show_default=False)
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option(help="USD at most, else no limit.", show_default=False)
    ] = None,
    max_seconds: Annotated[
        int | None, typer.Option(help="Seconds of work at most, else 3600.", show_default=False)
    ] = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="End with 3 where it has to wait for a person.")
    ] = False,
    as_json: JsonLines = False,
) -> None:
    """Do a task, and show what happens.

    It needs no server: a worker is inside. What comes out is a pushed branch, and on GitHub a pull
    request. What the agent asks can be answered right here, where standard input is a terminal.
    Ctrl-C cancels the task, and waits until its sandbox is gone.

    Exit code 0 when the task was completed; 1 when it failed, or somebody else cancelled it; 2 when
    an option or the set-up is faulty (then nothing was started); 3 with --no-wait, when it waits
    for a person; 130 when it was cancelled with Ctrl-C, or because nobody reads its output.
    """
    options = AgentOptions(
        model=model,
        provider=provider,
        approve=approve,
        max_steps=max_steps,
        max_seconds=max_seconds,
        max_cost=max_cost,
    )
    options.settings()
    new = new_task(repo, title, description, description_file, base)
    settings = load_settings(quiet=True)
    wanted = working.Wanted(new, agent, options, no_wait=no_wait, as_json=as_json)
    raise typer.Exit(run(working.do_task(settings, wanted)))


@app.command(
    "list",
    epilog="""[dim]Examples[/dim]

    assay task list

    assay task list --status waiting --json""",
)
def list_tasks(
    status: Annotated[
        TaskStatus | None, typer.Option(help="Only those that stand so.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="How many at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List tasks, the newest first."""
    _end(lambda _, database: looking.list_tasks(database, status, limit, as_json=as_json))


@app.command(
    epilog="""[dim]Examples[/dim]

    assay task show last

    assay task show 019abf3c-6f0c-7d1e-9a55-8b0f4f4c2d11 --diff | git apply --stat"""
)
def show(
    task: TaskId,
    diff: Annotated[
        bool, typer.Option("--diff", help="Print what it has changed, and nothing else.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show how a task stands: its summary, and what was done with git."""
    if diff:
        _end(lambda settings, database: looking.show_diff(settings, database, task))
    _end(lambda _, database: looking.show_task(database, task, as_json=as_json))


@app.command(
    epilog="""[dim]Examples[/dim]

    assay task watch last

    assay task watch last --work

    assay task watch last --json --after 41"""
)
def watch(
    task: TaskId,
    after: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="SEQUENCE",
            help="Show only what came behind the event of this number.",
        ),
    ] = 0,
    work: Annotated[
        bool,
        typer.Option("--work", help="Work on it here too, where there is no server and no worker."),
    ] = False,
    as_json: JsonLines = False,
) -> None:
    """Show all that happened in a task, and what happens until it ends.

    What it asks can be answered right here, where standard input is a terminal. Ctrl-C ends the
    watching alone: the task goes on wherever there is a worker.

    Exit codes are those of assay task run; 130 when it is not over yet.
    """
    _end(
        lambda settings, database: working.watch_task(
            settings, database, task, after=after, work=work, as_json=as_json
        )
    )


@app.command(
    epilog="""[dim]Examples[/dim]

    assay task cancel last"""
)
def cancel(task: TaskId) -> None:
    """Cancel a task: what it runs is stopped, what it asked is taken back, its sandbox goes."""
    _end(lambda _, database: working.cancel(database, task))


def _end(work: Callable[[Settings, Database], Awaitable[int]]) -> None:
    settings = load_settings(quiet=True)

    async def on_database() -> int:
        async with open_database(settings) as database:
            return await work(settings, database)

    raise typer.Exit(run(on_database()))
