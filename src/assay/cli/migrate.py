"""The command `assay migrate`."""

from typing import Annotated

import typer

from assay import migrations
from assay.cli.console import output
from assay.cli.database import database_name, reach_database
from assay.cli.process import load_settings, run
from assay.cli.typer_app import typer_app
from assay.core.config import Settings

app = typer_app()
BEHIND = 1


@app.command(
    epilog="""[dim]Examples[/dim]

    assay migrate

    assay migrate --check"""
)
def migrate(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 where it is not there.")
    ] = False,
) -> None:
    """Bring the database to the revision that this Assay needs.

    All or nothing: a migration that fails leaves the database as it was. The embedded database
    is migrated at every start anyway.
    """
    raise typer.Exit(run(_migrate(load_settings(quiet=True), check)))


async def _migrate(settings: Settings, check: bool) -> int:
    name, head = database_name(settings), migrations.head()
    async with reach_database(settings) as database:
        before = await migrations.current(database)
        if before == head:
            output().print(f"{name} is at revision {head}, the newest.", soft_wrap=True)
            return 0
        if check:
            output().print(
                f"{name} is at revision {before or 'none'}; this Assay needs {head}. "
                "Run assay migrate.",
                soft_wrap=True,
            )
            return BEHIND
        await migrations.upgrade(database)
        output().print(f"{name}: from revision {before or 'none'} to {head}.", soft_wrap=True)
    return 0
