"""Results, summaries and the matrix over HTTP."""

from collections.abc import Sequence
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query

from assay.core.database import Session
from assay.core.errors import Invalid, NotFound
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.core.text import Text
from assay.playground.access import Reader
from assay.playground.runs.models import EvalResult
from assay.playground.runs.results import matrix, service
from assay.playground.runs.results.matrix import MatrixShow
from assay.playground.runs.results.schemas import EvalResultRead, MatrixRow, RunSummary
from assay.playground.runs.results.service import Order, ResultFilter, ResultSort

router = APIRouter(prefix="/eval-runs/{run_id}", tags=["runs"])


def _wanted(
    *,
    model: Annotated[Text | None, Query(description="Only those of this model")] = None,
    passed: Annotated[bool | None, Query(description="Only those that passed, or did not")] = None,
    error: Annotated[
        bool | None, Query(description="Only those that ended in an error, or did not")
    ] = None,
    failed_assertion: Annotated[
        Text | None, Query(description="Only those in which this metric, or type, failed")
    ] = None,
    search: Annotated[
        Text | None,
        Query(
            min_length=1,
            max_length=200,
            description=(
                "Only those with this text in the output, in any case. A page looks at 1,000 "
                "cells at most: it can be short, or empty, and have a next one"
            ),
        ),
    ] = None,
    item_id: Annotated[UUID | None, Query(description="Only those of this item")] = None,
    repetition: Annotated[
        int | None, Query(ge=0, le=99, description="Only those of this repetition, from 0")
    ] = None,
) -> ResultFilter:
    return ResultFilter(
        model=model,
        passed=passed,
        error=error,
        failed_assertion=failed_assertion,
        search=search,
        item_id=item_id,
        repetition=repetition,
    )


@router.get("/results", response_model=list[EvalResultRead], responses=problems(Invalid, NotFound))
async def list_results(
    run_id: UUID,
    session: Session,
    actor: Reader,
    page: Paging,
    wanted: Annotated[ResultFilter, Depends(_wanted)],
    sort: Annotated[
        ResultSort,
        Query(description="Those without a cost or latency count as less than any other"),
    ] = ResultSort.item,
    order: Order = Order.asc,
) -> Sequence[EvalResult]:
    """List the results of a run, by default in the order of the dataset's items."""
    return await service.list_results(session, actor, page, run_id, wanted, sort, order)


@router.get("/matrix", response_model=list[MatrixRow], responses=problems(Invalid, NotFound))
async def get_matrix(
    run_id: UUID,
    session: Session,
    actor: Reader,
    page: Paging,
    show: Annotated[
        MatrixShow,
        Query(
            description=(
                "`disagreements`: only items that passed with some models and not with others; "
                "`failures`: only those of which a cell did not pass"
            )
        ),
    ] = MatrixShow.all,
) -> list[dict[str, Any]]:
    """Read the grid of a run: items in pages, of at most 2,000 cells, with the cells by model."""
    return await matrix.get_matrix(session, actor, page, run_id, show)


@router.get("/summary", response_model=RunSummary, responses=problems(Invalid, NotFound))
async def get_summary(run_id: UUID, session: Session, actor: Reader) -> dict[str, Any]:
    """Read what came out of a run so far, over all and for each model."""
    return await service.get_summary(session, actor, run_id)
