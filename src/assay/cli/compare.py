"""The command `assay compare`."""

import sys
from collections.abc import Callable, Sequence
from typing import Annotated
from uuid import UUID

import typer
from rich.markup import escape
from rich.table import Table

from assay.cli.console import output
from assay.cli.process import load_settings, run
from assay.cli.typer_app import typer_app
from assay.core.config import Settings
from assay.core.errors import Invalid
from assay.identity.actor import LOCAL_ACTOR
from assay.playground.runs.comparison.schemas import ComparedRun, Comparison, RunComparison
from assay.playground.runs.comparison.service import MOST_RUNS, compare_runs
from assay.playground.runs.comparison.verdict import Outcome, told
from assay.startup import open_database

app = typer_app()
_COLOURS = {Outcome.better: "green", Outcome.worse: "red", Outcome.undecided: "yellow"}


@app.command(
    epilog="""[dim]Examples[/dim]

    assay compare 019ab1de-6f00-7a55-8000-3c1f2e5d7a90 019ab1de-6f00-7b12-8000-5d0c9b3e4f21

    assay compare OLD NEW --model openai/gpt-5=openai/gpt-5-mini"""
)
def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN...", help=f"The id of a run, and of 1 to {MOST_RUNS - 1} others."
        ),
    ],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model that all have, or FIRST=OTHER to pair two; can be repeated. Without it, "
            "those that both have, or the only one of each."
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Hold runs against each other and say whether one is better.

    They have to be on the same dataset; the first is what the others are held against, item by
    item.
    """
    run_ids = [_run_id(text) for text in runs]
    settings = load_settings(quiet=True)
    raise typer.Exit(run(_compare(settings, run_ids, model or [], as_json=json)))


def _run_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Invalid(f'"{text}" is not the id of a run.') from None


async def _compare(
    settings: Settings, run_ids: Sequence[UUID], models: Sequence[str], *, as_json: bool
) -> int:
    async with open_database(settings) as database, database.session() as session:
        found = await compare_runs(session, LOCAL_ACTOR, run_ids, models)
    if as_json:
        sys.stdout.write(found.model_dump_json() + "\n")
    else:
        _print(found)
    return 0


def _print(found: RunComparison) -> None:
    console = output()
    first, runs = found.runs[0], {run.id: run for run in found.runs}
    console.print(f"Held against [bold]{escape(_title(first))}[/]")
    console.print()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Run", overflow="fold")
    table.add_column("Model", overflow="fold")
    for name in ("Pairs", "Pass", "Difference", "Better", "Worse", "p", "Score", "Cost", "p50"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in found.comparisons:
        table.add_row(escape(_title(runs[each.run_id])), escape(_models(each)), *_figures(each))
    console.print(table)
    for each in found.comparisons:
        colour = _COLOURS[each.verdict]
        title = f"{_title(runs[each.run_id])}, {_models(each)}"
        console.print(f"\n[bold]{escape(title)}[/]")
        console.print(f"[{colour}]{escape(each.text)}[/]", soft_wrap=True)
    if not found.graded_alike:
        console.print("\nThe runs have different assertions or rules for passing.")


def _title(run: ComparedRun) -> str:
    return f"{run.prompt} v{run.version_number} ({run.name or str(run.id)})"


def _models(each: Comparison) -> str:
    before, after = each.before.model, each.after.model
    return before if before == after else f"{before} → {after}"


def _figures(each: Comparison) -> list[str]:
    before, after, rates, score = each.before, each.after, each.pass_rate, each.score
    costs = (before.cost.total, after.cost.total)
    latencies = (before.latency_ms.median, after.latency_ms.median)
    return [
        f"{each.pairs:,}",
        _pair((before.pass_rate, after.pass_rate), lambda rate: f"{rate:.1%}"),
        "-"
        if rates.interval is None
        else f"{100 * rates.difference:+.1f} "
        f"[dim]({100 * rates.interval[0]:+.1f} to {100 * rates.interval[1]:+.1f})[/]",
        f"{each.better.count:,}",
        f"{each.worse.count:,}",
        told(rates.p_adjusted),
        "-" if score is None else f"{score.difference:+.3f}",
        _pair(costs, lambda cost: f"${cost:,.4f}" if cost else "$0"),
        _pair(latencies, lambda latency: f"{latency:.0f} ms"),
    ]


def _pair(values: tuple[float | None, float | None], write: Callable[[float], str]) -> str:
    return " → ".join("-" if value is None else write(value) for value in values)
