"""Items as a run saw them, whatever has become of them since."""

from sqlalchemy import Subquery, func, select

from assay.playground.datasets.items.history import content_in, present_in
from assay.playground.datasets.models import DatasetItem
from assay.playground.runs.models import EvalRun


def seen_items(run: EvalRun) -> Subquery:
    """The items of a run's dataset with what they held in the version that the run is about.

    Its columns are `id`, `input`, `expected_output` and `metadata`.
    """
    held = content_in(run.dataset_version)
    query = select(
        DatasetItem.id,
        held["input"],
        held["expected_output"],
        held["item_metadata"].label("metadata"),
    )
    return query.where(DatasetItem.dataset_id == run.dataset_id).subquery("item")


def item_numbers(run: EvalRun) -> Subquery:
    """The places of a run's items in its dataset, from 1: `id` and `number`."""
    number = func.row_number().over(order_by=DatasetItem.id).label("number")
    query = select(DatasetItem.id, number)
    return query.where(present_in(run.dataset_id, run.dataset_version)).subquery("numbered")
