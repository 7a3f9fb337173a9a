"""The command `assay up`."""

from typing import Annotated

import typer

from assay.app import create_app
from assay.cli.console import note
from assay.cli.process import load_settings, run
from assay.cli.serving import address, listen, serve
from assay.cli.typer_app import typer_app
from assay.core.config import Settings

app = typer_app()


@app.command(
    epilog="""[dim]Examples[/dim]

    assay up

    assay up --port 9000

    DATABASE_URL=postgresql://assay:secret@db/assay assay up --workers 0"""
)
def up(
    host: Annotated[
        str | None, typer.Option(help="Where to listen (HOST, 127.0.0.1).", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="The port; 0 takes a free one (API_PORT, 8721).",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=1,
            help="0 leaves jobs to assay worker (SERVER_WORKERS, 1).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Serve the API and work on jobs.

    Without DATABASE_URL it brings a PostgreSQL of its own, with its data under ASSAY_HOME.
    Ctrl-C stops accepting, lets what runs end, and hands back jobs that are not done.
    """
    settings = load_settings(host=host, api_port=port, server_workers=workers)
    raise typer.Exit(run(_up(settings), interrupted=0))


async def _up(settings: Settings) -> int:
    with listen(settings) as listener:
        server = create_app(settings)
        async with server.router.lifespan_context(server):
            url = address(listener)
            await serve(
                server,
                listener,
                settings,
                lambda: note(f"Assay is ready at {url} (API: {url}/docs). Ctrl-C stops it."),
            )
    return 0
