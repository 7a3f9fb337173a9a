"""Whom the assertions of a run name, checked before the run is started."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import column, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from assay.core.errors import AssayError, FieldFault, Invalid
from assay.grading.assertions import Assertion
from assay.grading.registry import HUMAN, NEGATION, split_negation
from assay.identity.actor import Actor
from assay.playground.datasets.models import Dataset
from assay.playground.runs.people import People

# Different lists of people that the items of a dataset name.
_MOST_LISTS = 1000
_PATH = f'strict $.** ? (@.type like_regex "^({NEGATION})?{HUMAN}$")'

# Items can have assertions of their own, and there can be a million of them.
_OF_ITEMS = text("""
    SELECT DISTINCT found -> 'assignees' AS assignees
    FROM playground.dataset_items AS item,
        jsonb_path_query(item.assertions, CAST(CAST(:path AS text) AS jsonpath)) AS found
    WHERE item.dataset_id = :dataset_id AND item.deleted_in IS NULL
        AND jsonb_typeof(found -> 'assignees') = 'array'
    LIMIT :most
""").columns(column("assignees", JSONB))


async def check_people(
    session: AsyncSession,
    people: People,
    actor: Actor,
    dataset: Dataset,
    project_id: UUID,
    assertions: Sequence[Assertion | dict[str, Any]],
) -> None:
    """See to it that everybody can be asked whom an assertion of a run names.

    Args:
        session: to read the items' assertions.
        people: know who can be asked.
        actor: who starts the run.
        dataset: of the run, with its default assertions.
        project_id: of the run.
        assertions: of the run itself.

    Raises:
        Invalid: with the place of each who cannot.
    """
    named = [
        *_named("body.assertions", assertions),
        *_named("the dataset's default_assertions", dataset.default_assertions or ()),
    ]
    given = {"path": _PATH, "dataset_id": dataset.id, "most": _MOST_LISTS}
    of_items = await session.scalars(_OF_ITEMS, given)
    named += [("the items' assertions", assignees) for assignees in of_items]
    faults = []
    for place, assignees in named:
        try:
            await people.check(session, actor, project_id, assignees)
        except AssayError as error:
            told = [fault.message for fault in error.errors] or [str(error)]
            faults += [FieldFault(place, message) for message in told]
    if faults:
        raise Invalid(f"Not everybody can be asked: {faults[0].message}", errors=faults)


def _named(
    place: str, assertions: Sequence[Assertion | dict[str, Any]]
) -> Iterator[tuple[str, Sequence[str]]]:
    for index, given in enumerate(assertions):
        each = given if isinstance(given, Assertion) else Assertion.model_validate(given)
        here = f"{place}[{index}]"
        if split_negation(each.type)[0] == HUMAN and each.assignees:
            yield f"{here}.assignees", each.assignees
        yield from _named(f"{here}.assert", each.assert_ or ())
