"""One cell: fill the template, ask the model, grade the answer."""

import math
from typing import Any

import orjson

from assay.core.database import to_json
from assay.core.errors import AssayError
from assay.core.ids import new_id
from assay.core.templates import TemplateFault
from assay.core.text import text_fault
from assay.gateway.errors import ModelError
from assay.gateway.types import Model, ModelResponse
from assay.grading.results import Answer, Grading
from assay.playground.runs.judging import Judging
from assay.playground.runs.specification import Cell, Item, RunSpecification
from assay.playground.runs.writer import Holder, ResultRow


async def work_cell(
    holder: Holder,
    specification: RunSpecification,
    cell: Cell,
    model: Model,
    judging: Judging,
) -> ResultRow:
    """The result of one cell; what fails for good becomes a row with its error."""
    try:
        request = specification.request(cell)
    except TemplateFault as error:
        return failed_row(holder, cell, None, _told(error), attempts=0)
    messages = orjson.dumps({"messages": request.messages}).decode()
    try:
        response = await model.complete(request)
    except ModelError as error:
        return failed_row(holder, cell, messages, _told(error), attempts=error.attempts)
    asked = response.original is None
    latency_ms = round(response.latency_ms, 2) if asked else None
    output = _storable(response.text)
    # An answer from the cache costs nothing now, but is as dear as it was when it was made.
    answer = Answer(
        output,
        latency_ms,
        response.original.cost if response.original else response.cost,
        response.logprobs,
        request.messages,
    )
    grading = await grade_answer(specification, cell.item, answer, judging)
    return graded_row(
        holder,
        cell,
        answer,
        grading,
        request=messages,
        output_json=None if response.output_json is None else to_json(response.output_json),
        metrics=_metrics(response, latency_ms),
        cost=response.cost,
    )


async def grade_answer(
    specification: RunSpecification, item: Item, answer: Answer, judging: Judging
) -> Grading:
    """The grade of an answer by the run's assertions and the item's own."""
    grader = specification.grader(item)
    return await judging.grade(grader, answer, item.assertion_variables())


def graded_row(
    holder: Holder,
    cell: Cell,
    answer: Answer,
    grading: Grading,
    *,
    request: str | None,
    output_json: str | None,
    metrics: dict[str, Any],
    cost: float | None,
) -> ResultRow:
    """The row of a cell with an answer.

    `request` and `output_json` are JSON text, `cost` is what was paid for it now, without judges.
    """
    if grading.asked is not None:
        metrics["judge_cost"] = grading.asked.cost
        cost = _sum(cost, grading.asked.cost)
    return ResultRow(
        holder=holder,
        id=new_id(),
        item_id=cell.item.id,
        model_id=cell.choice.model_id,
        repetition=cell.repetition,
        request=request,
        output=answer.output,
        output_json=output_json,
        grading=to_json(grading.as_json()),
        metrics=to_json(metrics),
        passed=grading.passed,
        score=grading.score,
        error=None,
        latency_ms=answer.latency_ms,
        cost=cost,
        failed_assertions=_failed_names(grading),
    )


def _sum(cost: float | None, judge_cost: float | None) -> float | None:
    """What is known to be paid; `None` where nothing is known."""
    if cost is None and judge_cost is None:
        return None
    return (cost or 0.0) + (judge_cost or 0.0)


def _failed_names(grading: Grading) -> list[str]:
    """The metrics, or types, of what should have held and did not; each once."""
    if grading.passed and grading.score == 1.0:
        return []
    failed = (entry for entry in grading.entries if entry.weight and not entry.passed)
    return list(dict.fromkeys(entry.metric or entry.type for entry in failed))


def _metrics(response: ModelResponse, latency_ms: float | None) -> dict[str, Any]:
    metrics: dict[str, Any] = {
        "latency_ms": latency_ms,
        "tokens_in": response.usage.tokens_in,
        "tokens_out": response.usage.tokens_out,
        "cost": response.cost,
        "attempts": response.attempts,
        "cached": response.original is not None,
    }
    if response.original is not None:
        metrics["original"] = {
            "latency_ms": round(response.original.latency_ms, 2),
            "cost": response.original.cost,
        }
    if response.logprobs:
        # What perplexity needs, so that the answer can be graded again.
        metrics["mean_logprob"] = math.fsum(response.logprobs) / len(response.logprobs)
    if response.first_token_ms is not None:
        metrics["first_token_ms"] = round(response.first_token_ms, 2)
    return metrics


def failed_row(
    holder: Holder, cell: Cell, request: str | None, error: str, *, attempts: int
) -> ResultRow:
    """The row of a cell without an answer; `error` says why."""
    return ResultRow(
        holder=holder,
        id=new_id(),
        item_id=cell.item.id,
        model_id=cell.choice.model_id,
        repetition=cell.repetition,
        request=request,
        output=None,
        output_json=None,
        grading=None,
        metrics=to_json({"attempts": attempts}),
        passed=False,
        score=0.0,
        error=error,
        latency_ms=None,
        cost=0.0,
        failed_assertions=(),
    )


def _told(error: AssayError) -> str:
    return _storable(f"{error.code}: {error}")


def _storable(text: str) -> str:
    # PostgreSQL stores no NUL, and UTF-8 has no half of a surrogate pair.
    if text_fault(text) is None:
        return text
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", "\N{REPLACEMENT CHARACTER}")
