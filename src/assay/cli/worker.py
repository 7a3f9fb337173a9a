"""The command `assay worker`."""

import asyncio

import typer

from assay.cli.console import note
from assay.cli.database import database_name
from assay.cli.process import load_settings, run, stop_event
from assay.cli.typer_app import typer_app
from assay.core.config import Settings
from assay.startup import open_database
from assay.worker import open_gateway, open_workshop, run_worker

app = typer_app()


@app.command(
    epilog="""[dim]Examples[/dim]

    assay worker

    DATABASE_URL=postgresql://assay:secret@db/assay assay worker"""
)
def worker() -> None:
    """Work on jobs beside a server, or on another machine.

    Any number of workers share the jobs of one database: that of DATABASE_URL, or the embedded
    one under ASSAY_HOME. Ctrl-C hands back what is not done.
    """
    raise typer.Exit(run(_work(load_settings()), interrupted=0))


async def _work(settings: Settings) -> int:
    async with (
        open_database(settings) as database,
        open_gateway(settings, database) as gateway,
        open_workshop(settings, database, gateway) as workshop,
        run_worker(settings, database, workshop) as working,
    ):
        note(
            f"Working on jobs in {database_name(settings)}: up to {settings.worker_jobs} at a "
            f"time, up to {settings.worker_max_in_flight} model calls in flight for each run. "
            "Ctrl-C stops."
        )
        with stop_event() as stopped:
            waiting = asyncio.create_task(stopped.wait())
            await asyncio.wait({waiting, working}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
        note("Stopping: jobs that are not done are handed back.")
    return 0
