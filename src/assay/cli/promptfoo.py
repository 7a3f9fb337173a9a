"""The command `assay import`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.cli.console import note, output
from assay.cli.library import hold_library
from assay.cli.process import load_settings, run
from assay.cli.typer_app import typer_app
from assay.core.config import Settings
from assay.identity.actor import LOCAL_ACTOR
from assay.playground.projects.models import Project
from assay.playground.projects.schemas import ProjectCreate
from assay.playground.projects.service import create_project
from assay.playground.promptfoo.reader import read_suite
from assay.playground.promptfoo.schemas import PromptfooImported
from assay.playground.promptfoo.service import import_suite
from assay.playground.promptfoo.suite import Suite
from assay.startup import open_database

app = typer_app()
PROJECT = "Imported"


@app.command(
    epilog="""[dim]Examples[/dim]

    assay import promptfooconfig.yaml

    assay import promptfooconfig.yaml --project Support --name "Sorting messages\""""
)
def import_file(
    file: Annotated[Path, typer.Argument(help="A promptfoo configuration, YAML or JSON.")],
    project: Annotated[
        str, typer.Option(help="The project it goes into, made where it is missing.")
    ] = PROJECT,
    name: Annotated[
        str | None,
        typer.Option(help="What to call the use case; else the configuration's description."),
    ] = None,
) -> None:
    """Make prompts and a dataset of a promptfoo configuration.

    Files that it names are read from its folder and below. What has no counterpart here, such as
    code, is left out and listed with the reason.
    """
    settings = load_settings(quiet=True)
    suite = read_suite(file, leave_out=True)
    title = name or suite.description or file.name
    raise typer.Exit(run(_import(settings, suite, project, title[:255])))


async def _import(settings: Settings, suite: Suite, project: str, title: str) -> int:
    async with open_database(settings) as database, database.session() as session:
        await hold_library(session)
        home = await _project(session, project)
        made = await import_suite(session, LOCAL_ACTOR, home.id, suite, title)
    _print(made, home.name, title)
    return 0


async def _project(session: AsyncSession, name: str) -> Project:
    query = select(Project).where(Project.name == name).order_by(Project.id).limit(1)
    found = (await session.scalars(query)).one_or_none()
    return found or await create_project(session, LOCAL_ACTOR, ProjectCreate(name=name))


def _print(made: PromptfooImported, project: str, title: str) -> None:
    console = output()
    console.print(f"[bold]{escape(project)} / {escape(title)}[/] (use case {made.use_case_id})")
    console.print(f"  {made.items:,} items in dataset {made.dataset_id}")
    for prompt in made.prompts:
        console.print(f"  prompt {escape(prompt.name)} ({prompt.prompt_id})")
    for warning in made.warnings:
        note(f"[yellow]Note:[/] {escape(warning)}")
    if made.left_out:
        note(f"[yellow]Not carried over ({len(made.left_out)}):[/]")
        for each in made.left_out:
            note(f"  [bold]{escape(each.place)}[/]: {escape(each.reason)}")
