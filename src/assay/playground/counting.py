"""Counts of what is inside a row, in the query that reads the row."""

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.dialects.postgresql import JSONB

from assay.core.database import Base

_Row = TypeVar("_Row", bound=Base)


def select_fresh(entity: type[_Row]) -> Select[_Row]:
    """A select that fills in counts anew, also in rows that the session has read before."""
    return select(entity).execution_options(populate_existing=True)


def counts(**inside: Select[int]) -> ColumnElement[Any]:
    """One JSON object with a count for each name.

    Args:
        inside: selects of `func.count()`, correlated to the row that they are about.
    """
    pairs = [part for name, count in inside.items() for part in (name, count.scalar_subquery())]
    return func.jsonb_build_object(*pairs, type_=JSONB)
