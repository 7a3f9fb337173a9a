"""Links to runs over HTTP: made by editors, read by anybody who has one."""

from collections.abc import Sequence
from typing import Annotated, cast
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response, status

from assay.core.database import Session
from assay.core.errors import Invalid, TooMany
from assay.core.pagination import Paging
from assay.core.problems import problems
from assay.core.rate_limit import RateLimit
from assay.core.text import Text
from assay.identity.access import public
from assay.playground.access import Editor
from assay.playground.runs.service import RunNotFound
from assay.playground.runs.sharing import service
from assay.playground.runs.sharing.schemas import ShareCreate, SharedResult, SharedRun, ShareRead
from assay.playground.runs.sharing.service import LinkUnknown, NotShared

READS_PER_MINUTE = 240
"""Of shared runs, by one address."""


def _limit(request: Request, response: Response) -> None:
    """Slow down whoever reads too much, or guesses; keep what is read out of caches and logs."""
    state = request.app.state
    if not hasattr(state, "shared_reads"):
        state.shared_reads = RateLimit(READS_PER_MINUTE)
    # The address of the link is all that it takes to read it.
    request.state.logged_path = "/api/v1/shared/…"
    address = request.client.host if request.client else None
    if wait := cast("RateLimit", state.shared_reads).take(address):
        raise TooMany("Too many reads of shared runs from here.", retry_after=wait)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"


shares = APIRouter(
    prefix="/eval-runs/{run_id}/share", tags=["runs"], responses=problems(Invalid, RunNotFound)
)
shared = APIRouter(
    prefix="/shared/{token}",
    tags=["shared"],
    dependencies=[public, Depends(_limit)],
    responses=problems(Invalid, LinkUnknown, TooMany),
)
Token = Annotated[Text, Path(max_length=100, description="From the address of a link")]


@shares.post("", status_code=status.HTTP_201_CREATED, response_model=ShareRead)
async def share_run(
    request: Request, session: Session, actor: Editor, run_id: UUID, new: ShareCreate
) -> ShareRead:
    """Make a link by which anybody may read the run; it is shown once, and ends the one before."""
    link = await service.share_run(session, actor, run_id, new.expires_in)
    url = str(request.base_url.replace(path=f"/api/v1/shared/{link.token}"))
    return ShareRead(token=link.token, url=url, expires_at=link.expires_at)


@shares.delete("", status_code=status.HTTP_204_NO_CONTENT, responses=problems(NotShared))
async def unshare_run(session: Session, actor: Editor, run_id: UUID) -> None:
    """End the link to a run at once."""
    await service.unshare_run(session, actor, run_id)


@shared.get("", response_model=SharedRun)
async def read_shared(session: Session, token: Token) -> SharedRun:
    """Read a run by a link."""
    return await service.read_shared(session, token)


@shared.get("/results", response_model=list[SharedResult])
async def list_shared_results(
    session: Session, page: Paging, token: Token
) -> Sequence[SharedResult]:
    """List the results of a run by a link, in the order of the dataset's items."""
    return await service.list_shared_results(session, token, page)
