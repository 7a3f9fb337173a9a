"""Rules and queries of evaluators."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Select, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from assay.apps.access import owned
from assay.apps.evaluators.models import Evaluator
from assay.apps.evaluators.schemas import EvaluatorCreate, EvaluatorUpdate
from assay.apps.listings.models import Listing
from assay.apps.recording import tell
from assay.core.errors import NotFound
from assay.core.offsets import OffsetPage
from assay.identity.actor import Actor
from assay.identity.audit.service import changed_fields


class EvaluatorNotFound(NotFound):
    """There is no evaluator with this id."""


class EvaluatorListingNotFound(NotFound):
    """There is no listing with this id in the evaluator's app."""


def _own(actor: Actor) -> Select[Evaluator]:
    return select(Evaluator).where(owned(actor, Evaluator.user_id))


async def list_evaluators(
    session: AsyncSession,
    actor: Actor,
    page: OffsetPage,
    app_id: str,
    listing_id: UUID | None = None,
) -> Sequence[Evaluator]:
    """A page of an app's evaluators, newest first: all of them, or those of one listing."""
    query = _own(actor).where(Evaluator.app_id == app_id)
    if listing_id is not None:
        query = query.where(Evaluator.listing_id == listing_id)
    return await page.fetch(session, query, Evaluator.id.desc())


async def list_registry(
    session: AsyncSession, actor: Actor, page: OffsetPage, app_id: str
) -> Sequence[Evaluator]:
    """A page of an app's global evaluators, newest first."""
    query = _own(actor).where(Evaluator.app_id == app_id, Evaluator.is_global)
    return await page.fetch(session, query, Evaluator.id.desc())


async def get_evaluator(
    session: AsyncSession, actor: Actor, evaluator_id: UUID, *, lock: bool = False
) -> Evaluator:
    """The evaluator with this id; `lock` keeps others from changing it until the commit.

    Raises:
        EvaluatorNotFound
    """
    query = _own(actor).where(Evaluator.id == evaluator_id)
    evaluator = await session.scalar(query.with_for_update() if lock else query)
    if evaluator is None:
        raise EvaluatorNotFound
    return evaluator


async def create_evaluator(session: AsyncSession, actor: Actor, new: EvaluatorCreate) -> Evaluator:
    """Make an evaluator.

    Raises:
        EvaluatorListingNotFound
    """
    evaluator = Evaluator(**new.model_dump(), user_id=actor.user_id)
    return await _add(session, actor, evaluator, "evaluator.created")


async def fork_evaluator(
    session: AsyncSession, actor: Actor, evaluator_id: UUID, listing_id: UUID | None
) -> Evaluator:
    """Make a copy of an evaluator that is not global, for a listing or for none.

    Raises:
        EvaluatorNotFound, EvaluatorListingNotFound
    """
    # It must not be gone before the copy refers to it.
    query = _own(actor).where(Evaluator.id == evaluator_id)
    original = await session.scalar(query.with_for_update(read=True, key_share=True))
    if original is None:
        raise EvaluatorNotFound
    fork = Evaluator(
        app_id=original.app_id,
        listing_id=listing_id,
        name=original.name,
        prompt=original.prompt,
        model_id=original.model_id,
        output_schema=original.output_schema,
        is_global=False,
        show_in_header=original.show_in_header,
        forked_from=original.id,
        user_id=actor.user_id,
    )
    return await _add(session, actor, fork, "evaluator.forked")


async def update_evaluator(
    session: AsyncSession, actor: Actor, evaluator_id: UUID, changes: EvaluatorUpdate
) -> Evaluator:
    """Change the fields that were sent.

    Raises:
        EvaluatorNotFound, EvaluatorListingNotFound
    """
    evaluator = await get_evaluator(session, actor, evaluator_id, lock=True)
    for field, value in changes.model_dump(exclude_unset=True).items():
        setattr(evaluator, field, value)
    if "listing_id" in changes.model_fields_set:
        with session.no_autoflush:
            await _hold_listing(session, actor, evaluator)
    told = changed_fields(evaluator)
    await session.flush()
    tell(session, actor, "evaluator.updated", evaluator.id, **told)
    return evaluator


async def set_global(
    session: AsyncSession, actor: Actor, evaluator_id: UUID, *, is_global: bool
) -> Evaluator:
    """Offer an evaluator for all listings of its app, or no longer.

    Raises:
        EvaluatorNotFound
    """
    changes = EvaluatorUpdate(is_global=is_global)
    return await update_evaluator(session, actor, evaluator_id, changes)


async def delete_evaluator(session: AsyncSession, actor: Actor, evaluator_id: UUID) -> None:
    """Delete an evaluator; copies of it stay.

    Raises:
        EvaluatorNotFound
    """
    statement = (
        delete(Evaluator)
        .where(Evaluator.id == evaluator_id, owned(actor, Evaluator.user_id))
        .returning(Evaluator.name)
    )
    name = await session.scalar(statement)
    if name is None:
        raise EvaluatorNotFound
    tell(session, actor, "evaluator.deleted", evaluator_id, name=name)


async def _add(session: AsyncSession, actor: Actor, evaluator: Evaluator, action: str) -> Evaluator:
    await _hold_listing(session, actor, evaluator)
    session.add(evaluator)
    await session.flush()
    told = {"app_id": evaluator.app_id, "name": evaluator.name}
    tell(session, actor, action, evaluator.id, **told)
    return evaluator


async def _hold_listing(session: AsyncSession, actor: Actor, evaluator: Evaluator) -> None:
    """Make sure that its listing is the actor's, of its app, and stays until the commit."""
    if evaluator.listing_id is None:
        return
    mine = owned(actor, Listing.user_id), Listing.app_id == evaluator.app_id
    query = select(Listing.id).where(Listing.id == evaluator.listing_id, *mine)
    if await session.scalar(query.with_for_update(read=True, key_share=True)) is None:
        raise EvaluatorListingNotFound
