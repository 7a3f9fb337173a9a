"""Comparisons over HTTP."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from assay.core.database import Session
from assay.core.errors import Invalid
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.core.text import Text
from assay.playground.access import Reader
from assay.playground.runs.comparison import service
from assay.playground.runs.comparison.schemas import Change, ChangedItem, RunComparison
from assay.playground.runs.comparison.service import NotComparable
from assay.playground.runs.service import RunNotFound

router = APIRouter(
    prefix="/eval-runs/compare",
    tags=["runs"],
    responses=problems(Invalid, NotComparable, RunNotFound),
)
_UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

Models = Annotated[
    list[Text],
    Query(
        max_length=100,
        description="A model that both runs have, or `first=other` to pair two; without it, those "
        "that both have, or the only one of each",
    ),
]


@router.get("", response_model=RunComparison)
async def compare_runs(
    session: Session,
    actor: Reader,
    ids: Annotated[
        str,
        Query(
            pattern=f"^{_UUID}(,{_UUID}){{1,9}}$",
            description="2 to 10 runs with commas between them; the others are held against the "
            "first",
            examples=["019ab1de-6f00-7a55-8000-3c1f2e5d7a90,019ab1de-6f00-7b12-8000-5d0c9b3e4f21"],
        ),
    ],
    model: Models = [],  # noqa: B006  # FastAPI copies it
    shown: Annotated[
        int, Query(ge=0, le=200, description="Items to name that got better, and worse")
    ] = 20,
) -> RunComparison:
    """Compare runs on the same dataset, paired on its items."""
    return await service.compare_runs(session, actor, _ids(ids), model, shown=shown)


@router.get("/items", response_model=list[ChangedItem])
async def list_changed_items(
    session: Session,
    actor: Reader,
    page: Paging,
    ids: Annotated[
        str,
        Query(
            pattern=f"^{_UUID},{_UUID}$", description="The first run, and the one held against it"
        ),
    ],
    change: Change,
    model: Models = [],  # noqa: B006  # FastAPI copies it
) -> Sequence[ChangedItem]:
    """List the items that got better or worse from one run to another, in the dataset's order."""
    return await service.list_changed_items(session, actor, _ids(ids), model, change, page)


def _ids(ids: str) -> list[UUID]:
    return [UUID(part) for part in ids.split(",")]
