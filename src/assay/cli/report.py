"""What came out of some runs: a table of prompts and models, and the cells that failed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.identity.actor import LOCAL_ACTOR
from assay.playground.prompts.models import Prompt, PromptVersion
from assay.playground.runs.models import EvalResult, EvalRun, RunStatus
from assay.playground.runs.results.service import get_summary
from assay.playground.runs.seen_items import item_numbers, seen_items
from assay.playground.runs.titles import shortened, title_of

LONGEST_ANSWER = 400


@dataclass(frozen=True, slots=True)
class RunReport:
    """A run with the names of what it ran, and its summary.

    `summary` is in the shape of `assay.playground.runs.schemas.RunSummary`.
    """

    run: EvalRun
    prompt: str
    version: int
    summary: dict[str, Any]

    @property
    def title(self) -> str:
        """Prompt and version in a few words."""
        return f"{self.prompt} v{self.version}"

    @property
    def passed(self) -> bool:
        """Whether the run is complete and each of its cells passed."""
        return self.run.status is RunStatus.completed and self.run.passed == self.run.total


@dataclass(frozen=True, slots=True)
class FailedCell:
    """A cell that did not pass: what was asked, what came, and why that is not right."""

    title: str
    model: str
    number: int
    item: str
    output: str | None
    reason: str
    is_error: bool


async def load_reports(session: AsyncSession, run_ids: Sequence[UUID]) -> list[RunReport]:
    """The reports of runs, in the order of the ids."""
    rows = await session.execute(
        select(EvalRun, Prompt.name, PromptVersion.version_number)
        .join(PromptVersion, PromptVersion.id == EvalRun.prompt_version_id)
        .join(Prompt, Prompt.id == PromptVersion.prompt_id)
        .where(EvalRun.id.in_(run_ids))
        .execution_options(populate_existing=True)
    )
    reports = {
        run.id: RunReport(run, name, version, await get_summary(session, LOCAL_ACTOR, run.id))
        for run, name, version in rows.all()
    }
    return [reports[run_id] for run_id in run_ids]


async def failed_cells(
    session: AsyncSession, reports: Sequence[RunReport], limit: int
) -> list[FailedCell]:
    """The first cells that did not pass, run by run in the order of the items."""
    cells: list[FailedCell] = []
    for report in reports:
        if len(cells) < limit:
            cells.extend(await _failed_cells(session, report, limit - len(cells)))
    return cells


async def _failed_cells(
    session: AsyncSession, report: RunReport, limit: int
) -> Iterator[FailedCell]:
    item, numbered = seen_items(report.run), item_numbers(report.run)
    rows = await session.execute(
        select(EvalResult, item.c.input, item.c.metadata, numbered.c.number)
        .join(item, item.c.id == EvalResult.dataset_item_id)
        .join(numbered, numbered.c.id == item.c.id)
        .where(EvalResult.eval_run_id == report.run.id, EvalResult.passed.is_(False))
        .order_by(EvalResult.dataset_item_id, EvalResult.model_id)
        .limit(limit)
    )
    return (
        FailedCell(
            title=report.title,
            model=result.model_id,
            number=number,
            item=title_of(variables, metadata),
            output=result.output,
            reason=result.error or (result.grading or {}).get("reason", ""),
            is_error=result.error is not None,
        )
        for result, variables, metadata, number in rows.all()
    )


def comparison(reports: Sequence[RunReport]) -> Table:
    """One row for each prompt and model."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("Prompt", overflow="fold")
    table.add_column("Model", overflow="fold")
    table.add_column("Passed")
    table.add_column("(95 %)")
    for name in ("Pass", "Fail", "Error", "Score", "p50", "p95", "Tokens", "Cost"):
        table.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        for model, entry in report.summary["models"].items():
            table.add_row(escape(report.title), escape(model), *_figures(entry))
    return table


def _figures(entry: dict[str, Any]) -> Iterator[str]:
    rate, interval = entry["pass_rate"], entry["pass_rate_interval"]
    yield "-" if rate is None else f"[{_colour(rate)}]{rate:.1%}[/]"
    yield "" if interval is None else f"[dim]{interval[0]:.0%}-{interval[1]:.0%}[/]"
    yield f"{entry['passed']:,}"
    yield f"{entry['failed']:,}"
    yield f"[red]{entry['errors']:,}[/]" if entry["errors"] else "0"
    yield "-" if entry["mean_score"] is None else f"{entry['mean_score']:.2f}"
    for percentile in ("p50", "p95"):
        yield _milliseconds(entry["latency_ms"][percentile])
    yield f"{entry['tokens_in'] + entry['tokens_out']:,}"
    yield _cost(entry)


def _colour(rate: float) -> str:
    if rate == 1:
        return "green"
    return "yellow" if rate >= 0.5 else "red"


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms"


def _cost(entry: dict[str, Any]) -> str:
    if entry["cost"] is None:
        return "-"
    # Cells without a known price are not in the sum.
    amount = f"${entry['cost']:,.4f}" if entry["cost"] else "$0"
    return amount + ("+" if entry["cells_without_price"] else "")


def describe_failures(cells: Sequence[FailedCell], failed: int) -> RenderableType:
    """The failed cells, each with its item, the answer and the reason.

    Args:
        cells: those to show.
        failed: how many there are in all.
    """
    parts: list[RenderableType] = []
    for cell in cells:
        parts.append(
            Text.assemble(
                ("error " if cell.is_error else "failed ", "red"),
                (f"item {cell.number} ", "bold"),
                cell.item,
                (f"  ({cell.title}, {cell.model})", "dim"),
            )
        )
        if cell.output is not None:
            parts.append(Text(f"  answer  {shortened(cell.output, LONGEST_ANSWER)}"))
        parts.append(Text(f"  reason  {shortened(cell.reason, LONGEST_ANSWER)}"))
    if failed > len(cells):
        parts.append(Text(f"and {failed - len(cells):,} more", style="dim"))
    return Group(*parts)
