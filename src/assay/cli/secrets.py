"""The command `assay secrets rotate`."""

from collections.abc import Iterator
from typing import Any

import typer
from sqlalchemy import Column, MetaData, Table, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from assay.cli.console import note
from assay.cli.process import load_settings, run
from assay.cli.typer_app import typer_app
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.errors import SetupError
from assay.core.secrets import KeyFileRotation, Sealed, SecretKey, load_secret_key
from assay.startup import open_database
from assay.wiring import metadata

app = typer_app(
    help="Look after SECRET_KEY, which stored secrets are sealed with.",
    no_args_is_help=True,
    epilog="""[dim]Examples[/dim]

    assay secrets rotate""",
)


@app.callback()
def secrets() -> None:
    """Look after SECRET_KEY, which stored secrets are sealed with."""


@app.command(
    epilog="""[dim]Examples[/dim]

    SECRET_KEY_PREVIOUS=$OLD SECRET_KEY=$NEW assay secrets rotate

    assay secrets rotate"""
)
def rotate() -> None:
    """Seal all stored secrets with a new key.

    With SECRET_KEY set, they are sealed with it, and SECRET_KEY_PREVIOUS opens what the key
    before has sealed. Without it a new key takes the place of the one in ASSAY_HOME. All or
    nothing; when it was broken off, run it again. Afterwards start servers and workers again.
    """
    settings = load_settings(quiet=True)
    raise typer.Exit(run(_rotate(settings)))


async def _rotate(settings: Settings) -> int:
    if settings.secret_key is not None and settings.secret_key_previous is None:
        raise SetupError(
            "SECRET_KEY_PREVIOUS is not set, so there is no key to change from. Set it to the "
            "key until now, and SECRET_KEY to the new one."
        )
    async with open_database(settings) as database:
        if settings.secret_key is not None:
            count = await _seal_all_again(database, load_secret_key(settings))
        else:
            rotation = KeyFileRotation(settings.assay_home)
            count = await _seal_all_again(database, rotation.begin())
            rotation.end()
    note(f"{count} stored secrets are sealed with the new key. Start servers and workers again.")
    return 0


async def _seal_all_again(database: Database, secret: SecretKey) -> int:
    async with database.session() as session:
        return sum(
            [
                await _seal_column_again(session, table, column, secret)
                for table, column in _sealed_columns(metadata)
            ]
        )


def _sealed_columns(metadata: MetaData) -> Iterator[tuple[Table, Column[Any]]]:
    for table in metadata.sorted_tables:
        for column in table.columns:
            if isinstance(column.type, Sealed):
                yield table, column


async def _seal_column_again(
    session: AsyncSession, table: Table, column: Column[Any], secret: SecretKey
) -> int:
    keys = list(table.primary_key.columns)
    query = select(column, *keys).where(column.is_not(None)).with_for_update()
    rows = (await session.execute(query)).all()
    for sealed, *values in rows:
        mine = [key == value for key, value in zip(keys, values, strict=True)]
        again = secret.seal_again(sealed)
        await session.execute(update(table).where(*mine).values({column: again}))
    return len(rows)
