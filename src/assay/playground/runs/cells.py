"""One cell: fill the template, ask the model, grade the answer."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from assay.core.database import to_json
from assay.core.errors import AssayError
from assay.core.ids import new_id
from assay.core.templates import TemplateFault
from assay.core.text import text_fault
from assay.gateway.errors import ModelError
from assay.gateway.types import Model, ModelResponse
from assay.grading.grader import Grader, asked_in_all
from assay.grading.questions import Findings
from assay.grading.registry import HUMAN, split_negation
from assay.grading.results import Answer, GradedAssertion, Grading
from assay.playground.runs.judging import Judging, grade
from assay.playground.runs.rows import AnsweredCell, Attempt, Holder, ResultRow, WaitingRow
from assay.playground.runs.specification import Cell, RunSpecification


async def work_cell(
    holder: Holder,
    specification: RunSpecification,
    cell: Cell,
    model: Model,
    judging: Judging,
) -> ResultRow | WaitingRow:
    """The result of one cell, or what waits for people; a failure for good is a result too."""
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
    answered = AnsweredCell(
        cell,
        answer,
        messages,
        None if response.output_json is None else to_json(response.output_json),
        _metrics(response, latency_ms),
        response.cost,
    )
    return await grade_cell(holder, specification, answered, judging)


async def grade_cell(
    holder: Holder, specification: RunSpecification, answered: AnsweredCell, judging: Judging
) -> ResultRow | WaitingRow:
    """The result of a cell by the run's assertions and the item's own, or what waits for people."""
    item = answered.cell.item
    grader, variables = specification.grader(item), item.assertion_variables()
    findings = await judging.find(grader, answered.answer, variables)
    if questions := grader.people(answered.answer, variables):
        paid = answered.cost
        if findings:
            paid = _sum(paid, asked_in_all(findings.values()).cost)
        return WaitingRow(holder, answered, questions, findings, paid)
    return await _graded_row(holder, grader, answered, variables, findings)


async def decided_row(
    holder: Attempt, specification: RunSpecification, answered: AnsweredCell, findings: Findings
) -> ResultRow:
    """The row of a cell that waited for people, with all that its assertions wanted to know."""
    item = answered.cell.item
    grader, variables = specification.grader(item), item.assertion_variables()
    return await _graded_row(holder, grader, answered, variables, findings)


async def _graded_row(
    holder: Attempt,
    grader: Grader,
    answered: AnsweredCell,
    variables: Mapping[str, object],
    findings: Findings,
) -> ResultRow:
    cell, answer = answered.cell, answered.answer
    grading = await grade(grader, answer, variables, findings)
    metrics, cost = dict(answered.metrics), answered.cost
    if grading.asked is not None:
        metrics["judge_cost"] = grading.asked.cost
        cost = _sum(cost, grading.asked.cost)
    return ResultRow(
        holder=holder,
        id=new_id(),
        item_id=cell.item.id,
        model_id=cell.choice.model_id,
        repetition=cell.repetition,
        request=answered.request,
        output=answer.output,
        output_json=answered.output_json,
        grading=to_json(grading.as_json()),
        metrics=to_json(metrics),
        passed=grading.passed,
        score=grading.score,
        error=_undecided(grading) if grader.asks_people else None,
        latency_ms=answer.latency_ms,
        cost=cost,
        failed_assertions=_failed_names(grading),
    )


def _undecided(grading: Grading) -> str | None:
    """Why a cell has no result, where what it lacks is the word of a person."""
    return None if grading.passed else next(_without_a_word(grading.entries), None)


def _without_a_word(entries: Sequence[GradedAssertion]) -> Iterator[str]:
    for entry in entries:
        if entry.weight and entry.error and split_negation(entry.type)[0] == HUMAN:
            yield f"not_decided: {entry.reason}"
        if entry.weight:
            yield from _without_a_word(entry.parts or ())


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
