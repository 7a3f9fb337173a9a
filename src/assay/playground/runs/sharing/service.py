"""Rules and queries of links to runs. Of a link only its hash is kept."""

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import NotFound
from assay.core.pagination import Page
from assay.identity.actor import Actor
from assay.playground.datasets.models import Dataset
from assay.playground.prompts.models import Prompt, PromptVersion
from assay.playground.runs.comparison.pairing import model_names
from assay.playground.runs.models import EvalResult, EvalRun
from assay.playground.runs.seen_items import seen_items
from assay.playground.runs.service import get_own_run, get_run, record_run
from assay.playground.runs.sharing.schemas import SharedAssertion, SharedResult, SharedRun
from assay.playground.runs.summary import summarize

TOKEN_BYTES = 32


class LinkUnknown(NotFound):
    """There is nothing at this link, or not any more."""


class NotShared(NotFound):
    """The run is not shared."""


@dataclass(frozen=True, slots=True)
class Link:
    """A link to a run: what is in its address, and until when it works."""

    token: str
    expires_at: datetime


async def share_run(session: AsyncSession, actor: Actor, run_id: UUID, expires_in: int) -> Link:
    """Make a link to a run, for `expires_in` seconds; the one before it ends.

    Raises:
        RunNotFound, RoleTooLow
    """
    await get_own_run(session, actor, run_id)
    run = await get_run(session, actor, run_id, lock=True)
    token = secrets.token_urlsafe(TOKEN_BYTES)
    now = await session.scalar(select(func.clock_timestamp()))
    assert now is not None
    run.share_hash = _hashed(token)
    run.share_expires_at = now + timedelta(seconds=expires_in)
    await session.flush()
    record_run(session, actor, "run.shared", run)
    return Link(token, run.share_expires_at)


async def unshare_run(session: AsyncSession, actor: Actor, run_id: UUID) -> None:
    """End the link to a run at once.

    Raises:
        RunNotFound, NotShared, RoleTooLow
    """
    await get_own_run(session, actor, run_id)
    run = await get_run(session, actor, run_id, lock=True)
    if run.share_hash is None:
        raise NotShared
    run.share_hash = run.share_expires_at = None
    await session.flush()
    record_run(session, actor, "run.unshared", run)


async def read_shared(session: AsyncSession, token: str) -> SharedRun:
    """What a link shows of its run.

    Raises:
        LinkUnknown: nobody made it, it has run out, or it was taken back.
    """
    run = await _run_of(session, token)
    query = (
        select(Prompt.name, PromptVersion.version_number, Dataset.name)
        .select_from(PromptVersion)
        .join(Prompt, Prompt.id == PromptVersion.prompt_id)
        .join(Dataset, Dataset.id == run.dataset_id)
        .where(PromptVersion.id == run.prompt_version_id)
    )
    prompt, version, dataset = (await session.execute(query)).one()
    return SharedRun.model_validate(
        {
            "name": run.name,
            "prompt": prompt,
            "version_number": version,
            "dataset": dataset,
            "models": model_names(run),
            "status": run.status,
            "progress": run.progress,
            "summary": run.summary or await summarize(session, run),
            "created_at": run.created_at,
            "completed_at": run.completed_at,
            "expires_at": run.share_expires_at,
        }
    )


async def list_shared_results(
    session: AsyncSession, token: str, page: Page
) -> Sequence[SharedResult]:
    """A page of the results of a link's run, in the order of its items.

    Raises:
        LinkUnknown
    """
    run = await _run_of(session, token)
    item = seen_items(run)
    query = (
        select(EvalResult, item.c.input, item.c.expected_output)
        .join(item, item.c.id == EvalResult.dataset_item_id)
        .where(EvalResult.eval_run_id == run.id)
    )
    keys = (EvalResult.dataset_item_id, EvalResult.model_id, EvalResult.repetition)
    rows = await page.fetch(session, query, *keys, descending=False)
    return [_shown(*row) for row in rows]


async def _run_of(session: AsyncSession, token: str) -> EvalRun:
    run = await session.scalar(
        select(EvalRun).where(
            EvalRun.share_hash == _hashed(token),
            EvalRun.share_expires_at > func.clock_timestamp(),
        )
    )
    if run is None:
        raise LinkUnknown
    return run


def _hashed(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _shown(result: EvalResult, variables: dict[str, Any], expected: Any) -> SharedResult:
    """A result without what was sent to the model, and without what an error tells of servers."""
    entries: Sequence[Mapping[str, Any]] = (result.grading or {}).get("assertions") or ()
    return SharedResult(
        item_id=result.dataset_item_id,
        input=variables,
        expected_output=expected,
        model=result.model_id,
        repetition=result.repetition,
        output=result.output,
        output_json=result.output_json,
        passed=result.passed,
        score=result.score,
        error=None if result.error is None else result.error.partition(":")[0],
        assertions=[
            SharedAssertion(
                type=entry["type"],
                metric=entry.get("metric"),
                passed=entry["passed"],
                score=entry["score"],
                reason=entry.get("reason", ""),
            )
            for entry in entries
        ],
        latency_ms=result.latency_ms,
        cost=result.cost,
    )
