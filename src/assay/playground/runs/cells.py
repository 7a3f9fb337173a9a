"""One cell: fill the template, ask the model, grade the answer."""

import asyncio
from typing import Any

import orjson

from assay.core.database import to_json
from assay.core.errors import AssayError
from assay.core.ids import new_id
from assay.core.templates import TemplateFault
from assay.core.text import text_fault
from assay.gateway.errors import ModelError
from assay.gateway.types import Model, ModelResponse
from assay.grading.grader import Grader
from assay.grading.results import Answer, Grading
from assay.playground.runs.specification import Item, ModelChoice, RunSpecification
from assay.playground.runs.writer import Holder, ResultRow

# Grading a longer answer could hold up the event loop, so it goes to a thread.
LONG_ANSWER = 100_000


async def work_cell(
    holder: Holder, specification: RunSpecification, item: Item, choice: ModelChoice, model: Model
) -> ResultRow:
    """The result of one cell; what fails for good becomes a row with its error."""
    try:
        request = specification.request(item, choice)
    except TemplateFault as error:
        return _failed_row(holder, item, choice, None, error, attempts=0)
    messages = orjson.dumps({"messages": request.messages}).decode()
    try:
        response = await model.complete(request)
    except ModelError as error:
        return _failed_row(holder, item, choice, messages, error, attempts=error.attempts)
    output = _storable(response.text)
    answer = Answer(output, response.latency_ms, response.cost)
    grading = await _grade(specification.grader(item), answer, item.assertion_variables())
    return ResultRow(
        holder=holder,
        id=new_id(),
        item_id=item.id,
        model_id=choice.model_id,
        request=messages,
        output=output,
        output_json=None if response.output_json is None else to_json(response.output_json),
        grading=to_json(grading.as_json()),
        metrics=_metrics(response),
        passed=grading.passed,
        score=grading.score,
        error=None,
        cost=response.cost or 0.0,
    )


async def _grade(grader: Grader, answer: Answer, variables: dict[str, Any]) -> Grading:
    if len(answer.output) > LONG_ANSWER:
        return await asyncio.to_thread(grader.grade, answer, variables)
    return grader.grade(answer, variables)


def _metrics(response: ModelResponse) -> str:
    metrics = {
        "latency_ms": round(response.latency_ms, 2),
        "tokens_in": response.usage.tokens_in,
        "tokens_out": response.usage.tokens_out,
        "cost": response.cost,
        "attempts": response.attempts,
        "cached": False,
    }
    if response.first_token_ms is not None:
        metrics["first_token_ms"] = round(response.first_token_ms, 2)
    return to_json(metrics)


def _failed_row(
    holder: Holder,
    item: Item,
    choice: ModelChoice,
    request: str | None,
    error: AssayError,
    *,
    attempts: int,
) -> ResultRow:
    return ResultRow(
        holder=holder,
        id=new_id(),
        item_id=item.id,
        model_id=choice.model_id,
        request=request,
        output=None,
        output_json=None,
        grading=None,
        metrics=to_json({"attempts": attempts}),
        passed=False,
        score=0.0,
        error=_storable(f"{error.code}: {error}"),
        cost=0.0,
    )


def _storable(text: str) -> str:
    # PostgreSQL stores no NUL, and UTF-8 has no half of a surrogate pair.
    if text_fault(text) is None:
        return text
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\x00", "\N{REPLACEMENT CHARACTER}")
