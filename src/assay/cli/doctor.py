"""The command `assay doctor`."""

from typing import Annotated

import orjson
import typer
from rich.markup import escape
from rich.table import Table

from assay.cli.checks import Finding, Status, check_all, check_settings
from assay.cli.console import output
from assay.cli.process import run
from assay.cli.typer_app import typer_app
from assay.core.config import Settings
from assay.core.logging import configure_logging

app = typer_app()
UNSOUND = 1
_COLOURS = {Status.ok: "green", Status.warn: "yellow", Status.fail: "bold red"}


@app.command(
    epilog="""[dim]Examples[/dim]

    assay doctor

    assay doctor --json | jq '.[] | select(.status == "fail")'"""
)
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check the set-up and say how to mend what is wrong.

    Looks at settings, home, disk, database, storage of files, providers and port, and asks no
    model. Exit code 1 where something has to be mended before Assay works.
    """
    settings, finding = check_settings()
    findings = [finding]
    if settings is not None:
        configure_logging(settings.model_copy(update={"log_level": "ERROR"}))
        stopped = run(_look(settings, findings))
        if stopped:
            raise typer.Exit(stopped)
    if as_json:
        typer.echo(orjson.dumps([each.as_json() for each in findings], option=orjson.OPT_INDENT_2))
    else:
        output().print(_table(findings))
    failed = any(each.status is Status.fail for each in findings)
    raise typer.Exit(UNSOUND if failed else 0)


async def _look(settings: Settings, findings: list[Finding]) -> int:
    findings.extend(await check_all(settings))
    return 0


def _table(findings: list[Finding]) -> Table:
    table = Table("Check", "", "Found", "Remedy", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for each in findings:
        colour = _COLOURS[each.status]
        table.add_row(
            escape(each.name),
            f"[{colour}]{each.status}[/]",
            escape(each.detail),
            escape(each.remedy or ""),
        )
    return table
