"""The commands `assay datasets`."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, BinaryIO
from uuid import UUID

import typer
from rich.markup import escape
from sqlalchemy.ext.asyncio import AsyncSession

from assay.cli.console import note, print_error
from assay.cli.options import checked
from assay.cli.process import load_settings, run
from assay.cli.transfer_progress import transfer_display
from assay.cli.typer_app import typer_app
from assay.core.config import Settings
from assay.core.database import Database
from assay.core.decoding import Encoding
from assay.core.errors import FieldFault, Invalid, SetupError
from assay.identity.actor import LOCAL_ACTOR
from assay.playground.datasets.exports.service import Export, prepare_export, write_export
from assay.playground.datasets.imports.reading import FileForm
from assay.playground.datasets.imports.schemas import DelimiterName, FileFormat, ImportReport
from assay.playground.datasets.imports.service import Progress, RowsRefused, import_items
from assay.playground.datasets.imports.targets import read_mapping
from assay.playground.datasets.schemas import DatasetCreate
from assay.playground.datasets.service import create_dataset
from assay.startup import open_database

app = typer_app(
    help="Bring items of datasets in from files, and out again.",
    no_args_is_help=True,
    epilog="""[dim]Examples[/dim]

    assay datasets import tests.csv --dataset 0199a3c5-2f4e-7cc1-b0a5-7a3d1c7e9f10

    assay datasets export --dataset 0199a3c5-2f4e-7cc1-b0a5-7a3d1c7e9f10 > items.csv""",
)

REFUSED = 1
BLOCK = 1024 * 1024
STDIN = Path("-")
_FORMATS = {
    ".csv": FileFormat.csv,
    ".tsv": FileFormat.csv,
    ".jsonl": FileFormat.jsonl,
    ".ndjson": FileFormat.jsonl,
}


@dataclass(frozen=True, slots=True)
class Goal:
    """Where items go: into a dataset that is there, or a new one of a use case."""

    dataset: UUID | None
    use_case: UUID | None
    name: str | None

    def check(self) -> None:
        """Make sure that it is one of the two."""
        if (self.dataset is None) == (self.use_case is None):
            raise Invalid("Give either --dataset, or --use-case for a new one.")
        if self.name is not None and self.use_case is None:
            raise Invalid("--name is for a new dataset, with --use-case.")

    async def reach(self, session: AsyncSession, file: Path) -> UUID:
        """The id of the dataset, which is made where it is a new one."""
        if self.use_case is None:
            assert self.dataset is not None
            return self.dataset
        new = checked(DatasetCreate, name=file.stem[:255] if self.name is None else self.name)
        return (await create_dataset(session, LOCAL_ACTOR, self.use_case, new)).id


@app.command(
    "import",
    epilog="""[dim]Examples[/dim]

    assay datasets import tests.csv --dataset 0199a3c5-2f4e-7cc1-b0a5-7a3d1c7e9f10

    assay datasets import faq.csv --use-case 0199a3c5-2f4e-7cc1-b0a5-7a3d1c7e9f10 --name FAQ \
--map '{"question": "input.message", "answer": "expected_output"}'""",
)
def import_file(  # noqa: PLR0913, PLR0917  # each is an option of the command
    file: Annotated[Path, typer.Argument(help="CSV or JSON Lines; - for standard input.")],
    dataset: Annotated[UUID | None, typer.Option(help="The id of the dataset.")] = None,
    use_case: Annotated[
        UUID | None, typer.Option(help="The id of the use case that gets a new dataset.")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What to call the new dataset; else as the file.")
    ] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Import the rows that fit, where others do not.")
    ] = False,
    mapping: Annotated[
        str | None,
        typer.Option("--map", help="A JSON object from columns to where they go in an item."),
    ] = None,
    file_format: Annotated[
        FileFormat | None, typer.Option("--format", help="Else by how the file's name ends.")
    ] = None,
    delimiter: Annotated[
        DelimiterName | None, typer.Option(help="Between cells; else found from the file.")
    ] = None,
    encoding: Annotated[
        Encoding | None, typer.Option(help="Of the text; else found from the file.")
    ] = None,
) -> None:
    """Make items of the rows of a file: all, or where one does not fit, none.

    Ends with 1 where rows were refused.
    """
    goal = Goal(dataset, use_case, name)
    goal.check()
    form = FileForm(
        file_format or _format_of(file),
        delimiter.delimiter if delimiter else None,
        encoding,
        read_mapping(mapping, "--map") if mapping else {},
        partial,
    )
    settings = load_settings(quiet=True)
    with _opened(file) as stream:
        try:
            code = run(_import(settings, file, stream, goal, form))
        except RowsRefused as refused:
            print_error(refused)
            code = REFUSED
    raise typer.Exit(code)


def _format_of(file: Path) -> FileFormat:
    try:
        return _FORMATS[file.suffix.lower()]
    except KeyError:
        known = ", ".join(_FORMATS)
        message = f"{file} does not end in one of {known}: say what it is with --format."
        raise Invalid(message, errors=[FieldFault("--format", "csv or jsonl")]) from None


def _opened(file: Path) -> BinaryIO:
    if file == STDIN:
        return sys.stdin.buffer
    try:
        return file.open("rb")
    except OSError as error:
        raise SetupError(f"{file} cannot be read: {error.strerror}.") from None


async def _import(
    settings: Settings, file: Path, stream: BinaryIO, goal: Goal, form: FileForm
) -> int:
    size = None if file == STDIN else os.fstat(stream.fileno()).st_size
    async with open_database(settings) as database:
        with transfer_display(size) as display:

            async def tell(progress: Progress) -> None:
                display.show(progress.rows, progress.refused, progress.bytes)

            async with database.session() as session:
                dataset_id = await goal.reach(session, file)
                source = _blocks(stream)
                report = await import_items(session, LOCAL_ACTOR, dataset_id, source, form, tell)
    _print(report, dataset_id)
    return REFUSED if report.refused else 0


async def _blocks(stream: BinaryIO) -> AsyncIterator[bytes]:
    while block := await asyncio.to_thread(stream.read, BLOCK):
        yield block


def _print(report: ImportReport, dataset_id: UUID) -> None:
    for column in report.left_out:
        note(f"[yellow]Not carried over:[/] {escape(column.column)}: {escape(column.reason)}")
    for refusal in report.refusals:
        place = f"line {refusal.line}{', ' if refusal.place else ''}{refusal.place}"
        note(f"[yellow]Refused:[/] [bold]{escape(place)}[/]: {escape(refusal.message)}")
    refused = f", {report.refused:,} rows refused" if report.refused else ""
    note(f"{report.items:,} items imported{refused}; the dataset is at version {report.version}.")
    typer.echo(str(dataset_id))


@app.command(
    epilog="""[dim]Examples[/dim]

    assay datasets export --dataset 0199a3c5-2f4e-7cc1-b0a5-7a3d1c7e9f10 > items.csv

    assay datasets export --dataset 0199a3c5-2f4e-7cc1-b0a5-7a3d1c7e9f10 --output items.jsonl"""
)
def export(
    dataset: Annotated[UUID, typer.Option(help="The id of the dataset.")],
    file_format: Annotated[
        FileFormat | None,
        typer.Option("--format", help="Else by how the output's name ends; CSV by default."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="The file to write; else standard output.")
    ] = None,
    version: Annotated[
        int | None, typer.Option(min=0, help="Of the dataset; else the one that it is at.")
    ] = None,
) -> None:
    """Write the items of a dataset to a file that an import reads back."""
    if file_format is None:
        file_format = _format_of(output) if output else FileFormat.csv
    settings = load_settings(quiet=True)
    raise typer.Exit(run(_export(settings, dataset, file_format, output, version)))


async def _export(
    settings: Settings,
    dataset_id: UUID,
    file_format: FileFormat,
    output: Path | None,
    version: int | None,
) -> int:
    async with open_database(settings) as database:
        async with database.reading() as session:
            export = await prepare_export(session, LOCAL_ACTOR, dataset_id, file_format, version)
        if output is None:
            await _write(database, export, sys.stdout.buffer)
            sys.stdout.flush()
            return 0
        try:
            with output.open("wb") as stream:
                await _write(database, export, stream)
        except OSError as error:
            raise SetupError(f"{output} cannot be written: {error.strerror}.") from None
    return 0


async def _write(database: Database, export: Export, stream: BinaryIO) -> None:
    async for piece in write_export(database, export):
        stream.write(piece)
